"""Carries files between us and payers through a folder: `out` is theirs to read, `in` is ours."""

from polyclinic.foundation import telemetry
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.work import in_thread
from polyclinic.services.billing.actions.receiving import receive_in
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.gateways.folder import Folder
from polyclinic.services.billing.store import files

# Who takes in what lies in the folder: billing itself, with nobody's token.
ITSELF = Caller(
    "billing", "billing", "system", frozenset({"system/PaymentReconciliation.cu"}), None, "itself"
)


async def exchange(books: Books, folder: Folder) -> tuple[int, int]:
    """(files sent, files taken in). A file leaves `in` only after the commit of what it did."""
    return await _send(books, folder), await _take(books, folder)


async def _send(books: Books, folder: Folder) -> int:
    sent = 0
    for row in await files.ready(books.running.database):
        sealed = await files.content(books.running.database, row["id"])
        assert sealed is not None
        content = await books.open_file(str(row["id"]), sealed)
        # Written twice after a crash in between is the same file under the same name.
        await in_thread(folder.put, f"{row['payer']}-{row['control']}-{row['kind']}.x12", content)
        await files.set_status(books.running.database, row["id"], "sent")
        sent += 1
    return sent


async def _take(books: Books, folder: Folder) -> int:
    taken = 0
    asker = books.asker(ITSELF)
    for name in await in_thread(folder.names):
        content = await in_thread(folder.read, name)
        status = await _receive(books, asker, content)
        await in_thread(folder.done, name, is_good=status < 300)
        if status >= 300:
            telemetry.log("file held", count=1)
        taken += 1
    return taken


async def _receive(books: Books, asker: Asker, content: bytes) -> int:
    async with books.running.database.transaction() as tx:
        status, _ = await receive_in(books, tx, asker, content)
    return status

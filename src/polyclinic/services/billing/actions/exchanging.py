"""Carries files between us and payers: each is sent once and taken in once."""

from polyclinic.foundation import telemetry
from polyclinic.foundation.caller import Caller
from polyclinic.services.billing.actions.receiving import receive_in
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.gateways.exchange import Exchange
from polyclinic.services.billing.store import files

# Who takes in what has come: billing itself, with nobody's token.
ITSELF = Caller(
    "billing", "billing", "system", frozenset({"system/PaymentReconciliation.cu"}), None, "itself"
)


async def exchange(books: Books, way: Exchange) -> tuple[int, int]:
    """(files sent, files taken in). A file is done with only after the commit of what it did."""
    return await _send(books, way), await _take(books, way)


async def _send(books: Books, way: Exchange) -> int:
    sent = 0
    for row in await files.ready(books.running.database):
        sealed = await files.content(books.running.database, row["id"])
        assert sealed is not None
        content = await books.open_file(str(row["id"]), sealed)
        # Written twice after a crash in between is the same file under the same name.
        await way.put(f"{row['payer']}-{row['control']}-{row['kind']}.x12", content)
        await files.set_status(books.running.database, row["id"], "sent")
        sent += 1
    return sent


async def _take(books: Books, way: Exchange) -> int:
    taken = 0
    asker = books.asker(ITSELF)
    for name in await way.names():
        content = await way.read(name)
        status = await _receive(books, asker, content)
        await way.done(name, is_good=status < 300)
        if status >= 300:
            telemetry.log("file held", count=1)
        taken += 1
    return taken


async def _receive(books: Books, asker: Asker, content: bytes) -> int:
    async with books.running.database.transaction() as tx:
        status, _ = await receive_in(books, tx, asker, content)
    return status

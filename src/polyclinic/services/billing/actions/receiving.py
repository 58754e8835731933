"""Takes X12 files in: each once, whole or not at all, and says what became of it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from hashlib import sha256

from polyclinic.foundation import ids
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.once import Once, Stored
from polyclinic.foundation.work import in_thread
from polyclinic.services.billing.actions import acknowledged, remitting
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain import access
from polyclinic.services.billing.domain.received import Incoming, Received, incoming
from polyclinic.services.billing.domain.work import Item
from polyclinic.services.billing.store import claims, files, payers, work
from polyclinic.services.billing.store.files import File
from polyclinic.standards.x12.refused import Refused

Take = Callable[[Books, Transaction, Asker, Incoming], Awaitable[Received]]
_TAKES: dict[str, Take] = {
    "TA1": acknowledged.take_acknowledgments,
    "999": acknowledged.take_acknowledgments,
    "277CA": acknowledged.take_claim_reports,
    "835": remitting.take_remittances,
}
# What one transaction posts in good time: twice the claims that payers are advised to send.
PARTS_MAX = 20_000
_STATUS = {"taken": 201, "held": 422, "refused": 422}


async def receive(books: Books, asker: Asker, content: bytes, key: Once | None) -> Stored:
    """A file of a payer. The same bytes again change nothing and get told so; if they were
    held, they are tried anew.

    What is refused or held is kept all the same, sealed, and waits for a person.
    """
    access.check_biller(asker.caller, "PaymentReconciliation", "c")
    came = await in_thread(incoming, ids.new_uuid(), content)

    async def act(tx: Transaction) -> tuple[int, object]:
        return await _receive_in(books, tx, asker, came)

    return await books.carried(key, act)


async def _receive_in(
    books: Books, tx: Transaction, asker: Asker, came: Incoming
) -> tuple[int, dict[str, object]]:
    digest = sha256(came.content).digest()
    known = await files.by_digest(tx, "in", digest)
    if known is not None and known["status"] == "held":
        return await _again(books, tx, asker, replace(came, file=known["id"]))
    if known is not None:
        return 200, {"file": str(known["id"]), **_told(known["kind"], known["status"]),
                     "problem": known["problem"], "again": True}  # fmt: skip
    payer = await payers.find_by_x12(tx, came.sender)
    came = replace(came, payer=payer.id if payer else None)
    sealed = await books.seal_file(str(came.file), came.content)
    file = File(came.file, "in", came.kind, came.payer, came.control, digest, "taken", sealed)
    if not await files.add(tx, file):
        return await _receive_in(books, tx, asker, came)
    return await _take(books, tx, asker, came)


async def _again(
    books: Books, tx: Transaction, asker: Asker, came: Incoming
) -> tuple[int, dict[str, object]]:
    """A held file is tried anew: what it was held for may be mended, a payer's id for one."""
    payer = await payers.find_by_x12(tx, came.sender)
    came = replace(came, payer=payer.id if payer else None)
    status, value = await _take(books, tx, asker, came)
    if status == _STATUS["taken"]:
        await work.close_item(tx, "held", f"File/{came.file}", asker.name, "taken")
    return status, value


async def _take(
    books: Books, tx: Transaction, asker: Asker, came: Incoming
) -> tuple[int, dict[str, object]]:
    received = await _taken(books, tx, asker, came)
    await files.set_status(tx, came.file, received.status, received.problem)
    if received.status != "taken":
        # Whoever reads it sees these patients: the access log is to name them.
        await files.add_claims(tx, came.file, await claims.ids_of(tx, came.named))
        await work.open_item(tx, Item("held", f"File/{came.file}", payer=came.payer))
    value = {"file": str(came.file), **_told(came.kind, received.status)}
    return _STATUS[received.status], {**value, "problem": received.problem, **received.counts}


async def _taken(books: Books, tx: Transaction, asker: Asker, came: Incoming) -> Received:
    take = _TAKES.get(came.kind)
    if came.parts > PARTS_MAX:
        return Received("held", f"The file has more than {PARTS_MAX} claims and lines; ask for it"
                        " in several files.")  # fmt: skip
    if take is None:
        return Received("refused", "This is no TA1, 999, 277CA or 835 file.")
    try:
        return await take(books, tx, asker, came)
    except Refused as refused:
        return Received("refused", str(refused))


def _told(kind: str, status: str) -> dict[str, object]:
    return {"kind": kind, "status": status}

"""Carries files between us and payers: each is sent once and taken in once."""

import msgspec

from polyclinic.foundation import telemetry
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.errors import Unavailable
from polyclinic.foundation.once import TooManyRaces
from polyclinic.services.billing.actions.receiving import receive
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
        await files.set_sent(books.running.database, row["id"])
        sent += 1
    return sent


async def _take(books: Books, way: Exchange) -> int:
    taken = 0
    asker = books.asker(ITSELF)
    for name in await way.names():
        content = await way.read(name)
        if content is None:
            continue
        try:
            is_good = await _receive(books, asker, content)
        except (Unavailable, TooManyRaces):
            raise
        except Exception as bug:  # noqa: BLE001 - it stays where it is, and holds up no other
            telemetry.log_bug("file not taken", bug)
            continue
        await way.done(name, is_good=is_good)
        if not is_good:
            telemetry.log("file held", count=1)
        taken += 1
    return taken


async def _receive(books: Books, asker: Asker, content: bytes) -> bool:
    """Whether it was taken, now or before."""
    stored = await receive(books, asker, content, None)
    return msgspec.json.decode(stored.body)["status"] == "taken"

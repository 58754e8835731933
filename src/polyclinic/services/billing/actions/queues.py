"""The work queues: what waits, who has taken it, and how it was dealt with."""

import re
from dataclasses import dataclass
from uuid import UUID

import msgspec

from polyclinic.foundation import once
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain import access
from polyclinic.services.billing.domain.problems import NotYours, WrongState
from polyclinic.services.billing.domain.work import QUEUES, Waiting
from polyclinic.services.billing.store import work

PAGE, PAGE_MAX = 50, 200
_OUTCOME = re.compile(r"[a-z][a-z0-9-]{1,39}", re.ASCII)


class Outcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How it was dealt with: a code such as `paid-by-other`, never a sentence."""

    outcome: str


@dataclass(frozen=True, slots=True)
class Total:
    """What waits in one queue."""

    items: int
    amount: int
    oldest_days: int


@dataclass(frozen=True, slots=True)
class Page:
    """A page of one queue or of all, how many wait in each, how much, and since when."""

    items: list[Waiting]
    counts: dict[str, int]
    totals: dict[str, Total]
    following: UUID | None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which items are listed; None means any."""

    queue: str | None = None
    after: UUID | None = None
    limit: int = PAGE
    mine: bool = False
    subject: str | None = None


async def page(books: Books, asker: Asker, wanted: Filter) -> Page:
    """The oldest first. Whose items are shown is in the access log."""
    access.check_biller(asker.caller, "Account", "r")
    if wanted.queue is not None and wanted.queue not in QUEUES:
        raise Invalid(f"A queue is one of {', '.join(QUEUES)}.", place="queue")
    limit = min(max(wanted.limit, 1), PAGE_MAX)
    database, owner = books.running.database, asker.name if wanted.mine else None
    found = await work.list_open(
        database, wanted.queue, wanted.after, limit + 1, owner=owner, subject=wanted.subject
    )
    shown = found[:limit]
    totals = {
        row["queue"]: Total(row["items"], row["amount"], (asker.now - row["oldest"]).days)
        for row in await work.counts(database)
    }
    counts = {queue: totals[queue].items if queue in totals else 0 for queue in QUEUES}
    seen: dict[str, int] = {}
    for each in shown:
        if each.item.patient is not None:
            seen[each.item.patient] = seen.get(each.item.patient, 0) + 1
    await books.log_read(asker, "Account", seen)
    following = shown[-1].id if len(found) > limit else None
    return Page(shown, counts, totals, following)


async def take(books: Books, asker: Asker, item: UUID, key: Once | None) -> Stored:
    """The item is the asker's from now on; raises WrongState when somebody else has it."""

    async def act(tx: Transaction) -> tuple[int, object]:
        if not await work.take(tx, item, asker.name):
            raise WrongState("Somebody else has taken it, or it is done.", place="owner")
        return 200, {"item": str(item), "status": "taken"}

    return await _changed(books, asker, item, key, act)


async def release(books: Books, asker: Asker, item: UUID, key: Once | None) -> Stored:
    async def act(tx: Transaction) -> tuple[int, object]:
        if not await work.release(tx, item):
            raise WrongState("It is done already.", place="item")
        return 200, {"item": str(item), "status": "open"}

    return await _changed(books, asker, item, key, act)


async def done(books: Books, asker: Asker, item: UUID, asked: Outcome, key: Once | None) -> Stored:
    """Closes an item with a code for what became of it."""
    if not _OUTCOME.fullmatch(asked.outcome):
        raise Invalid("An outcome is a code such as paid-by-other.", place="outcome")

    async def act(tx: Transaction) -> tuple[int, object]:
        found = await work.find(tx, item)
        if found is not None and found.owner not in (None, asker.name):
            raise WrongState("Somebody else has taken it.", place="owner")
        if not await work.close_by_id(tx, item, asker.name, asked.outcome):
            raise WrongState("It is done already.", place="item")
        return 200, {"item": str(item), "status": "done"}

    return await _changed(books, asker, item, key, act)


async def _changed(
    books: Books, asker: Asker, item: UUID, key: Once | None, act: once.Act
) -> Stored:
    access.check_biller(asker.caller, "Account", "u")

    async def whole(tx: Transaction) -> tuple[int, object]:
        if await work.find(tx, item) is None:
            raise NotYours("There is no such item.", place="item")
        return await act(tx)

    return await books.carried(key, whole)

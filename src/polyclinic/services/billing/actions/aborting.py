"""Takes a charge back that was entered in error: the ledger is mirrored, nothing disappears."""

from dataclasses import replace
from uuid import UUID

import msgspec

from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.billing.actions import aligning, bookkeeping, estimating, opened, visits
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain import access, charge_items
from polyclinic.services.billing.domain.charges import ABORTED, TO_CODE, Charge, Visit
from polyclinic.services.billing.domain.claims import (
    ACCEPTED,
    APPEALED,
    CHECKED,
    DRAFT,
    SUBMITTED,
)
from polyclinic.services.billing.domain.ledger import Account, Entry, Line
from polyclinic.services.billing.domain.problems import NotYours, WrongState
from polyclinic.services.billing.domain.work import Item
from polyclinic.services.billing.store import charges, claims, ledger
from polyclinic.services.billing.store import visits as rows
from polyclinic.services.billing.store import work as queue

REASONS = bookkeeping.REASONS


class TakingBack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a charge is taken back: one of `REASONS`."""

    reason: str


class OnItsWay(WrongState):
    """Its claim is with the payer; wait for the answer, then correct the claim."""


async def abort(
    books: Books, asker: Asker, charge: UUID, asked: TakingBack, key: Once | None
) -> Stored:
    """Raises WrongState when it was aborted before, OnItsWay while a payer decides on it."""
    access.check_biller(asker.caller, "ChargeItem", "u")
    if asked.reason not in REASONS:
        raise Invalid(f"Say why: {', '.join(REASONS)}.", place="reason")

    async def act(tx: Transaction) -> tuple[int, object]:
        visit = await _visit_of(books, tx, charge)
        found = await _need(books, tx, charge)
        await _off_the_claim(tx, asker, visit, found)
        await charges.set_status(tx, [charge], ABORTED)
        await bookkeeping.post(books, tx, await _mirror(tx, charge, asker.name, asked.reason))
        gone = replace(found, status=ABORTED)
        await books.put(tx, asker, [charge_items.charge_item(gone, visit)])
        await estimating.compare(books, tx, visit.id, visit.patient, visit.day)
        is_empty = await _open_again(tx, visit)
        status = TO_CODE if is_empty else visit.status
        return 200, {"charge": str(charge), "status": ABORTED, "visit": status}

    return await books.carried(key, act)


async def _visit_of(books: Books, tx: Transaction, charge: UUID) -> Visit:
    """The visit is locked before its charges, as everywhere."""
    found = await charges.find_all(tx, [charge])
    if not found:
        raise NotYours("There is no such charge.", place="charge")
    return await visits.need(tx, books, found[0]["visit"])


async def _need(books: Books, tx: Transaction, charge: UUID) -> Charge:
    row = await charges.lock(tx, charge)
    if row is None:
        raise NotYours("There is no such charge.", place="charge")
    if row["status"] == ABORTED:
        raise WrongState("This charge was taken back before.", place="status")
    return (await opened.charges(books, [row]))[0]


async def _off_the_claim(tx: Transaction, asker: Asker, visit: Visit, charge: Charge) -> None:
    """A claim that is not sent yet goes on without it; a decided one is corrected by hand."""
    known = [each.id for each in await claims.of_visit(tx, visit.id)]
    for claim in (await claims.locked(tx, known)).values():
        lines = (await claims.lines(tx, [claim.id]))[claim.id]
        if charge.id not in {line.charge for line in lines}:
            continue
        if claim.status in (SUBMITTED, ACCEPTED, APPEALED):
            raise OnItsWay(place="claim")
        if claim.status in (DRAFT, CHECKED):
            left = [line for line in lines if line.charge != charge.id]
            await aligning.align(tx, asker.name, claim, left)


async def _mirror(tx: Transaction, charge: UUID, author: str, reason: str) -> list[Entry]:
    """The charge's own entry the other way round; a charge of nothing has none.

    Nor has one whose entry was reversed by hand before."""
    posted = await ledger.find(tx, f"charge/{charge}")
    if posted is None or await ledger.is_reversed(tx, posted["id"]):
        return []
    lines = tuple(
        Line(
            Account(row["account"], row["kind"]), -row["amount"], row["patient"], row["claim"],
            row["charge"], row["what"],
        )
        for row in await ledger.lines(tx, posted["id"])
    )  # fmt: skip
    source = f"charge-aborted/{charge}"
    return [Entry("charge aborted", source, author, lines, posted["id"], reason)]


async def _open_again(tx: Transaction, visit: Visit) -> bool:
    """A visit without any charge is to be coded anew, unless a payer knows the former ones."""
    left = [row for row in await charges.of_visit(tx, visit.id) if row["status"] != ABORTED]
    if left or any(each.status != DRAFT for each in await claims.of_visit(tx, visit.id)):
        return False
    await rows.save_coding(tx, visit.id, TO_CODE, None, None)
    await queue.open_item(tx, Item(visits.QUEUE, visits.subject(visit.id), visit.patient))
    return True

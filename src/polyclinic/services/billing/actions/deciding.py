"""What the staff do about a denial: appeal, give up what is left, or bill the patient."""

import re
from collections.abc import Sequence
from uuid import UUID

import msgspec

from polyclinic.foundation import ids
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.billing.actions import bookkeeping, estimating
from polyclinic.services.billing.actions.claiming import need
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain import access
from polyclinic.services.billing.domain.claims import APPEALED, WITH_PAYER, Claim, after
from polyclinic.services.billing.domain.ledger import (
    WRITTEN_OFF,
    About,
    Account,
    Entry,
    patient_account,
    payer_account,
    transfer,
)
from polyclinic.services.billing.domain.problems import WrongState
from polyclinic.services.billing.domain.remitting import spread
from polyclinic.services.billing.store import claims, ledger, publications, work
from polyclinic.services.billing.store.claims import Move, Told

# What stands in the ledger, readable, is a code and never a sentence.
_CODE = re.compile(r"(?:CO|CR|OA|PI|PR)-[0-9A-Z]{1,5}", re.ASCII)
# Why the clinic gives something up; a contract's own part was taken off with the remittance.
WRITE_OFF_REASONS = ("timely-filing", "small-balance", "courtesy", "not-collectable", "our-error")


class Appeal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the payer is told; sealed, and sent by whatever way the payer takes appeals."""

    note: str


async def appeal(
    books: Books, asker: Asker, claim: UUID, asked: Appeal, key: Once | None
) -> Stored:
    access.check_biller(asker.caller, "Claim", "u")
    if not 1 <= len(asked.note.strip()) <= 4000:
        raise Invalid("Say in 1 to 4000 characters why the payer should decide anew.", place="note")

    async def act(tx: Transaction) -> tuple[int, object]:
        found = await need(tx, claim)
        status = after("appeal", found.status)
        if await ledger.left_of_claim(tx, payer_account(found.payer), claim) <= 0:
            raise WrongState("Nothing of this claim is open with the payer.", place="status")
        where = ("claim-note", str(claim))
        sealed = await books.seal(found.patient, where, asked.note)
        await claims.move(tx, [Move(claim, status)])
        await claims.tell(tx, [Told(claim, status, "appealed", asker.name, None, sealed)])
        await work.close_item(tx, "denied", f"Claim/{claim}", asker.name, "appealed")
        return 200, {"claim": str(claim), "status": status}

    return await books.carried(key, act)


class Amount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much of what is left, and why; nothing said means all of it."""

    reason: str
    amount: int | None = None


async def write_off(
    books: Books, asker: Asker, claim: UUID, asked: Amount, key: Once | None
) -> Stored:
    """Gives up what the payer does not pay; only ever what is still open."""
    if asked.reason not in WRITE_OFF_REASONS:
        raise Invalid(f"Say why: {', '.join(WRITE_OFF_REASONS)}.", place="reason")
    return await _settle(books, asker, claim, asked, key, WRITTEN_OFF)


async def bill_patient(
    books: Books, asker: Asker, claim: UUID, asked: Amount, key: Once | None
) -> Stored:
    """What the payer does not cover becomes the patient's; `reason` is the payer's code."""
    if not _CODE.fullmatch(asked.reason):
        raise Invalid("Name the payer's reason, such as CO-96.", place="reason")
    return await _settle(books, asker, claim, asked, key, None)


async def _settle(
    books: Books, asker: Asker, claim: UUID, asked: Amount, key: Once | None, to: Account | None
) -> Stored:
    access.check_biller(asker.caller, "Claim", "u")

    async def act(tx: Transaction) -> tuple[int, object]:
        found = await need(tx, claim)
        if found.status in WITH_PAYER:
            raise WrongState("The payer still decides; wait for its answer.", place="status")
        owing = payer_account(found.payer)
        left = await ledger.left_of_claim(tx, owing, claim)
        amount = left if asked.amount is None else asked.amount
        if not 0 < amount <= left:
            raise WrongState(f"{left} of this claim is open; nothing else can be moved.",
                             place="amount")  # fmt: skip
        parts = spread(amount, await ledger.left_by_charge(tx, owing, claim))
        await bookkeeping.post(books, tx, [_entry(asker, found, parts, asked.reason, to)])
        await estimating.compare_all(books, tx, [found.visit])
        kind = "written off" if to is not None else "billed to the patient"
        await claims.tell(tx, [Told(claim, found.status, kind, asker.name)])
        await publications.add(tx, ["ExplanationOfBenefit"], [claim])
        if amount == left:
            await _end(tx, asker, found, kind)
        return 200, {"claim": str(claim), "amount": amount, "left": left - amount}

    return await books.carried(key, act)


async def _end(tx: Transaction, asker: Asker, claim: Claim, kind: str) -> None:
    """Nothing is left to ask the payer for, so nothing is appealed any more either."""
    await work.close_item(tx, "denied", f"Claim/{claim.id}", asker.name, kind)
    if claim.status == APPEALED:
        await claims.move(tx, [Move(claim.id, after("deny", claim.status))])


def _entry(
    asker: Asker,
    claim: Claim,
    parts: Sequence[tuple[UUID | None, int]],
    reason: str,
    to: Account | None,
) -> Entry:
    target = to or patient_account(claim.patient)
    kind = "write-off" if to is not None else "to-patient"
    lines = [
        line
        for charge, amount in parts
        for line in transfer(
            target,
            payer_account(claim.payer),
            amount,
            About(claim.patient, claim.id, charge, reason),
        )
    ]
    return Entry(kind, f"{kind}/{ids.new_uuid()}", asker.name, tuple(lines))

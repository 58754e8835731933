"""Claims before they are sent: begun with the charges, checked, corrected, authorized."""

import contextlib
import secrets
from collections.abc import Sequence
from uuid import UUID

import msgspec

from polyclinic.foundation import clock, ids
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Invalid, Unavailable
from polyclinic.foundation.once import Nothing, Once, Stored
from polyclinic.services.billing.actions import people
from polyclinic.services.billing.actions.describing import describe, findings
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain import access, checking
from polyclinic.services.billing.domain.charges import ABORTED, Charge, Visit
from polyclinic.services.billing.domain.claims import (
    CHECKED,
    DRAFT,
    PAID,
    Claim,
    ClaimLine,
    Finding,
    after,
)
from polyclinic.services.billing.domain.problems import NotYours, WrongState
from polyclinic.services.billing.domain.work import Item
from polyclinic.services.billing.store import charges as charge_rows
from polyclinic.services.billing.store import claims, work
from polyclinic.services.billing.store.claims import Move, Told

# 32 signs without those that people mix up; CLM01 says nothing about anybody.
_SIGNS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NUMBER_LENGTH = 12


def new_number() -> str:
    return "".join(secrets.choice(_SIGNS) for _ in range(NUMBER_LENGTH))


async def begin(
    books: Books, tx: Transaction, author: str, visit: Visit, payer: str, charged: Sequence[Charge]
) -> UUID | None:
    """A draft for a coded visit, in the transaction of its charges; none if there is one."""
    assert visit.coverage is not None
    now, total = clock.now(), sum(each.amount for each in charged)
    claim = Claim(
        ids.new_uuid(), new_number(), visit.id, visit.patient, payer, visit.coverage, DRAFT, 1,
        total, 0, books.settings.currency, None, 1, now, now,
    )  # fmt: skip
    lines = [ClaimLine(each.line, each.id, each.amount) for each in charged]
    if not await claims.add(tx, claim, lines):
        return None
    await charge_rows.set_status(tx, [each.id for each in charged], "billed")
    await claims.tell(tx, [Told(claim.id, DRAFT, "begun", author)])
    await work.open_item(tx, _item("to submit", claim))
    return claim.id


async def check(books: Books, asker: Asker, claim: UUID, _: Nothing, key: Once | None) -> Stored:
    """Asks every rule; with nothing missing the claim is checked, else it waits as a draft."""
    access.check_biller(asker.caller, "Claim", "u")
    await _know_person(books, asker, claim)

    async def act(tx: Transaction) -> tuple[int, object]:
        found = await need(tx, claim)
        said = await check_in(books, tx, asker.name, found)
        failed = sum(each.outcome == checking.FAILED for each in said)
        status = DRAFT if failed else CHECKED
        return 200, {"claim": str(claim), "status": status, "failed": failed, "rules": len(said)}

    return await books.carried(key, act)


async def _know_person(books: Books, asker: Asker, claim: UUID) -> None:
    """Copied from the chart before the transaction; without one the check says who is missing."""
    found = await claims.find(books.running.database, claim)
    if found is not None:
        with contextlib.suppress(Unavailable):
            await people.person_of(books, found.patient, asker.errand.token)


async def check_in(books: Books, tx: Transaction, author: str, claim: Claim) -> tuple[Finding, ...]:
    """Checks a locked claim and keeps what was found, sealed."""
    said = findings(books, await describe(books, claim, tx))
    failed = checking.has_failed(said)
    status = after("hold" if failed else "check", claim.status)
    sealed = await books.seal(claim.patient, ("claim-check", str(claim.id)), said)
    await claims.note_problems(tx, claim.id, sealed)
    await claims.move(tx, [Move(claim.id, status)])
    await claims.tell(tx, [Told(claim.id, status, "checked" if not failed else "held", author)])
    subject = f"Claim/{claim.id}"
    if failed:
        await work.close_item(tx, "to submit", subject, author, "held")
        await work.open_item(tx, _item("held", claim))
    else:
        await work.close_item(tx, "held", subject, author, "mended")
        await work.open_item(tx, _item("to submit", claim))
    return said


async def last_check(books: Books, claim: UUID) -> tuple[Finding, ...]:
    problems, _ = await claims.sealed(books.running.database, claim)
    if problems is None:
        return ()
    return await books.unseal(("claim-check", str(claim)), problems, tuple[Finding, ...])


class Authorization(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The number of a payer's prior authorization, as it goes into REF*G1."""

    number: str


async def authorize(
    books: Books, asker: Asker, claim: UUID, asked: Authorization, key: Once | None
) -> Stored:
    access.check_biller(asker.caller, "Claim", "u")
    if not 1 <= len(asked.number) <= 50 or not asked.number.isascii():
        raise Invalid("An authorization number has 1 to 50 plain characters.", place="number")

    async def act(tx: Transaction) -> tuple[int, object]:
        found = await need(tx, claim)
        if found.status not in (DRAFT, CHECKED):
            raise WrongState(place="status")
        where = ("claim-authorization", str(claim))
        await claims.authorize(tx, claim, await books.seal(found.patient, where, asked.number))
        await claims.tell(tx, [Told(claim, found.status, "authorized", asker.name)])
        return 200, {"claim": str(claim), "status": found.status}

    return await books.carried(key, act)


class Correction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Back to draft; `replaces` says that the payer has the former one (frequency 7)."""

    replaces: bool | None = None


async def correct(
    books: Books, asker: Asker, claim: UUID, asked: Correction, key: Once | None
) -> Stored:
    """What the payer rejected goes out anew; what it has decided on is replaced."""
    access.check_biller(asker.caller, "Claim", "u")

    async def act(tx: Transaction) -> tuple[int, object]:
        found = await need(tx, claim)
        status = after("correct", found.status)
        is_known = found.payer_number is not None
        replaces = is_known if asked.replaces is None else asked.replaces
        if replaces and not is_known:
            raise Invalid("The payer gave this claim no number yet.", place="replaces")
        lines = await _left(tx, found)
        await claims.set_frequency(tx, claim, 7 if replaces else 1, sum(x.amount for x in lines))
        await claims.move(tx, [Move(claim, status)])
        await claims.tell(tx, [Told(claim, status, "corrected", asker.name)])
        for queue in ("rejected", "denied"):
            await work.close_item(tx, queue, f"Claim/{claim}", asker.name, "corrected")
        await work.open_item(tx, _item("to submit", found))
        return 200, {"claim": str(claim), "status": status, "frequency": 7 if replaces else 1}

    return await books.carried(key, act)


async def _left(tx: Transaction, claim: Claim) -> list[ClaimLine]:
    """The lines whose charges still stand; each keeps its number, which the payer knows it by."""
    lines = (await claims.lines(tx, [claim.id]))[claim.id]
    rows = await charge_rows.find_all(tx, [line.charge for line in lines])
    gone = {row["id"] for row in rows if row["status"] == ABORTED}
    if claim.status == PAID and len(gone) == len(lines):
        raise WrongState("Nothing is left of this claim; let the payer void it.", place="lines")
    return [line for line in lines if line.charge not in gone]


async def need(tx: Transaction, claim: UUID) -> Claim:
    """The claim, locked; raises NotYours."""
    found = (await claims.locked(tx, [claim])).get(claim)
    if found is None:
        raise NotYours("There is no such claim.", place="claim")
    return found


def _item(queue: str, claim: Claim) -> Item:
    return Item(queue, f"Claim/{claim.id}", claim.patient, claim.payer, claim.total)

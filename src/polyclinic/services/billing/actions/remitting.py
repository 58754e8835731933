"""Posts remittances: every line to the ledger, whole files or nothing, and never twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from uuid import UUID

import msgspec

from polyclinic.contracts.billing import ClaimDecided
from polyclinic.foundation import ids
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.outbox import announce
from polyclinic.foundation.work import Pace, in_thread
from polyclinic.services.billing.actions import bookkeeping, estimating, opened
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain import documents
from polyclinic.services.billing.domain.claims import DECIDED, Claim, ClaimLine
from polyclinic.services.billing.domain.ledger import Entry
from polyclinic.services.billing.domain.received import Incoming, Received, told
from polyclinic.services.billing.domain.remitting import (
    Course,
    Decision,
    Known,
    decide,
    withheld,
)
from polyclinic.services.billing.domain.work import Item
from polyclinic.services.billing.store import charges as charge_rows
from polyclinic.services.billing.store import (
    claims,
    files,
    ledger,
    payers,
    publications,
    remittances,
    work,
)
from polyclinic.services.billing.store.claims import Move, Told
from polyclinic.services.billing.store.remittances import Posted, PostedLine
from polyclinic.standards.x12.remittance import ClaimPayment, Remittance, read_remittances

DETAILS_MAX = 1000  # claims that a PaymentReconciliation lists; the file itself has them all


@dataclass(frozen=True, slots=True)
class Payment:
    """A remittance that may be posted: by whom, and under which name and digest."""

    payer: str
    remittance: Remittance
    digest: bytes


async def take_remittances(books: Books, tx: Transaction, asker: Asker, came: Incoming) -> Received:
    """Holds the file when anything in it is wrong: nothing of it is posted then."""
    ours = (books.settings.clinic_npi, books.settings.clinic_tax_id)
    read = await in_thread(read_remittances, came.content, ours, books.settings.currency)
    if read.refused:
        return Received("held", told(read.refused))
    several = list[Payment]()
    for remittance in read.remittances:
        payer = await _payer(tx, came, remittance)
        if payer is None:
            return Received("held", "TRN03: no payer here signs with this id.")
        several.append(Payment(payer, remittance, _digest(remittance)))
    await remittances.hold(tx, [each.payer for each in several])
    payments = await _new(tx, several)
    if payments is None:
        return Received("held", "TRN02: this trace number was posted with another content.")
    lines = await _post_all(books, tx, asker, came.file, payments)
    known = len(several) - len(payments)
    return Received("taken", counts={"posted": len(payments), "known": known, "lines": lines})


async def _new(tx: Transaction, several: Sequence[Payment]) -> list[Payment] | None:
    """What was not posted before, here or further up in the file; none if two differ."""
    new, digests = list[Payment](), dict[tuple[str, str], bytes]()
    for each in several:
        name = (each.payer, each.remittance.trace_number)
        former = digests.get(name) or await remittances.digest_of(tx, *name)
        if former is None:
            new.append(each)
        elif former != each.digest:
            return None
        digests[name] = each.digest
    return new


def _digest(remittance: Remittance) -> bytes:
    """Of what it says, wherever it stands: the same advice in another file is the same."""
    plain = replace(remittance, control_number="", group_control_number="")
    return sha256(msgspec.json.encode(plain)).digest()


async def _payer(tx: Transaction, came: Incoming, remittance: Remittance) -> str | None:
    """TRN03 is the payer's id, or `1` and its tax id; a clearing house sends for its payers."""
    for name in (remittance.payer_id, remittance.payer_id[1:], came.sender):
        found = await payers.find_by_x12(tx, name)
        if found is not None:
            return found.id
    return None


async def _post_all(
    books: Books, tx: Transaction, asker: Asker, file: UUID, payments: Sequence[Payment]
) -> int:
    numbers = [each.claim_id for p in payments for each in p.remittance.claims]
    known = await _known(books, tx, numbers, payments)
    decided = [(each, ids.new_uuid(), await _decide_all(each, known)) for each in payments]
    entries = [entry for p, name, found in decided for entry in _entries(asker, p, name, found)]
    await bookkeeping.post(books, tx, entries)
    for payment, name, found in decided:
        await _keep(books, tx, (payment, name, file), found)
    decisions = [each for _, _, found in decided for each in found]
    await _move(tx, asker, file, known, decisions)
    await estimating.compare_all(books, tx, [each.claim.visit for each in known.values()])
    await books.put(tx, asker, [_reconciliation(books, *each) for each in decided])
    return sum(len(each.lines) for each in decisions)


async def _decide_all(payment: Payment, known: "Mapping[str, _Ours]") -> list[Decision]:
    pace, found = Pace(), list[Decision]()
    for each in payment.remittance.claims:
        found.append(_decide(payment.payer, each, known))
        await pace.step()
    return found


def _decide(payer: str, payment: ClaimPayment, known: "Mapping[str, _Ours]") -> Decision:
    ours = known.get(payment.claim_id)
    # Another payer's claim is not this one's to decide on.
    mine = ours.known if ours is not None and ours.claim.payer == payer else None
    return decide(payer, payment, mine)


@dataclass(frozen=True, slots=True)
class _Ours:
    claim: Claim
    known: Known


async def _known(
    books: Books, tx: Transaction, numbers: Sequence[str], payments: Sequence[Payment]
) -> dict[str, _Ours]:
    """Our claims of these numbers, locked, with their charges."""
    found = await claims.locked_by_number(tx, numbers)
    lines = await claims.lines(tx, [claim.id for claim in found.values()])
    unsure = _unsure(payments)
    named = [line.charge for c in found.values() if c.number in unsure for line in lines[c.id]]
    codes = {each.id: each.detail.code for each in
             await opened.charges(books, await charge_rows.find_all(tx, named))}  # fmt: skip
    return {
        number: _Ours(claim, _with_charges(claim, lines[claim.id], codes))
        for number, claim in found.items()
    }


def _unsure(payments: Sequence[Payment]) -> set[str]:
    """Claims with a line that does not say its control number: only they need their codes."""
    return {
        claim.claim_id
        for payment in payments
        for claim in payment.remittance.claims
        if any(not line.control_number for line in claim.lines)
    }


def _with_charges(claim: Claim, lines: Sequence[ClaimLine], codes: Mapping[UUID, str]) -> Known:
    charges = {line.line: (line.charge, line.amount, codes.get(line.charge, "")) for line in lines}
    return Known(claim.id, claim.number, claim.patient, claim.status, charges)


def _entries(asker: Asker, payment: Payment, name: UUID, found: Sequence[Decision]) -> list[Entry]:
    entries = [
        Entry("remittance", f"remittance/{name}/{n}", asker.name, decision.posted)
        for n, decision in enumerate(found, 1)
    ]
    kept_back = withheld(payment.payer, payment.remittance.provider_adjustments)
    return [*entries, Entry("withheld", f"remittance/{name}/plb", asker.name, kept_back)]


async def _keep(
    books: Books,
    tx: Transaction,
    what: tuple[Payment, UUID, UUID],
    found: Sequence[Decision],
) -> None:
    payment, name, file = what
    remittance = payment.remittance
    lines = [
        PostedLine(
            decision.claim.id if decision.claim else None, line.charge, line.charged, line.paid,
            line.patient_share, msgspec.json.encode(line.adjustments),
        )
        for decision in found
        for line in decision.lines
    ]  # fmt: skip
    posted = Posted(
        name, payment.payer, remittance.trace_number, remittance.paid, books.settings.currency,
        remittance.payment_date, len(lines), payment.digest, file,
    )  # fmt: skip
    await remittances.add(tx, posted, lines)


async def _move(
    tx: Transaction,
    asker: Asker,
    file: UUID,
    known: Mapping[str, _Ours],
    decisions: Sequence[Decision],
) -> None:
    """States, history, queues, events and documents of every claim that was decided on."""
    ours, courses = {each.claim.id: each.claim for each in known.values()}, dict[UUID, Course]()
    told_all, said = list[Told](), list[tuple[str, ClaimDecided]]()
    for decision in decisions:
        if decision.claim is None:
            continue
        claim = ours[decision.claim.id]
        course = courses.setdefault(claim.id, Course(claim.status))
        course.take(decision)
        told_all.append(Told(claim.id, course.status, decision.verb, asker.name, file))
        said.append(_said(claim, course.status, decision))
    moves = [Move(name, c.status, c.paid, c.payer_number) for name, c in courses.items()]
    await claims.move(tx, moves)
    await claims.tell(tx, told_all)
    await files.add_claims(tx, file, list(courses))
    await _queue(tx, asker, ours, courses)
    unknown = [decision.paid for decision in decisions if decision.claim is None]
    if unknown:
        item = Item("held", f"File/{file}", amount=sum(unknown), code="unknown claim")
        await work.open_item(tx, item)
    await announce(tx, *said)
    await publications.add(tx, ["ClaimResponse", "ExplanationOfBenefit"], list(courses))


async def _queue(
    tx: Transaction, asker: Asker, ours: Mapping[UUID, Claim], courses: Mapping[UUID, Course]
) -> None:
    """What a person must see is opened, and what waits for nobody any more is closed."""
    left = await ledger.left_of_claims(tx, list(courses))
    items = list[Item]()
    for name, course in sorted(courses.items()):
        claim, open_there = ours[name], left.get(name, 0)
        items += [
            Item(queue, f"Claim/{name}", claim.patient, claim.payer, amount, code)
            for queue, amount, code in course.waits(open_there)
        ]
        if claim.status in DECIDED and course.is_settled(open_there):
            await work.close_item(tx, "denied", f"Claim/{name}", asker.name, "decided anew")
    await work.open_item(tx, *items)


def _said(claim: Claim, status: str, decision: Decision) -> tuple[str, ClaimDecided]:
    return f"Claim/{claim.id}", ClaimDecided(
        claim=str(claim.id), patient=claim.patient.partition("/")[2], payer=claim.payer,
        status=status, paid=decision.paid, patient_share=decision.patient_share,
        currency=claim.currency,
    )  # fmt: skip


def _reconciliation(
    books: Books, payment: Payment, name: UUID, found: Sequence[Decision]
) -> documents.Resource:
    details = [(each.claim.id, each.paid) for each in found if each.claim][:DETAILS_MAX]
    return documents.payment_reconciliation(
        str(name), payment.remittance, books.settings.currency, details
    )

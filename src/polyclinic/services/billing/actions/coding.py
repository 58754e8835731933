"""Says what was done in a visit: diagnoses and lines become charges, in the ledger at once."""

from dataclasses import replace
from uuid import UUID

import msgspec

from polyclinic.contracts.billing import VisitCoded
from polyclinic.foundation import ids, outbox, work
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.billing.actions import aligning, bookkeeping, estimating, opened, visits
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain import access, charge_items, icd, money
from polyclinic.services.billing.domain.charges import (
    BILLABLE,
    CODED,
    DIAGNOSES_MAX,
    LINES_MAX,
    TO_CODE,
    Asked,
    Charge,
    Detail,
    Visit,
    check_diagnoses,
    check_lines,
)
from polyclinic.services.billing.domain.coverage import Coverage
from polyclinic.services.billing.domain.fees import fees_for
from polyclinic.services.billing.domain.ledger import (
    EARNED,
    About,
    Entry,
    patient_account,
    payer_account,
    transfer,
)
from polyclinic.services.billing.domain.problems import WrongState
from polyclinic.services.billing.store import charges, coverages, fees
from polyclinic.services.billing.store import visits as rows
from polyclinic.services.billing.store import work as queue


class CodingBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was done; without a coverage the first valid one pays, unless it is `self_pay`."""

    diagnoses: tuple[str, ...]
    lines: tuple[Asked, ...]
    coverage: UUID | None = None
    self_pay: bool = False


async def code_visit(
    books: Books, asker: Asker, visit: UUID, asked: CodingBody, key: Once | None
) -> Stored:
    """Keeps the charges and posts them; raises Invalid or NoFee, naming the line."""
    access.check_coder(asker.caller, "ChargeItem", "c")
    checked = await checked_coding(asked)

    async def act(tx: Transaction) -> tuple[int, object]:
        found = await visits.need(tx, books, visit)
        visits.check_own(asker, found)
        made = await code_in(books, tx, asker, found, checked)
        lines = [
            {"id": str(each.id), "line": each.line, "amount": each.amount, "units": each.units}
            for each in made
        ]
        total = {"amount": sum(each.amount for each in made), "currency": books.settings.currency}
        return 200, {"visit": str(visit), "status": CODED, "charges": lines, "total": total}

    return await books.carried(key, act)


async def checked_coding(asked: CodingBody) -> CodingBody:
    """Everything that can be said without the database."""
    known = await work.in_thread(icd.billable_codes)
    diagnoses = check_diagnoses(asked.diagnoses, known)
    check_lines(asked.lines, len(diagnoses))
    if asked.self_pay and asked.coverage is not None:
        raise Invalid("Either a coverage or self-pay.", place="coverage")
    return msgspec.structs.replace(asked, diagnoses=diagnoses)


async def code_in(
    books: Books, tx: Transaction, asker: Asker, visit: Visit, asked: CodingBody
) -> list[Charge]:
    """Codes a locked visit that is still to be coded."""
    if visit.status != TO_CODE:
        raise WrongState("This visit has been coded.", place="status")
    coverage = await _coverage(books, tx, visit, asked)
    coded = replace(
        visit, status=CODED, diagnoses=asked.diagnoses, coverage=coverage.id if coverage else None
    )
    made = await _charged(books, tx, asker, coded, coverage, asked.lines)
    await queue.close_item(tx, visits.QUEUE, visits.subject(visit.id), asker.name, CODED)
    told = VisitCoded(visit=str(visit.id), patient=visit.patient.partition("/")[2])
    await outbox.announce(tx, (visits.subject(visit.id), told))
    return made


async def add_in(
    books: Books, tx: Transaction, asker: Asker, visit: Visit, asked: CodingBody
) -> list[Charge]:
    """More lines for a locked visit that is coded; the insurance stays as it was chosen."""
    diagnoses = (*visit.diagnoses, *(d for d in asked.diagnoses if d not in visit.diagnoses))
    if len(diagnoses) > DIAGNOSES_MAX:
        raise Invalid(f"A visit has {DIAGNOSES_MAX} diagnoses at most.", place="diagnoses")
    numbers = {n: diagnoses.index(code) + 1 for n, code in enumerate(asked.diagnoses, 1)}
    lines = tuple(
        msgspec.structs.replace(line, pointers=tuple(numbers[n] for n in line.pointers))
        for line in asked.lines
    )
    coverage = None if visit.coverage is None else await opened.coverage(books, visit.coverage, tx)
    coded = replace(visit, diagnoses=diagnoses)
    return await _charged(books, tx, asker, coded, coverage, lines)


async def _charged(
    books: Books, tx: Transaction, asker: Asker, coded: Visit, coverage: Coverage | None,
    lines: tuple[Asked, ...],
) -> list[Charge]:  # fmt: skip
    """Keeps the visit as coded with new charges: rows, documents, postings and the claim."""
    sealed = await books.seal(coded.patient, ("visit", str(coded.id)), coded.diagnoses)
    await rows.save_coding(tx, coded.id, CODED, coded.coverage, sealed)
    before = await charges.of_visit(tx, coded.id)
    first = max((row["line"] for row in before), default=0) + 1
    if first + len(lines) > LINES_MAX + 1:
        raise Invalid(f"A visit has {LINES_MAX} lines at most.", place="lines")
    made = await _priced(books, tx, coded, lines, first)
    await keep(books, tx, asker, coded, made)
    await bookkeeping.post(books, tx, [_entry(each, coverage, asker.name) for each in made])
    if coverage is not None:
        await aligning.claim(books, tx, asker.name, coded, coverage.payer, made)
    await estimating.compare(books, tx, coded.id, coded.patient, coded.day)
    return made


async def _coverage(
    books: Books, tx: Transaction, visit: Visit, asked: CodingBody
) -> Coverage | None:
    if asked.self_pay:
        return None
    if asked.coverage is None:
        valid = await coverages.valid_on(tx, visit.patient, visit.day)
        return (await opened.coverages(books, valid[:1]))[0] if valid else None
    found = await opened.coverage(books, asked.coverage, tx)
    if found is None or found.patient != visit.patient or not found.is_valid_on(visit.day):
        raise Invalid("The patient has no such coverage on that day.", place="coverage")
    return found


async def _priced(
    books: Books, tx: Transaction, visit: Visit, lines: tuple[Asked, ...], first: int
) -> list[Charge]:
    """Prices by the clinic's own list of the day; an amount that was said stands for its line."""
    known = await fees.of_day(tx, None, visit.day, [line.code for line in lines])
    found = fees_for(known, [(line.code, line.modifiers) for line in lines])
    made: list[Charge] = []
    for n, (line, fee) in enumerate(zip(lines, found, strict=True)):
        amount = fee.amount * line.units if line.amount is None else line.amount
        detail = Detail(line.code, line.modifiers, line.pointers, fee.title)
        money.checked(amount, f"lines[{n}].amount")
        made.append(_charge(visit, first + n, line, (amount, books.settings.currency), detail))
    return made


def _charge(
    visit: Visit, number: int, line: Asked, price: tuple[int, str], detail: Detail
) -> Charge:
    amount, currency = price
    return Charge(
        ids.new_uuid(), visit.id, number, visit.patient, visit.day, amount, line.units, currency,
        BILLABLE, detail,
    )  # fmt: skip


async def keep(
    books: Books, tx: Transaction, asker: Asker, visit: Visit, made: list[Charge]
) -> None:
    """Rows and FHIR resources of new charges; the patient's Account with the first of them."""
    sealed = await books.seal_all(
        visit.patient, [(("charge", str(each.id)), each.detail) for each in made]
    )
    documents = [charge_items.charge_item(each, visit) for each in made]
    if not await charges.has_any(tx, visit.patient):
        documents.insert(0, charge_items.account(visit.patient))
    await charges.add(tx, made, sealed)
    await books.put(tx, asker, documents)


def _entry(charge: Charge, coverage: Coverage | None, author: str) -> Entry:
    """Whoever is asked first owes it: the insurer, or the patient."""
    owed_by = payer_account(coverage.payer) if coverage else patient_account(charge.patient)
    about = About(charge.patient, None, charge.id, "charge")
    lines = transfer(owed_by, EARNED, charge.amount, about)
    return Entry("charge", f"charge/{charge.id}", author, tuple(lines))

"""Says beforehand what a visit will cost, and looks afterwards whether it was so."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import msgspec

from polyclinic.foundation import clock, ids, work
from polyclinic.foundation.database import Row, Transaction
from polyclinic.foundation.errors import Invalid, NotProcessable
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.billing.actions import opened
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain import access, icd
from polyclinic.services.billing.domain.charges import (
    DIAGNOSES_MAX,
    Asked,
    check_diagnoses,
    check_lines,
)
from polyclinic.services.billing.domain.coverage import Coverage
from polyclinic.services.billing.domain.encounters import is_reference
from polyclinic.services.billing.domain.estimate import (
    GOOD_FAITH,
    INSURED,
    Content,
    Estimate,
    Expected,
    in_full,
    is_excess,
    shares,
)
from polyclinic.services.billing.domain.fees import fee_for, fees_for
from polyclinic.services.billing.domain.ledger import patient_account
from polyclinic.services.billing.domain.money import checked
from polyclinic.services.billing.domain.people import is_patient
from polyclinic.services.billing.domain.problems import NotYours
from polyclinic.services.billing.domain.work import Item
from polyclinic.services.billing.store import claims, coverages, estimates, fees
from polyclinic.services.billing.store import work as queue

QUEUE = "estimate"


class EstimateLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is expected to be done."""

    code: str
    modifiers: tuple[str, ...] = ()
    units: int = 1

    def asked(self) -> Asked:
        return Asked(self.code, self.modifiers, self.units)


class EstimateBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """For whom, when and what; an insured one takes the first valid coverage unless told."""

    patient: str
    kind: str
    for_day: date
    lines: tuple[EstimateLine, ...]
    diagnoses: tuple[str, ...] = ()
    coverage: UUID | None = None
    practitioner: str = ""


async def estimate(books: Books, asker: Asker, asked: EstimateBody, key: Once | None) -> Stored:
    """Keeps an estimate; raises Invalid or NoFee, naming the line."""
    access.check_coder(asker.caller, "ChargeItem", "c")
    diagnoses = await _checked(books, asked)

    async def act(tx: Transaction) -> tuple[int, object]:
        coverage = await _coverage(books, tx, asked)
        lines = await _expected(tx, asked, coverage)
        allowed = [line.allowed for line in lines]
        parts = shares(allowed, coverage.terms) if coverage else in_full(allowed)
        content = Content(
            diagnoses, tuple(lines), tuple(parts), asked.practitioner, await _npi(books, tx, asked)
        )
        made = Estimate(
            ids.new_uuid(), asked.patient, asked.kind, coverage.id if coverage else None,
            asked.for_day, sum(line.charge for line in lines), sum(part.total for part in parts),
            books.settings.currency, asker.name, clock.now(), content,
        )  # fmt: skip
        sealed = await books.seal(made.patient, ("estimate", str(made.id)), content)
        await estimates.add(tx, made, sealed)
        return 201, {
            "estimate": str(made.id),
            "total": {"amount": made.total, "currency": made.currency},
            "share": {"amount": made.share, "currency": made.currency},
            "valid_until": made.valid_until.isoformat(),
        }

    return await books.carried(key, act)


async def _checked(books: Books, asked: EstimateBody) -> tuple[str, ...]:
    if not is_patient(asked.patient):
        raise Invalid("That is no patient's id.", place="patient")
    if asked.kind not in (GOOD_FAITH, INSURED):
        raise Invalid(f"An estimate is {GOOD_FAITH} or {INSURED}.", place="kind")
    if asked.for_day < books.today():
        raise Invalid("An estimate is for a day to come.", place="for_day")
    if asked.practitioner and not is_reference(asked.practitioner):
        raise Invalid("That is no practitioner's id.", place="practitioner")
    if asked.kind == GOOD_FAITH and asked.coverage is not None:
        raise Invalid("A good-faith estimate is for who pays without insurance.", place="coverage")
    if len(asked.diagnoses) > DIAGNOSES_MAX:
        raise Invalid(f"At most {DIAGNOSES_MAX} diagnoses.", place="diagnoses")
    check_lines([line.asked() for line in asked.lines], 1)
    if not asked.diagnoses:
        return ()
    return check_diagnoses(asked.diagnoses, await work.in_thread(icd.billable_codes))


async def _coverage(books: Books, tx: Transaction, asked: EstimateBody) -> Coverage | None:
    if asked.kind == GOOD_FAITH:
        return None
    valid = await opened.coverages(
        books, await coverages.valid_on(tx, asked.patient, asked.for_day)
    )
    if asked.coverage is not None:
        valid = [each for each in valid if each.id == asked.coverage]
    if not valid:
        raise NotProcessable("The patient has no such coverage on that day.", place="coverage")
    return valid[0]


async def _expected(
    tx: Transaction, asked: EstimateBody, coverage: Coverage | None
) -> list[Expected]:
    """The clinic's charges of that day, and what the insurer allows of them."""
    codes = [line.code for line in asked.lines]
    own = await fees.of_day(tx, None, asked.for_day, codes)
    theirs = await fees.of_day(tx, coverage.payer, asked.for_day, codes) if coverage else {}
    found = fees_for(own, [(line.code, line.modifiers) for line in asked.lines])
    made: list[Expected] = []
    for n, (line, fee) in enumerate(zip(asked.lines, found, strict=True)):
        charge = checked(fee.amount * line.units, f"lines[{n}].units")
        allowed = fee_for(theirs, line.code, line.modifiers)
        most = charge if allowed is None else min(charge, allowed.amount * line.units)
        known = (line.code, line.modifiers, fee.title, line.units)
        made.append(Expected(*known, charge, most, allowed is not None))
    return made


async def _npi(books: Books, tx: Transaction, asked: EstimateBody) -> str:
    """The clinician's own number where it is known, else the clinic's."""
    found = await claims.provider(tx, asked.practitioner) if asked.practitioner else None
    return found["npi"] if found is not None else books.settings.clinic_npi


async def compare(books: Books, tx: Transaction, visit: UUID, patient: str, day: date) -> None:
    """Holds what the patient was asked for against the estimate of the visit.

    Called whenever that changes: when the visit is coded, and with each decision of an insurer.
    """
    await estimates.tie(tx, visit, patient, day)
    found = await estimates.of_visit(tx, visit)
    if found is None:
        return
    billed = await estimates.asked(tx, visit, patient_account(patient).name)
    flagged = is_excess(billed, found["share"], books.settings.estimate_excess)
    await estimates.set_billed(tx, found["id"], billed, flagged=flagged)
    subject = f"Estimate/{found['id']}"
    if flagged:
        excess = billed - found["share"]
        await queue.open_item(tx, Item(QUEUE, subject, patient, None, excess, "excess"))
    elif found["flagged"]:
        await queue.close_item(tx, QUEUE, subject, "billing", "no longer in excess")


async def compare_all(books: Books, tx: Transaction, visits: Sequence[UUID]) -> None:
    """The same for visits that payers have decided on; most of them had no estimate."""
    for row in await estimates.with_estimate(tx, visits):
        await compare(books, tx, row["id"], row["patient"], row["day"])


async def one(books: Books, asker: Asker, name: UUID) -> Estimate:
    """For billers, the clinician who made it, and its patient; the desk need not know why."""
    access.check_scope(asker.caller, "ChargeItem", "r")
    row = await estimates.find(books.running.database, name)
    if row is None:
        raise NotYours("There is no such estimate.", place="estimate")
    if not _may_see(asker, row):
        await books.log_denied(asker, "ChargeItem", row["patient"])
        raise NotYours("There is no such estimate.", place="estimate")
    found = (await _opened(books, [row]))[0]
    await books.log_read(asker, "ChargeItem", {found.patient: 1})
    return found


async def of_patient(books: Books, asker: Asker, patient: str) -> list[Estimate]:
    access.check_scope(asker.caller, "ChargeItem", "s")
    role = asker.caller.role
    if role not in access.CODERS and (role != "patient" or asker.caller.person != patient):
        await books.log_denied(asker, "ChargeItem", patient)
        raise NotYours("There is no such patient of yours.", place="patient")
    rows = await estimates.of_patient(books.running.database, patient)
    mine = [row for row in rows if _may_see(asker, row)]
    if len(mine) < len(rows):
        await books.log_denied(asker, "ChargeItem", patient)
    found = await _opened(books, mine)
    await books.log_read(asker, "ChargeItem", {patient: len(found)})
    return found


def _may_see(asker: Asker, row: Row) -> bool:
    caller = asker.caller
    return (
        caller.role in access.BILLERS
        or (caller.role == "patient" and caller.person == row["patient"])
        or (caller.role == "clinician" and row["author"] == asker.name)
    )


async def _opened(books: Books, rows: Sequence[Row]) -> list[Estimate]:
    sealed = [(("estimate", str(row["id"])), row["sealed"]) for row in rows]
    contents = await books.unseal_all(sealed, Content)
    return [_estimate(row, content) for row, content in zip(rows, contents, strict=True)]


def _estimate(row: Row, content: Content) -> Estimate:
    return Estimate(
        row["id"], row["patient"], row["kind"], row["coverage"], row["for_day"], row["total"],
        row["share"], row["currency"], row["author"], row["made"], content, row["visit"],
        row["billed"], row["flagged"],
    )  # fmt: skip

"""Who insures whom: told at the desk or taken from the chart, and ended."""

from datetime import date, timedelta
from uuid import UUID

import msgspec

from polyclinic.foundation import ids
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Conflict, Invalid, NotProcessable
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.billing.actions import opened
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain import access
from polyclinic.services.billing.domain.coverage import (
    Coverage,
    Member,
    Terms,
    check_member,
    check_terms,
)
from polyclinic.services.billing.domain.payers import Payer, fits
from polyclinic.services.billing.domain.people import Person, is_patient, person_of_chart
from polyclinic.services.billing.domain.problems import NotYours, WrongState
from polyclinic.services.billing.domain.taking import Found, found_in_chart
from polyclinic.services.billing.store import coverages, payers


class AlreadyCovered(Conflict):
    """Another coverage of this rank is valid in that time; end it first."""


class CoverageBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An insurance as the desk reads it from the card; amounts in minor units."""

    patient: str
    payer: str
    from_day: date
    until_day: date | None = None
    rank: int = 1
    member_id: str
    group_number: str = ""
    relationship: str = "self"
    subscriber: Person | None = None
    copay: int = 0
    deductible_left: int = 0
    coinsurance_bp: int = 0
    out_of_pocket_left: int | None = None

    def coverage(self) -> Coverage:
        terms = Terms(
            self.copay, self.deductible_left, self.coinsurance_bp, self.out_of_pocket_left
        )
        member = Member(self.member_id, self.group_number, self.relationship, self.subscriber)
        return Coverage(
            ids.new_uuid(), self.patient, self.payer, self.rank, self.from_day, self.until_day,
            member, terms,
        )  # fmt: skip


async def open_coverage(
    books: Books, asker: Asker, asked: CoverageBody, key: Once | None
) -> Stored:
    """Keeps an insurance; raises Invalid, naming the field, or AlreadyCovered."""
    access.check_desk(asker.caller, "Coverage", "c")
    made = asked.coverage()
    _check(books, made)

    async def act(tx: Transaction) -> tuple[int, object]:
        payer = await payers.find(tx, made.payer)
        if payer is None:
            raise Invalid("There is no such payer.", place="payer")
        if not fits(payer.rules.member_id_pattern, made.member_id):
            raise NotProcessable("This payer's member ids look different.", place="member_id")
        await coverages.lock(tx, made.patient)
        if not await _has_room(tx, made):
            raise AlreadyCovered(place="rank")
        await _add(books, tx, made)
        return 201, {"coverage": str(made.id), "status": "active"}

    return await books.carried(key, act)


def _check(books: Books, made: Coverage) -> None:
    if not is_patient(made.patient):
        raise Invalid("That is no patient's id.", place="patient")
    if not 1 <= made.rank <= 9:
        raise Invalid("A rank is 1 to 9; 1 pays first.", place="rank")
    if made.until_day is not None and made.until_day < made.from_day:
        raise Invalid("It ends before it begins.", place="until_day")
    check_member(made.member, books.today())
    check_terms(made.terms)


async def _has_room(tx: Transaction, made: Coverage) -> bool:
    """Two of one rank on one day would leave open who pays first."""
    for row in await coverages.of_patient(tx, made.patient):
        begins_later = made.until_day is not None and row["from_day"] > made.until_day
        ended_before = row["until_day"] is not None and row["until_day"] < made.from_day
        if row["rank"] == made.rank and not (begins_later or ended_before):
            return False
    return True


async def _add(books: Books, tx: Transaction, made: Coverage) -> None:
    sealed = await books.seal(made.patient, ("coverage", str(made.id)), made.member)
    await coverages.add(tx, made, sealed)


class End(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last day on which it is valid."""

    until_day: date


async def end_coverage(
    books: Books, asker: Asker, coverage: UUID, asked: End, key: Once | None
) -> Stored:
    access.check_desk(asker.caller, "Coverage", "u")

    async def act(tx: Transaction) -> tuple[int, object]:
        row = await coverages.find(tx, coverage)
        if row is None:
            raise NotYours("There is no such coverage.", place="coverage")
        # A coverage that never was valid ends on the day before it would have begun.
        if asked.until_day < row["from_day"] - timedelta(days=1):
            raise Invalid("It would end before it began.", place="until_day")
        if not await coverages.end(tx, coverage, max(asked.until_day, row["from_day"])):
            raise WrongState("This coverage has ended already.", place="coverage")
        return 200, {"coverage": str(coverage), "status": "ended"}

    return await books.carried(key, act)


class NewTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the patient pays from now on."""

    copay: int
    deductible_left: int
    coinsurance_bp: int
    out_of_pocket_left: int | None


async def set_terms(
    books: Books, asker: Asker, coverage: UUID, asked: NewTerms, key: Once | None
) -> Stored:
    """The year goes on, and what is left of a deductible with it."""
    access.check_desk(asker.caller, "Coverage", "u")
    terms = Terms(
        asked.copay, asked.deductible_left, asked.coinsurance_bp, asked.out_of_pocket_left
    )
    check_terms(terms)

    async def act(tx: Transaction) -> tuple[int, object]:
        if not await coverages.set_terms(tx, coverage, terms):
            raise NotYours("There is no such coverage, or it has ended.", place="coverage")
        return 200, {"coverage": str(coverage), "status": "active"}

    return await books.carried(key, act)


async def of_patient(books: Books, asker: Asker, patient: str) -> list[Coverage]:
    """All of a patient's, the valid ones first; who looked is in the access log."""
    access.check_own(asker.caller, patient, "Coverage", "s")
    found = await opened.coverages(
        books, await coverages.of_patient(books.running.database, patient)
    )
    await books.log_read(asker, "Coverage", {patient: len(found)})
    return found


class Taking(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose chart is asked."""

    patient: str


async def take_from_chart(books: Books, asker: Asker, asked: Taking, key: Once | None) -> Stored:
    """Keeps what the chart says of insurance and billing did not know; says why not the rest."""
    access.check_desk(asker.caller, "Coverage", "c")
    if not is_patient(asked.patient):
        raise Invalid("That is no patient's id.", place="patient")
    if not books.charts.is_installed:
        raise NotProcessable("There is no records service here to take it from.", place="records")
    token = asker.errand.token
    known = await payers.list_all(books.running.database)
    resources = await books.charts.coverages(asked.patient, token)
    found = [await _read(books, each, asked.patient, known, token) for each in resources]

    async def act(tx: Transaction) -> tuple[int, object]:
        await coverages.lock(tx, asked.patient)
        rows = await coverages.of_patient(tx, asked.patient)
        here = {(each.payer, each.member_id) for each in await opened.coverages(books, rows)}
        taken, left = list[str](), list[str]()
        for each in found:
            reason = await _take(books, tx, each, here)
            if reason:
                left.append(reason)
            elif each.coverage is not None:
                taken.append(str(each.coverage.id))
                here.add((each.coverage.payer, each.coverage.member_id))
        return 200, {"taken": taken, "left": left}

    return await books.carried(key, act)


async def _take(books: Books, tx: Transaction, found: Found, here: set[tuple[str, str]]) -> str:
    """Empty when it was taken, else why not."""
    made = found.coverage
    if made is None:
        return found.reason
    if (made.payer, made.member_id) in here:
        return "known"
    try:
        _check(books, made)
    except Invalid:
        return "incomplete"
    if not await _has_room(tx, made):
        return "another of the same rank"
    await _add(books, tx, made)
    return ""


async def _read(
    books: Books, resource: dict[str, object], patient: str, known: list[Payer], token: str
) -> Found:
    """A Coverage of the chart; another's subscriber is asked for, if it is a patient."""
    found = found_in_chart(ids.new_uuid(), resource, patient, known, books.today())
    if not found.subscriber:
        return found
    chart = await books.charts.read(found.subscriber, token)
    person = None if chart is None else person_of_chart(chart)
    return found.insured_by(person)

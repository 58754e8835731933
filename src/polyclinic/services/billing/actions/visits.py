"""Visits come to billing: from an appointment, from the chart, or by hand; each of them once."""

from datetime import date
from hashlib import blake2b
from uuid import UUID

import msgspec

from polyclinic.foundation import ids
from polyclinic.foundation.database import Row, Transaction
from polyclinic.foundation.errors import Forbidden, Invalid
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.billing.actions import opened
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain import access, encounters
from polyclinic.services.billing.domain.charges import NOT_BILLABLE, TO_CODE, Charge, Visit
from polyclinic.services.billing.domain.encounters import Came
from polyclinic.services.billing.domain.people import is_patient
from polyclinic.services.billing.domain.problems import NotYours, WrongState
from polyclinic.services.billing.domain.work import Item
from polyclinic.services.billing.store import relations, visits, work

QUEUE = "to code"


def subject(visit: UUID) -> str:
    return f"Visit/{visit}"


async def open_visit(books: Books, tx: Transaction, came: Came) -> tuple[UUID, bool]:
    """A visit and whether it is new; an encounter of a known appointment is the same visit."""
    known = await visits.known(tx, came.names)
    if known:
        kept = _best(known, came)
        if came.encounter is not None and all(row["encounter"] is None for row in known):
            await visits.tie(tx, kept["id"], came.encounter)
        await _drop_doubles(tx, [row for row in known if row["id"] != kept["id"]])
        return kept["id"], False
    visit = Visit(
        ids.new_uuid(), came.source, came.patient, came.practitioner, came.day,
        encounter=came.encounter,
    )  # fmt: skip
    if not await visits.add(tx, visit):
        # Another replica was first: what it keeps is what there is.
        return (await visits.known(tx, came.names))[0]["id"], False
    await relate(books, tx, visit)
    await work.open_item(tx, Item(QUEUE, subject(visit.id), visit.patient))
    return visit.id, True


def _best(known: list[Row], came: Came) -> Row:
    """The one that was worked on, else the appointment's."""
    return min(known, key=lambda row: (row["status"] == TO_CODE, row["source"] != came.source))


async def _drop_doubles(tx: Transaction, doubles: list[Row]) -> None:
    """The chart tied two visits together later: what nobody has coded is no visit of its own."""
    for row in doubles:
        if row["status"] == TO_CODE:
            await visits.save_coding(tx, row["id"], NOT_BILLABLE, None, None)
            await work.close_item(tx, QUEUE, subject(row["id"]), "billing", "same visit")


async def relate(books: Books, tx: Transaction, visit: Visit) -> None:
    """Opens the patient's charges to the clinician of the visit, at the FHIR door."""
    if not visit.practitioner:
        return
    person = books.server.store.terms.person
    source = blake2b(subject(visit.id).encode(), digest_size=16).digest()
    await relations.add(tx, person(visit.practitioner), person(visit.patient), source)


class VisitBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A visit by hand; with an appointment or encounter it is the one that they tell of."""

    patient: str
    day: date
    practitioner: str | None = None
    appointment: str | None = None
    encounter: str | None = None


async def open_by_hand(books: Books, asker: Asker, asked: VisitBody, key: Once | None) -> Stored:
    """Clinicians open their own visits, billers anybody's."""
    access.check_coder(asker.caller, "ChargeItem", "c")
    came = _came(books, asker, asked)

    async def act(tx: Transaction) -> tuple[int, object]:
        visit, is_new = await open_visit(books, tx, came)
        row = await visits.find(tx, visit)
        if row is None or row["patient"] != came.patient:
            raise Invalid("That appointment is somebody else's.", place="patient")
        return (201 if is_new else 200), {"visit": str(visit), "status": row["status"]}

    return await books.carried(key, act)


def _came(books: Books, asker: Asker, asked: VisitBody) -> Came:
    if not is_patient(asked.patient):
        raise Invalid("That is no patient's id.", place="patient")
    if asked.day > books.today():
        raise Invalid("A visit that is still to come has no charges.", place="day")
    practitioner = asked.practitioner or asker.caller.person or ""
    if asker.caller.role == "clinician" and practitioner != asker.caller.person:
        raise Forbidden("Clinicians open their own visits.", place="practitioner")
    if asked.practitioner is not None and not encounters.is_reference(asked.practitioner):
        raise Invalid("That is no practitioner's id.", place="practitioner")
    for place, name in (("appointment", asked.appointment), ("encounter", asked.encounter)):
        if name is not None and not encounters.is_reference(name, place.capitalize()):
            raise Invalid(f"That is no {place}'s id.", place=place)
    source = asked.appointment or asked.encounter or f"Hand/{ids.new_uuid()}"
    is_clinician = practitioner.startswith("Practitioner/")
    return Came(
        source, asked.patient, practitioner if is_clinician else "", asked.day, asked.encounter
    )


async def need(tx: Transaction, books: Books, visit: UUID) -> Visit:
    """The visit, locked; raises NotYours."""
    row = await visits.lock(tx, visit)
    if row is None:
        raise NotYours("There is no such visit.", place="visit")
    return (await opened.visits(books, [row]))[0]


def check_own(asker: Asker, visit: Visit) -> None:
    """A clinician codes the visits of their own."""
    if asker.caller.role == "clinician" and visit.practitioner != asker.caller.person:
        raise NotYours("There is no such visit of yours.", place="visit")


async def shown(books: Books, asker: Asker, visit: UUID) -> tuple[Visit, list[Charge]]:
    """A visit with its charges: for billers, its clinician and its patient; not for the desk."""
    access.check_scope(asker.caller, "ChargeItem", "r")
    found = await opened.visit(books, visit)
    if found is None:
        raise NotYours("There is no such visit.", place="visit")
    role, person = asker.caller.role, asker.caller.person
    mine = (role == "patient" and person == found.patient) or (
        role == "clinician" and person == found.practitioner
    )
    if role not in access.BILLERS and not mine:
        await books.log_denied(asker, "ChargeItem", found.patient)
        raise NotYours("There is no such visit.", place="visit")
    charges = await opened.charges_of_visit(books, visit)
    await books.log_read(asker, "ChargeItem", {found.patient: max(len(charges), 1)})
    return found, charges


class NotBillable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why nothing is charged: a word of `NOT_BILLABLE_REASONS`."""

    reason: str


NOT_BILLABLE_REASONS = ("no-show", "duplicate", "courtesy", "follow-up-included", "other")


async def set_aside(
    books: Books, asker: Asker, visit: UUID, asked: NotBillable, key: Once | None
) -> Stored:
    """Nothing is charged for this visit; its item is closed with the reason."""
    access.check_coder(asker.caller, "ChargeItem", "u")
    if asked.reason not in NOT_BILLABLE_REASONS:
        raise Invalid(f"Say why: {', '.join(NOT_BILLABLE_REASONS)}.", place="reason")

    async def act(tx: Transaction) -> tuple[int, object]:
        found = await need(tx, books, visit)
        check_own(asker, found)
        if found.status != TO_CODE:
            raise WrongState(place="status")
        await visits.save_coding(tx, visit, NOT_BILLABLE, None, None)
        await work.close_item(tx, QUEUE, subject(visit), asker.name, asked.reason)
        return 200, {"visit": str(visit), "status": NOT_BILLABLE}

    return await books.carried(key, act)

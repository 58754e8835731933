"""Bookings of other systems: taken in by appointments' own rules, or kept as plain documents."""

from datetime import datetime
from uuid import UUID

from polyclinic.contracts.appointments import elsewhere_id
from polyclinic.foundation import ids
from polyclinic.services.integration.actions.effecting import charting, others, who
from polyclinic.services.integration.actions.effecting.work import Resource, Waits, Work
from polyclinic.services.integration.domain.intents import (
    Book,
    Cancel,
    Document,
    Keep,
    Miss,
    Move,
    Visit,
    Void,
)
from polyclinic.services.integration.domain.keeping import is_older
from polyclinic.services.integration.gateways import appointments
from polyclinic.services.integration.gateways.asking import Refused
from polyclinic.services.integration.store import effecting as rows

Booking = Book | Move | Cancel | Miss
# From a state to another in the words of appointments' own door.
_VERBS: dict[str, tuple[str, ...]] = {
    "arrived": ("arrive",),
    "checked-in": ("check-in",),
    "fulfilled": ("arrive", "fulfil"),
    "noshow": ("no-show",),
    "cancelled": ("cancel",),
    "entered-in-error": ("cancel",),
}
_AFTER = {"arrive": "arrived", "check-in": "checked-in", "fulfil": "fulfilled",
          "no-show": "noshow", "cancel": "cancelled"}  # fmt: skip
_SAID = {
    "PlaceTaken": "That time is taken here by somebody else.",
    "AlreadyThere": "The patient has another appointment here at that time.",
    "Anothers": "The same booking was somebody else's before.",
    "WrongState": "The appointment here is in a state from which this cannot be done.",
    "NotYet": "The visit has not begun yet.",
}


async def book(work: Work, intent: Booking) -> None:
    """Raises Waits where a person has to see to it: nobody is booked into two places."""
    if not appointments.is_installed(work.running):
        await _as_document(work, intent)
        return
    name = elsewhere_id(_source(intent.visit, work.channel), intent.visit.key)
    place, rank = f"Appointment/{name}", intent.visit.rank
    known = await rows.ranks(work.running.database, [place])
    if is_older(rank, known.get(place, ())):
        work.did(place, "unchanged")
        return
    try:
        await _tell(work, intent, name)
    except Refused as refused:
        raise _waits(refused) from refused
    await rows.confirm(work.running.database, place, rank)


def _source(visit: Visit, channel: str) -> str:
    return next((each.system for each in visit.identifiers if each.system), channel) or "elsewhere"


async def _tell(work: Work, intent: Booking, name: UUID) -> None:
    if isinstance(intent, Book | Move):
        found = await _take_in(work, intent, name)
        status = intent.visit.status
    else:
        status = "noshow" if isinstance(intent, Miss) else "cancelled"
        found = await appointments.find(work.running, name)
        if found is None:
            return  # it was never here; that it is off is remembered by its rank
        await _check_whose(work, intent, found["patient"])
        work.patients[found["patient"]] = None
    for verb in _VERBS.get(status, ()):
        if found["status"] not in (_AFTER[verb], status):
            found = await appointments.change(work.running, name, verb, str(ids.new_uuid()))
            work.did(f"Appointment/{name}", "updated", str(found["version"]))
    if not any(each == f"Appointment/{name}" for each, _ in work.effects):
        work.did(f"Appointment/{name}", "unchanged", str(found["version"]))


async def _check_whose(work: Work, intent: Cancel | Miss, patient: str) -> None:
    """A number that was used again for somebody else must not take their place from them."""
    if intent.person is None:
        return
    meant = await who.find(work, intent.person, may_create=False)
    if await who.stands_for(work, patient) != meant.patient:
        raise Waits("wrong patient", "The booking with this number here is another patient's.")


async def _take_in(work: Work, intent: Book | Move, name: UUID) -> Resource:
    """Every request has a key of its own: the booking's number makes it the same booking."""
    if intent.person is None:
        raise Waits("person", "The booking names no patient.")
    patient = await who.find(work, intent.person, may_create=intent.create_person)
    if patient.resource is None:
        await charting.keep(work, Keep(intent.person, create_person=True))
    visit = intent.visit
    practitioner = await others.practitioner(work, visit.practitioners)
    if practitioner is None:
        raise Waits("directory", "Nobody here is known by the practitioner's number.")
    booking: Resource = {
        "source": _source(visit, work.channel),
        "key": visit.key,
        "patient": patient.patient,
        "practitioner": practitioner,
        "start": visit.start,
        "minutes": _minutes(visit),
        "visit_type": await others.visit_type(work, visit.service),
        "site": await others.site(work, visit.places),
        "reason": visit.reason[:1000] or None,
        "comment": visit.comment[:1000] or None,
    }
    before = await appointments.find(work.running, name)
    made, is_new = await appointments.take_in(work.running, booking, str(ids.new_uuid()))
    is_same = before is not None and before["version"] == made["version"]
    what = "created" if is_new else "unchanged" if is_same else "updated"
    work.did(f"Appointment/{made['id']}", what, str(made["version"]))
    return made


def _status(intent: Cancel | Miss) -> str:
    if isinstance(intent, Miss):
        return "noshow"
    return "entered-in-error" if intent.in_error else "cancelled"


def _minutes(visit: Visit) -> int:
    if visit.minutes:
        return visit.minutes
    try:
        begins, ends = datetime.fromisoformat(visit.start), datetime.fromisoformat(visit.end)
    except ValueError:
        raise Waits("booking", "The booking does not say when it is.") from None
    return int((ends - begins).total_seconds()) // 60


def _waits(refused: Refused) -> Exception:
    if refused.kind in _SAID:
        return Waits("booking", _SAID[refused.kind])
    if refused.kind == "NotOffered":
        where = refused.place or "place"
        return Waits("directory", f"The clinic's week has no such {where.replace('_', ' ')}.")
    return refused


async def _as_document(work: Work, intent: Booking) -> None:
    """Where nobody keeps a calendar, the Appointment is a document like any other."""
    if intent.person is None and not isinstance(intent, Book | Move):
        status = _status(intent)
        await charting.void(
            work, Void("Appointment", intent.visit.key, status, None, intent.visit.rank)
        )
        return
    if intent.person is None:
        raise Waits("person", "The booking names no patient.")
    resource = intent.resource
    if not isinstance(intent, Book | Move):
        resource = {**resource, "status": _status(intent)}
    document = Document("Appointment", intent.visit.key, resource, (), intent.visit.rank)
    may_create = isinstance(intent, Book | Move) and intent.create_person
    await charting.keep(work, Keep(intent.person, (document,), create_person=may_create))

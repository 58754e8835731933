"""Books: many at once in one statement, shared and overbooked visits one by one."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from uuid import UUID

from polyclinic.foundation import ids
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.once import Once, Stored
from polyclinic.foundation.outbox import announce
from polyclinic.services.appointments.actions import keeping, shown
from polyclinic.services.appointments.actions.batches import Batched, Lost
from polyclinic.services.appointments.actions.finding import (
    begins_at,
    nearest_to,
    offered_at,
    site_of,
)
from polyclinic.services.appointments.actions.freeing import end_holds
from polyclinic.services.appointments.actions.keeping import Kept, carried
from polyclinic.services.appointments.actions.said import booked
from polyclinic.services.appointments.actions.state import Desk, Visitor
from polyclinic.services.appointments.actions.wants import (
    in_a_room,
    in_another_room,
    take_place,
    wants,
)
from polyclinic.services.appointments.actions.world import World
from polyclinic.services.appointments.domain import access
from polyclinic.services.appointments.domain.atoms import Range, atom_of, mask
from polyclinic.services.appointments.domain.lifecycle import BOOKED
from polyclinic.services.appointments.domain.openings import Opening
from polyclinic.services.appointments.domain.problems import (
    AlreadyThere,
    HoldEnded,
    NotOffered,
    PlaceTaken,
)
from polyclinic.services.appointments.domain.setup import VisitType
from polyclinic.services.appointments.domain.values import (
    ALL_SEATS,
    NO_NOTE,
    Appointment,
    Note,
    Place,
    check_note,
    check_patient,
    place_of,
)
from polyclinic.services.appointments.store import appointments, places
from polyclinic.services.appointments.store.places import Asked


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody wants booked; with `hold` the place is the held one."""

    visit_type: str
    practitioner: str
    start: int
    patient: str | None = None
    site: str | None = None
    note: Note = NO_NOTE
    hold: UUID | None = None


async def book(desk: Desk, visitor: Visitor, asked: Request, once: Once | None) -> Stored:
    """Books, or raises PlaceTaken with the three nearest places that are free."""
    caller = visitor.caller
    patient = check_patient(access.patient_for(caller, asked.patient, "c"))
    note, world = check_note(asked.note), await desk.world()
    if note.overbooking is not None:
        access.check_staff(caller, "c")
    place, name = await _place(desk, world, visitor, replace(asked, patient=patient))
    person = desk.person(patient)
    made = Appointment(name, patient, person, place, BOOKED, made=visitor.now)
    [sealed] = await keeping.sealed_notes(desk, [(made, note)])
    kept = Kept(visitor.errand, replace(made, note=sealed), note)
    if note.overbooking is not None:
        return await _overbook(desk, visitor, kept, once)
    if world.visit(place.visit_type).capacity > 1:
        return await _join(desk, visitor, kept, once)
    return await _alone(desk, visitor, kept, once, is_held=asked.hold is not None)


async def _alone(
    desk: Desk, visitor: Visitor, kept: Kept, once: Once | None, *, is_held: bool
) -> Stored:
    """Travels with other bookings."""
    world = await desk.world()
    tried: set[int] = set()
    while True:
        place = kept.appointment.place
        try:
            return await desk.lanes.book.ask(Batched(kept, once, visitor.now, is_held))
        except Lost as lost:
            if kept.appointment.person in lost.lacking:
                raise AlreadyThere(place="start") from lost
            lacking = lost.lacking
        async with nearest_told(desk, visitor, place):
            place = await in_another_room(desk, world, place, lacking, tried)
        kept = replace(kept, appointment=replace(kept.appointment, place=place))


@asynccontextmanager
async def nearest_told(desk: Desk, visitor: Visitor, place: Place) -> AsyncGenerator[None, None]:
    """Whoever loses the place hears what is nearest to it."""
    try:
        yield
    except PlaceTaken as taken:
        lost = Opening(place.start, place.practitioner, place.site)
        is_staff, now = access.is_staff(visitor.caller), visitor.now
        near = await nearest_to(desk, lost, place.visit_type, is_staff=is_staff, now=now)
        raise PlaceTaken(
            taken.message, place=taken.place, nearest=near, visit_type=place.visit_type
        ) from taken


async def carry(
    desk: Desk, visitor: Visitor, place: Place, once: Once | None, act: keeping.Act
) -> Stored:
    """Does once what takes a place, in one transaction; the picture of it is drawn anew."""
    rooms = (await desk.world()).rooms_for(place)
    async with nearest_told(desk, visitor, place):
        try:
            return await carried(desk, once, act)
        finally:
            desk.calendar.drop(place, rooms)


async def _place(desk: Desk, world: World, visitor: Visitor, asked: Request) -> tuple[Place, UUID]:
    """Where it is to be, and the appointment's id: a hold's own, or a new one."""
    if asked.hold is not None:
        return await held_place(desk, world, visitor, asked), asked.hold
    is_over = asked.note.overbooking is not None
    place = await place_for(desk, world, visitor, asked, is_over=is_over)
    shared = world.visit(asked.visit_type).capacity > 1
    if not is_over and not shared and _is_known_taken(desk, place):
        async with nearest_told(desk, visitor, place):
            raise PlaceTaken
    return place, ids.new_uuid()


async def place_for(
    desk: Desk, world: World, visitor: Visitor, asked: Request, *, is_over: bool = False
) -> Place:
    """A place as the hours offer it; raises NotOffered, or PlaceTaken when it is surely gone."""
    visit, is_staff = world.visit(asked.visit_type), access.is_staff(visitor.caller)
    offer = offered_at(world, asked.practitioner, visit, asked.start)
    if not is_over:
        check_offered(visitor, visit, asked.start)
        if offer is None or not (is_staff or begins_at(offer, asked.start)):
            raise NotOffered(place="start")
    site = site_of(world, asked.practitioner, offer, asked.site)
    number = world.numbers[asked.practitioner]
    place = place_of(asked.practitioner, number, site, visit, asked.start)
    if is_over or visit.room_kind is None:
        return place
    async with nearest_told(desk, visitor, place):
        return await in_a_room(desk, world, place, set())


def check_offered(visitor: Visitor, visit: VisitType, start: int) -> None:
    """Notice and horizon bind patients; nobody books the past."""
    ahead = start - atom_of(visitor.now)
    if access.is_staff(visitor.caller):
        if ahead * 5 < -visit.minutes:
            raise NotOffered("That time has passed.", place="start")
        return
    if not visit.patients_book:
        raise NotOffered(
            "This visit is booked by the clinic; please telephone.", place="visit_type"
        )
    if ahead * 5 < visit.notice_minutes or ahead > visit.horizon_days * 288:
        raise NotOffered("That is too soon or too far ahead to book online.", place="start")


async def held_place(desk: Desk, world: World, visitor: Visitor, asked: Request) -> Place:
    """The place that a hold keeps for this patient, or for this member of the staff."""
    assert asked.hold is not None
    held = await places.find_hold(desk.running.database, asked.hold)
    mine = {desk.holder(visitor.caller.subject), desk.holder(asked.patient or "")}
    if held is None or held.holder not in mine:
        raise HoldEnded(place="hold")
    practitioner = world.name_of(held.clinician) or ""
    visit = world.visit(held.visit_type)
    place = place_of(practitioner, held.clinician, held.site, visit, held.start)
    if place.around != held.around:
        raise HoldEnded("The clinic changed this kind of visit; choose again.", place="hold")
    if held.seat is not None:
        place = replace(place, seats=Range(held.seat, held.seat + 1))
    return replace(place, room=held.room)


def _is_known_taken(desk: Desk, place: Place) -> bool:
    """Taken as far as this process knows: a bit, no statement."""
    busy = desk.calendar.peek("clinician", place.clinician, place.around)
    if busy is None:
        return False
    first, last = (at - busy.span.first for at in place.around)
    return bool(busy.bits & mask(first, last))


async def _join(desk: Desk, visitor: Visitor, kept: Kept, once: Once | None) -> Stored:
    """A seat in a shared visit: the group has the clinician, the patient a seat."""

    async def act(tx: Transaction) -> tuple[int, object]:
        found = kept.appointment
        place = await take_place(desk, tx, found.id, found.place, found.person)
        moved = replace(kept, appointment=replace(found, place=place))
        return await _keep(desk, tx, moved, visitor)

    return await carry(desk, visitor, kept.appointment.place, once, act)


async def _overbook(desk: Desk, visitor: Visitor, kept: Kept, once: Once | None) -> Stored:
    """Staff book over a taken time knowingly; the patient still cannot be in two places.

    What is free of the time is theirs at once, a hold that brought them here included; what is
    given back later comes to them then (`freeing`).
    """

    async def act(tx: Transaction) -> tuple[int, object]:
        found = replace(kept.appointment, overbooked=True)
        if found.place.is_shared:  # a held seat: not needed, the group is joined over its number
            await end_holds(tx, await places.lock_hold(tx, found.id))
            found = replace(found, place=replace(found.place, seats=ALL_SEATS))
        needed = wants(found.place, found.person)
        [took] = await places.take(tx, [Asked(found.id, needed, None)])
        if found.person in took.lacking:
            raise AlreadyThere(place="start")
        value = await _keep(desk, tx, replace(kept, appointment=found), visitor)
        assert found.note is not None
        await appointments.add_overbooking(tx, found.id, visitor.caller.subject, found.note)
        return value

    return await carry(desk, visitor, kept.appointment.place, once, act)


async def _keep(desk: Desk, tx: Transaction, kept: Kept, visitor: Visitor) -> tuple[int, object]:
    await keeping.add(desk, tx, [kept], visitor.now)
    await announce(tx, booked(kept.appointment))
    return 201, {"appointment": shown.appointment(await desk.world(), kept.appointment)}

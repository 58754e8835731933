"""Holds a place while somebody fills in the form; the hold's id becomes the appointment's."""

from datetime import timedelta
from uuid import UUID

from polyclinic.foundation import ids
from polyclinic.foundation.database import Transaction
from polyclinic.services.appointments.actions import shown
from polyclinic.services.appointments.actions.booking import (
    Request,
    place_for,
    refuse,
    take_seat,
)
from polyclinic.services.appointments.actions.keeping import atomically, carried
from polyclinic.services.appointments.actions.state import Desk, Visitor
from polyclinic.services.appointments.actions.wants import session_of, wants
from polyclinic.services.appointments.domain import access
from polyclinic.services.appointments.domain.openings import Opening
from polyclinic.services.appointments.domain.problems import HoldEnded, PlaceTaken
from polyclinic.services.appointments.domain.resources import instant
from polyclinic.services.appointments.domain.values import Once, Place, Stored, check_patient
from polyclinic.services.appointments.store import places
from polyclinic.services.appointments.store.places import Asked

SWEEP_MAX = 200


async def hold(desk: Desk, visitor: Visitor, asked: Request, once: Once | None) -> Stored:
    """Keeps a place for some minutes; a patient's former hold ends with it."""
    caller, world = visitor.caller, await desk.world()
    if caller.role == "patient" or asked.patient is not None:
        patient = check_patient(access.patient_for(caller, asked.patient, "c"))
        holder = desk.holder(patient)
    else:
        access.check_staff(caller, "c")
        holder = desk.holder(caller.subject)
    place = await place_for(desk, world, visitor, asked)
    seconds = desk.settings.hold_seconds
    name = ids.new_uuid()

    async def act(tx: Transaction) -> tuple[int, object]:
        if caller.role == "patient":
            await _end_former(tx, holder)
        kept = await keep(desk, tx, (name, holder), place, seconds)
        lost_at = Opening(kept.start, kept.practitioner, kept.site)
        ends = instant(visitor.now + timedelta(seconds=seconds))
        value = shown.opening(world, kept.visit_type, lost_at)
        return 201, {"hold": {"id": str(name), "expires": ends, **value}}

    try:
        return await carried(desk, once, act)
    except PlaceTaken:
        desk.calendar.drop(place)
        await refuse(desk, visitor, place)
        raise
    finally:
        desk.calendar.drop(place)


async def keep(
    desk: Desk, tx: Transaction, whose: tuple[UUID, bytes], place: Place, seconds: int
) -> Place:
    """Takes the atoms of a hold; raises PlaceTaken."""
    name, holder = whose
    visit = (await desk.world()).visit(place.visit_type)
    if visit.capacity > 1:
        place = await take_seat(tx, name, place, visit, seconds)
    else:
        [took] = await places.take(tx, [Asked(name, wants(place, None), None, seconds)])
        if took.lacking:
            raise PlaceTaken
    await places.add_hold(tx, name, holder, place, seconds)
    return place


async def release(desk: Desk, visitor: Visitor, name: UUID, patient: str | None) -> None:
    """Gives a held place back before its time."""
    mine = {desk.holder(visitor.caller.subject), desk.holder(visitor.caller.person or "")}
    if access.is_staff(visitor.caller) and patient is not None:
        mine.add(desk.holder(patient))

    async def act(tx: Transaction) -> None:
        held = await places.find_hold(tx, name)
        if held is None or held.holder not in mine:
            raise HoldEnded(place="hold")
        await places.release(tx, [name])
        await places.end_holds(tx, [name])
        if held.seat is not None:
            await release_session(tx, held.clinician, held.visit_type, held.start)

    access.check_scope(visitor.caller, "c")
    await atomically(desk, act)
    desk.calendar.forget()


async def _end_former(tx: Transaction, holder: bytes) -> None:
    """A holder's other holds end, with the shared visits that nobody else is in."""
    former = await places.holds_of(tx, holder)
    held = [await places.find_hold(tx, each) for each in former]
    await places.release(tx, former)
    await places.end_holds(tx, former)
    for each in held:
        if each is not None and each.seat is not None:
            await release_session(tx, each.clinician, each.visit_type, each.start)


async def release_session(tx: Transaction, clinician: int, visit_type: str, start: int) -> None:
    """When the last member of a shared visit has gone, the clinician is free again."""
    session = session_of(clinician, visit_type, start)
    await places.lock_atoms(tx, session)
    # Whoever took a seat meanwhile had to lock the same atoms first, so this sees the seat.
    if not await places.taken_seats(tx, clinician, start):
        await places.release(tx, [session])


async def sweep(desk: Desk) -> int:
    """Takes away holds that ended; a confirmation at the same moment wins."""

    async def act(tx: Transaction) -> int:
        ended = await places.lock_ended_holds(tx, SWEEP_MAX)
        if ended:
            await places.release_ended(tx, [each.id for each in ended])
            await places.end_holds(tx, [each.id for each in ended])
        for each in ended:
            if each.seat is not None:
                await release_session(tx, each.clinician, each.visit_type, each.start)
        return len(ended)

    return await atomically(desk, act)

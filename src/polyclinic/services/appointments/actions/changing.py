"""Changes appointments: their state, their place, and how they end."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Stale
from polyclinic.foundation.outbox import announce
from polyclinic.services.appointments.actions import keeping, said, shown
from polyclinic.services.appointments.actions.booking import (
    Request,
    held_place,
    place_for,
    refuse,
    take_seat,
)
from polyclinic.services.appointments.actions.holding import release_session
from polyclinic.services.appointments.actions.keeping import Kept, carried
from polyclinic.services.appointments.actions.state import Desk, Visitor
from polyclinic.services.appointments.actions.wants import wants
from polyclinic.services.appointments.domain import access, lifecycle
from polyclinic.services.appointments.domain.atoms import moment_of
from polyclinic.services.appointments.domain.lifecycle import CANCELLED
from polyclinic.services.appointments.domain.problems import AlreadyThere, NotYours, PlaceTaken
from polyclinic.services.appointments.domain.values import Appointment, Note, Once, Place, Stored
from polyclinic.services.appointments.store import appointments, places
from polyclinic.services.appointments.store.places import Asked


@dataclass(frozen=True, slots=True)
class Deed:
    """What is done to an appointment."""

    verb: str
    reason_code: str | None = None
    if_version: int | None = None


async def change(desk: Desk, visitor: Visitor, name: UUID, deed: Deed, once: Once | None) -> Stored:
    """Arrive, check in, fulfil, no-show, undo, cancel."""

    async def act(tx: Transaction) -> tuple[int, object]:
        found = await _locked(tx, visitor, name, deed.if_version)
        changed = _changed(desk, visitor, found, deed)
        await appointments.change_status(tx, changed)
        if changed.status == CANCELLED:
            await _release(tx, changed)
            await appointments.end_relation(tx, *keeping.relation(desk, changed))
            await announce(tx, said.cancelled(changed))
        elif deed.verb != "undo":
            await announce(tx, *said.of_status(changed, visitor.now))
        changed = replace(changed, version=changed.version + 1)
        await _write(desk, tx, visitor, changed)
        return 200, {"appointment": shown.appointment(await desk.world(), changed)}

    stored = await _logging_denials(desk, visitor, name, carried(desk, once, act))
    if deed.verb == "cancel":
        desk.calendar.forget()
    return stored


async def reschedule(
    desk: Desk, visitor: Visitor, name: UUID, asked: Request, once: Once | None
) -> Stored:
    """Moves an appointment; the old place is given back in the transaction that takes the new."""
    found = await appointments.find(desk.running.database, name)
    if found is None:
        raise NotYours
    try:
        access.check_own(visitor.caller, found.patient, "u")
    except NotYours:
        await desk.log_denied(visitor.errand, found.patient)
        raise
    place = await _new_place(desk, visitor, replace(asked, patient=found.patient), found)
    former = found.place

    async def act(tx: Transaction) -> tuple[int, object]:
        nonlocal former
        locked = await _locked(tx, visitor, name, None)
        former = locked.place
        lifecycle.next_status(locked.status, "reschedule")
        _check_time(desk, visitor, locked)
        if asked.hold is not None:
            await places.adopt_hold(tx, asked.hold, name)
        moved = replace(locked, place=await _take(desk, tx, locked, place), overbooked=False)
        await appointments.move(tx, moved)
        await _move_relation(desk, tx, locked, moved)
        await announce(tx, said.moved(moved, former))
        moved = replace(moved, version=moved.version + 1)
        await _write(desk, tx, visitor, moved)
        return 200, {"appointment": shown.appointment(await desk.world(), moved)}

    try:
        return await carried(desk, once, act)
    except PlaceTaken:
        desk.calendar.drop(place)
        await refuse(desk, visitor, place)
        raise
    finally:
        desk.calendar.drop(place)
        desk.calendar.drop(former)


async def _logging_denials(
    desk: Desk, visitor: Visitor, name: UUID, deed: Awaitable[Stored]
) -> Stored:
    try:
        return await deed
    except NotYours:
        found = await appointments.find(desk.running.database, name)
        if found is not None:
            await desk.log_denied(visitor.errand, found.patient)
        raise


async def _new_place(desk: Desk, visitor: Visitor, asked: Request, found: Appointment) -> Place:
    world = await desk.world()
    if asked.hold is not None:
        return await held_place(desk, world, visitor, asked)
    wanted = replace(
        asked,
        visit_type=asked.visit_type or found.place.visit_type,
        practitioner=asked.practitioner or found.place.practitioner,
    )
    return await place_for(desk, world, visitor, wanted)


async def _take(desk: Desk, tx: Transaction, locked: Appointment, place: Place) -> Place:
    """Takes the new atoms over the old ones, then gives back what is no longer needed."""
    visit = (await desk.world()).visit(place.visit_type)
    person = wants(replace(place, room=None), locked.person)[1:]
    if visit.capacity > 1:
        place = await take_seat(tx, locked.id, place, visit)
        needed = (*person, seat_want(place))
    else:
        needed = wants(place, locked.person)
    [took] = await places.take(tx, [Asked(locked.id, needed, None)])
    if locked.person in took.lacking:
        raise AlreadyThere(place="start")
    if took.lacking:
        raise PlaceTaken
    await places.release_others(tx, locked.id, needed)
    if locked.place.is_shared:
        former = locked.place
        await release_session(tx, former.clinician, former.visit_type, former.start)
    return place


def seat_want(place: Place) -> places.Want:
    resource = places.seat_resource(place.clinician, place.seats.first)
    return places.Want(resource, place.start, place.start + 1)


async def _locked(
    tx: Transaction, visitor: Visitor, name: UUID, if_version: int | None
) -> Appointment:
    found = await appointments.lock(tx, name)
    if found is None:
        raise NotYours
    access.check_own(visitor.caller, found.patient, "u")
    if if_version is not None and found.version != if_version:
        raise Stale
    return found


def _changed(desk: Desk, visitor: Visitor, found: Appointment, deed: Deed) -> Appointment:
    is_patient = not access.is_staff(visitor.caller)
    status = lifecycle.next_status(found.status, deed.verb)
    if deed.verb == "cancel":
        code = lifecycle.check_reason(
            deed.reason_code or ("pat" if is_patient else "other"), is_patient=is_patient
        )
        _check_time(desk, visitor, found)
        by = "patient" if is_patient or code in lifecycle.PATIENT_REASONS else "clinic"
        return replace(found, status=status, reason_code=code, cancelled_by=by)
    access.check_staff(visitor.caller)
    if deed.verb == "no-show":
        lifecycle.check_begun(visitor.now, moment_of(found.place.start))
    now = visitor.now
    arrived = {"arrived": found.arrived or now, "booked": None, "noshow": None}
    return replace(
        found,
        status=status,
        arrived=arrived.get(status, found.arrived or now),
        checked_in=_checked_in(found, status, now),
    )


async def _move_relation(desk: Desk, tx: Transaction, old: Appointment, new: Appointment) -> None:
    await appointments.end_relation(tx, *keeping.relation(desk, old))
    await appointments.add_relation(tx, *keeping.relation(desk, new))


def _checked_in(found: Appointment, status: str, now: datetime) -> datetime | None:
    """When the desk checked in: kept by a step back to it, forgotten by one behind it."""
    if status in ("booked", "arrived", "noshow"):
        return None
    return found.checked_in or (now if status == "checked-in" else None)


def _check_time(desk: Desk, visitor: Visitor, found: Appointment) -> None:
    """The clinic may at any time; patients until the cut-off."""
    if not access.is_staff(visitor.caller):
        start = moment_of(found.place.start)
        lifecycle.check_cut_off(visitor.now, start, desk.settings.cancel_hours)


async def _release(tx: Transaction, gone: Appointment) -> None:
    await places.release(tx, [gone.id])
    if gone.place.is_shared:
        place = gone.place
        await release_session(tx, place.clinician, place.visit_type, place.start)


async def _write(desk: Desk, tx: Transaction, visitor: Visitor, changed: Appointment) -> None:
    [note] = await keeping.opened_notes(desk, [changed])
    kept: Sequence[Kept] = [Kept(visitor.errand, changed, _without_override(changed, note))]
    await keeping.write_resources(desk, tx, kept, visitor.now)


def _without_override(changed: Appointment, note: Note) -> Note:
    if changed.overbooked:
        return note
    return Note(note.reason, note.comment)

"""Changes appointments: their state, their place, and how they end."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Stale
from polyclinic.foundation.once import Once, Stored
from polyclinic.foundation.outbox import announce
from polyclinic.services.appointments.actions import keeping, said, shown
from polyclinic.services.appointments.actions.booking import (
    Request,
    carry,
    held_place,
    place_for,
)
from polyclinic.services.appointments.actions.freeing import vacated
from polyclinic.services.appointments.actions.keeping import Kept, carried
from polyclinic.services.appointments.actions.state import Desk, Visitor
from polyclinic.services.appointments.actions.wants import take_place
from polyclinic.services.appointments.domain import access, lifecycle
from polyclinic.services.appointments.domain.atoms import moment_of
from polyclinic.services.appointments.domain.lifecycle import CANCELLED
from polyclinic.services.appointments.domain.values import Appointment, Note, Place
from polyclinic.services.appointments.store import appointments, places, waitlist


@dataclass(frozen=True, slots=True)
class Deed:
    """What is done to an appointment."""

    verb: str
    reason_code: str | None = None
    if_version: int | None = None
    ahead: timedelta = lifecycle.AT_ITS_TIME  # how long before its beginning it may be missed


async def change(desk: Desk, visitor: Visitor, name: UUID, deed: Deed, once: Once | None) -> Stored:
    """Arrive, check in, fulfil, no-show, undo, cancel."""

    async def act(tx: Transaction) -> tuple[int, object]:
        found = await desk.own(visitor, await appointments.lock(tx, name), "u")
        if deed.if_version is not None and found.version != deed.if_version:
            raise Stale
        changed = await do(desk, tx, visitor, found, deed)
        return await written(desk, tx, visitor, changed)

    stored = await carried(desk, once, act)
    if deed.verb == "cancel":
        desk.calendar.forget()
    return stored


async def do(
    desk: Desk, tx: Transaction, visitor: Visitor, found: Appointment, deed: Deed
) -> Appointment:
    """Does it to a locked row and says so; the resource is still to be written."""
    async with desk.denials_logged(visitor.errand, found.patient, "u"):
        changed = _changed(desk, visitor, found, deed)
    await appointments.change_status(tx, changed)
    if changed.status == CANCELLED:
        await places.release(tx, changed.id)
        await vacated(tx, changed.place)
        await appointments.end_relation(tx, *keeping.relation(desk, changed))
        await announce(tx, said.cancelled(changed))
    elif deed.verb != "undo":
        await announce(tx, *said.of_status(changed, visitor.now))
    return changed


async def reschedule(
    desk: Desk, visitor: Visitor, name: UUID, asked: Request, once: Once | None
) -> Stored:
    """Moves an appointment; the old place is given back in the transaction that takes the new."""
    found = await appointments.find(desk.running.database, name)
    found = await desk.own(visitor, found, "u")
    place = await _new_place(desk, visitor, replace(asked, patient=found.patient), found)
    former = found.place

    async def act(tx: Transaction) -> tuple[int, object]:
        nonlocal former
        locked = await desk.own(visitor, await appointments.lock(tx, name), "u")
        former = locked.place
        lifecycle.next_status(locked.status, "reschedule")
        _check_time(desk, visitor, locked)
        if asked.hold is not None:
            await places.adopt_hold(tx, asked.hold, name)
            await waitlist.take_up(tx, asked.hold)
        taken = await take_place(desk, tx, name, place, locked.person)
        moved = replace(locked, place=taken, overbooked=False)
        await appointments.move(tx, moved)
        await vacated(tx, former)
        await move_relation(desk, tx, locked, moved)
        await announce(tx, said.moved(moved, former))
        return await written(desk, tx, visitor, moved)

    try:
        return await carry(desk, visitor, place, once, act)
    finally:
        desk.calendar.drop(former)


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
        lifecycle.check_begun(visitor.now, moment_of(found.place.start), deed.ahead)
    now = visitor.now
    arrived = {"arrived": found.arrived or now, "booked": None, "noshow": None}
    return replace(
        found,
        status=status,
        arrived=arrived.get(status, found.arrived or now),
        checked_in=_checked_in(found, status, now),
    )


async def move_relation(desk: Desk, tx: Transaction, old: Appointment, new: Appointment) -> None:
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


async def written(
    desk: Desk, tx: Transaction, visitor: Visitor, changed: Appointment
) -> tuple[int, object]:
    """Puts the next version of the resource beside the changed row, and answers with it."""
    now = replace(changed, version=changed.version + 1)
    [note] = await keeping.opened_notes(desk, [now])
    kept = Kept(visitor.errand, now, _without_override(now, note))
    await keeping.change_resource(desk, tx, kept, visitor.now)
    return 200, {"appointment": shown.appointment(await desk.world(), now)}


def _without_override(changed: Appointment, note: Note) -> Note:
    if changed.overbooked:
        return note
    return msgspec.structs.replace(note, overbooking=None)

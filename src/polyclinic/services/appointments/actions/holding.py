"""Holds a place while somebody fills in the form; the hold's id becomes the appointment's."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from polyclinic.foundation import ids
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.appointments.actions import shown
from polyclinic.services.appointments.actions.booking import Request, carry, place_for
from polyclinic.services.appointments.actions.freeing import end_holds
from polyclinic.services.appointments.actions.keeping import atomically
from polyclinic.services.appointments.actions.state import Desk, Visitor
from polyclinic.services.appointments.actions.wants import take_place
from polyclinic.services.appointments.domain import access
from polyclinic.services.appointments.domain.openings import Opening
from polyclinic.services.appointments.domain.problems import HoldEnded
from polyclinic.services.appointments.domain.resources import instant
from polyclinic.services.appointments.domain.values import Place, check_patient
from polyclinic.services.appointments.store import places
from polyclinic.services.appointments.store.places import Held

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
    name, former = ids.new_uuid(), list[Held]()

    async def act(tx: Transaction) -> tuple[int, object]:
        if caller.role == "patient":
            former[:] = await places.lock_holds_of(tx, holder)
            await end_holds(tx, former)
        kept = await keep(desk, tx, (name, holder), place, seconds)
        ends = instant(visitor.now + timedelta(seconds=seconds))
        return 201, {"hold": {"id": str(name), "expires": ends, **kept}}

    stored = await carry(desk, visitor, place, once, act)
    for each in former:
        desk.calendar.drop(each)
    return stored


async def keep(
    desk: Desk, tx: Transaction, whose: tuple[UUID, bytes], place: Place, seconds: int
) -> dict[str, Any]:
    """Takes the atoms of a hold, and says which place it keeps; raises PlaceTaken."""
    name, holder = whose
    kept = await take_place(desk, tx, name, place, None, seconds)
    await places.add_hold(tx, name, holder, kept, seconds)
    opening = Opening(kept.start, kept.practitioner, kept.site)
    return shown.opening(await desk.world(), kept.visit_type, opening)


async def release(desk: Desk, visitor: Visitor, name: UUID, patient: str | None) -> None:
    """Gives a held place back before its time."""
    mine = {desk.holder(visitor.caller.subject), desk.holder(visitor.caller.person or "")}
    if access.is_staff(visitor.caller) and patient is not None:
        mine.add(desk.holder(patient))

    async def act(tx: Transaction) -> None:
        held = await places.lock_hold(tx, name)
        if not any(each.holder in mine for each in held):
            raise HoldEnded(place="hold")
        await end_holds(tx, held)

    access.check_scope(visitor.caller, "c")
    await atomically(desk, act)
    desk.calendar.forget()


async def sweep(desk: Desk) -> int:
    """Takes away holds that ended; a confirmation at the same moment wins."""

    async def act(tx: Transaction) -> int:
        ended = await places.lock_ended_holds(tx, SWEEP_MAX)
        await end_holds(tx, ended)
        return len(ended)

    return await atomically(desk, act)

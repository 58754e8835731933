"""The waiting list: joining it, offering a place from it, leaving it."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from polyclinic.foundation import ids
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Invalid
from polyclinic.services.appointments.actions import shown
from polyclinic.services.appointments.actions.booking import Request, place_for, refuse
from polyclinic.services.appointments.actions.holding import keep
from polyclinic.services.appointments.actions.keeping import carried
from polyclinic.services.appointments.actions.state import Desk, Visitor
from polyclinic.services.appointments.domain import access
from polyclinic.services.appointments.domain.openings import Opening
from polyclinic.services.appointments.domain.problems import NotYours, PlaceTaken, WrongState
from polyclinic.services.appointments.domain.values import Once, Stored, check_patient
from polyclinic.services.appointments.store import waitlist
from polyclinic.services.appointments.store.waitlist import Waiting

Json = dict[str, Any]


async def join(desk: Desk, visitor: Visitor, wish: Waiting, once: Once | None) -> Stored:
    """Waits for a visit type, perhaps with one clinician, within some days."""
    patient = check_patient(access.patient_for(visitor.caller, wish.patient or None, "c"))
    world = await desk.world()
    world.visit(wish.visit_type)
    if wish.practitioner is not None:
        world.clinician(wish.practitioner)
    if wish.until_day < wish.from_day:
        raise Invalid("The days end before they begin.", place="until")
    person = desk.person(patient)
    new = replace(wish, id=ids.new_uuid(), patient=patient, person=person, made=visitor.now)

    async def act(tx: Transaction) -> tuple[int, object]:
        await waitlist.add(tx, new)
        return 201, {"waiting": show(new)}

    return await carried(desk, once, act)


async def listed(desk: Desk, visitor: Visitor) -> Json:
    """The patient's own wishes; for staff everybody's who still waits."""
    access.check_scope(visitor.caller, "r")
    person = None
    if not access.is_staff(visitor.caller):
        person = desk.person(access.patient_for(visitor.caller, None, "r"))
    found = await waitlist.listed(desk.running.database, person)
    await desk.log_read(visitor.errand, {each.patient: 1 for each in found})
    return {"waiting": [show(each) for each in found]}


async def offer(
    desk: Desk, visitor: Visitor, name: UUID, asked: Request, once: Once | None
) -> Stored:
    """Keeps a place for somebody who waits; they book it with the hold."""
    access.check_staff(visitor.caller, "c")
    world = await desk.world()
    place = await place_for(desk, world, visitor, asked)
    seconds, hold = desk.settings.offer_minutes * 60, ids.new_uuid()

    async def act(tx: Transaction) -> tuple[int, object]:
        found = await waitlist.lock(tx, name)
        if found is None:
            raise NotYours("There is no such entry on the waiting list.")
        if found.status != "waiting":
            raise WrongState("This person no longer waits, or has an offer already.")
        kept = await keep(desk, tx, (hold, desk.holder(found.patient)), place, seconds)
        await waitlist.offer(tx, name, hold, seconds)
        where = Opening(kept.start, kept.practitioner, kept.site)
        value = shown.opening(world, kept.visit_type, where)
        return 201, {"offer": {"waiting": str(name), "hold": str(hold), **value}}

    try:
        return await carried(desk, once, act)
    except PlaceTaken:
        desk.calendar.drop(place)
        await refuse(desk, visitor, place)
        raise
    finally:
        desk.calendar.drop(place)


async def leave(desk: Desk, visitor: Visitor, name: UUID, once: Once | None) -> Stored:
    """Waits no longer."""

    async def act(tx: Transaction) -> tuple[int, object]:
        found = await waitlist.lock(tx, name)
        if found is None:
            raise NotYours("There is no such entry on the waiting list.")
        access.check_own(visitor.caller, found.patient, "u")
        await waitlist.end(tx, name, "left")
        return 200, {"waiting": show(replace(found, status="left"))}

    return await carried(desk, once, act)


def show(found: Waiting) -> Json:
    return {
        "id": str(found.id),
        "patient": found.patient,
        "visit_type": found.visit_type,
        "practitioner": found.practitioner,
        "site": found.site,
        "from": found.from_day.isoformat(),
        "until": found.until_day.isoformat(),
        "status": found.status,
        "hold": str(found.offered) if found.offered else None,
        "offer_ends": found.offer_ends,
        "since": found.made,
    }

"""The waiting list: joining it, offering a place from it, leaving it."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from polyclinic.foundation import ids
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.appointments.actions.booking import Request, carry, place_for
from polyclinic.services.appointments.actions.freeing import end_holds
from polyclinic.services.appointments.actions.holding import keep
from polyclinic.services.appointments.actions.keeping import atomically, carried
from polyclinic.services.appointments.actions.state import Desk, Visitor
from polyclinic.services.appointments.domain import access
from polyclinic.services.appointments.domain.problems import NotYours, WrongState
from polyclinic.services.appointments.domain.values import check_patient
from polyclinic.services.appointments.store import appointments, places, waitlist
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
    """Keeps a place for somebody who waits; they book it with the hold. A second offer replaces
    the first, whose place is free again."""
    access.check_staff(visitor.caller, "c")
    world = await desk.world()
    place = await place_for(desk, world, visitor, asked)
    seconds, hold = desk.settings.offer_minutes * 60, ids.new_uuid()

    async def act(tx: Transaction) -> tuple[int, object]:
        found = await _locked(desk, tx, visitor, name)
        await _take_back(tx, found)
        kept = await keep(desk, tx, (hold, desk.holder(found.patient)), place, seconds)
        await waitlist.offer(tx, name, hold, seconds)
        return 201, {"offer": {"waiting": str(name), "hold": str(hold), **kept}}

    stored = await carry(desk, visitor, place, once, act)
    desk.calendar.forget()
    return stored


async def leave(desk: Desk, visitor: Visitor, name: UUID, once: Once | None) -> Stored:
    """Waits no longer; a place that was offered is free again."""

    async def act(tx: Transaction) -> tuple[int, object]:
        found = await _locked(desk, tx, visitor, name)
        await _take_back(tx, found)
        await waitlist.end(tx, name, "left")
        return 200, {"waiting": show(replace(found, status="left", offered=None, offer_ends=None))}

    stored = await carried(desk, once, act)
    desk.calendar.forget()
    return stored


async def settle(desk: Desk) -> None:
    """Wishes that came true wait no longer, and a place offered for one of them is free again."""
    zones = {site.id: site.time_zone for site in (await desk.world()).setup.sites}

    async def act(tx: Transaction) -> None:
        for hold in await waitlist.settle(tx, zones):
            await end_holds(tx, await places.lock_hold(tx, hold))

    await atomically(desk, act)


async def _locked(desk: Desk, tx: Transaction, visitor: Visitor, name: UUID) -> Waiting:
    """A wish that may still be changed by this caller."""
    found = await waitlist.lock(tx, name)
    if found is None:
        raise NotYours("There is no such entry on the waiting list.")
    await desk.own(visitor, found, "u")
    if found.status not in ("waiting", "offered"):
        raise WrongState("This person no longer waits.")
    if found.offered is not None and await appointments.is_made(tx, found.offered):
        raise WrongState("This person has booked the place that was offered.")
    return found


async def _take_back(tx: Transaction, found: Waiting) -> None:
    """The place that was offered before is free again."""
    if found.offered is not None:
        await end_holds(tx, await places.lock_hold(tx, found.offered))


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

"""Takes in what another system booked: by its rules, and still nobody is in two places.

Its hours and lengths are its own, so ours do not bind it; each time is written down who brought
it. The time itself is taken as every booking takes it: what is taken already is PlaceTaken.
"""

from dataclasses import dataclass, replace
from uuid import UUID

from polyclinic.contracts.appointments import elsewhere_id
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Conflict
from polyclinic.foundation.once import Once, Stored
from polyclinic.foundation.outbox import announce
from polyclinic.services.appointments.actions import changing, keeping, said, shown
from polyclinic.services.appointments.actions.booking import carry
from polyclinic.services.appointments.actions.finding import offered_at, site_of
from polyclinic.services.appointments.actions.freeing import vacated
from polyclinic.services.appointments.actions.keeping import Kept
from polyclinic.services.appointments.actions.state import Desk, Visitor
from polyclinic.services.appointments.actions.wants import take_place
from polyclinic.services.appointments.actions.world import World
from polyclinic.services.appointments.domain import access, lifecycle
from polyclinic.services.appointments.domain.atoms import Range
from polyclinic.services.appointments.domain.lifecycle import BOOKED
from polyclinic.services.appointments.domain.problems import NotOffered
from polyclinic.services.appointments.domain.values import (
    Appointment,
    Note,
    Place,
    check_note,
    check_patient,
)
from polyclinic.services.appointments.store import appointments
from polyclinic.services.appointments.store import elsewhere as rows

# Where the other system's kind of visit is none of ours.
VISIT_TYPE = "elsewhere"


class Anothers(Conflict):
    """Under this number the other system booked for somebody else before."""


@dataclass(frozen=True, slots=True)
class Booking:
    """A booking as the other system tells it now; its number there names it for ever."""

    source: str
    key: str
    patient: str
    practitioner: str
    span: Range
    visit_type: str
    site: str | None
    note: Note

    @property
    def id(self) -> UUID:
        return elsewhere_id(self.source, self.key)


async def take_in(desk: Desk, visitor: Visitor, asked: Booking, once: Once | None) -> Stored:
    """Books, moves, or leaves as it is; raises PlaceTaken, AlreadyThere or WrongState."""
    access.check_operator(visitor.caller, "c")
    check_patient(asked.patient)
    check_note(asked.note)
    world = await desk.world()
    place, in_hours = _place(world, asked)
    new = Appointment(
        asked.id, asked.patient, desk.person(asked.patient), place, BOOKED, made=visitor.now
    )
    [sealed] = await keeping.sealed_notes(desk, [(new, asked.note)])
    kept = Kept(visitor.errand, replace(new, note=sealed), asked.note)
    former = place

    async def act(tx: Transaction) -> tuple[int, object]:
        nonlocal former
        found = await appointments.lock(tx, asked.id)
        if found is None:
            answer = await _book(desk, tx, visitor, kept)
        elif found.patient != asked.patient:
            raise Anothers(place="key")
        elif _is_there(found.place, place):
            return 200, {"appointment": shown.appointment(world, found)}
        else:
            former = found.place
            answer = await _move(desk, tx, visitor, (found, kept))
        await rows.add(tx, asked.id, visitor.caller.subject, in_hours=in_hours)
        return answer

    try:
        return await carry(desk, visitor, place, once, act)
    finally:
        desk.calendar.drop(former)


def _place(world: World, asked: Booking) -> tuple[Place, bool]:
    """The place without buffers, which are ours and not theirs; and whether we would offer it."""
    world.clinician(asked.practitioner)
    visit = world.visits.get(asked.visit_type)
    sites = [site.id for site in world.setup.sites]
    if asked.site is not None and asked.site not in sites:
        raise NotOffered("The clinic has no such site.", place="site")
    offer = offered_at(world, asked.practitioner, visit, asked.span.first) if visit else None
    place = Place(
        asked.practitioner,
        world.numbers[asked.practitioner],
        asked.site or site_of(world, asked.practitioner, offer, None),
        asked.visit_type if visit else VISIT_TYPE,
        asked.span.first,
        asked.span.last,
        asked.span,
    )
    return place, offer is not None


def _is_there(found: Place, asked: Place) -> bool:
    """Whether it stands where it is said to be; its room or seat is our own affair."""
    return replace(found, room=None, seats=asked.seats) == asked


async def _book(desk: Desk, tx: Transaction, visitor: Visitor, kept: Kept) -> tuple[int, object]:
    found = kept.appointment
    place = await take_place(desk, tx, found.id, found.place, found.person)
    made = replace(kept, appointment=replace(found, place=place))
    await keeping.add(desk, tx, [made], visitor.now)
    await announce(tx, said.booked(made.appointment))
    return 201, {"appointment": shown.appointment(await desk.world(), made.appointment)}


async def _move(
    desk: Desk, tx: Transaction, visitor: Visitor, change: tuple[Appointment, Kept]
) -> tuple[int, object]:
    found, kept = change
    lifecycle.next_status(found.status, "reschedule")
    place = await take_place(desk, tx, found.id, kept.appointment.place, found.person)
    note = kept.appointment.note or found.note
    moved = replace(found, place=place, overbooked=False, note=note)
    await appointments.move(tx, moved)
    await vacated(tx, found.place)
    await changing.move_relation(desk, tx, found, moved)
    await announce(tx, said.moved(moved, found.place))
    return await changing.written(desk, tx, visitor, moved)

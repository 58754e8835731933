"""What a place takes, and the choice of rooms and seats."""

from collections.abc import Set as AbstractSet
from dataclasses import replace
from uuid import UUID, uuid5

from polyclinic.foundation.database import Transaction
from polyclinic.services.appointments.actions.state import Desk
from polyclinic.services.appointments.actions.world import World
from polyclinic.services.appointments.domain.atoms import DAY, Range, mask
from polyclinic.services.appointments.domain.problems import AlreadyThere, PlaceTaken, no_room
from polyclinic.services.appointments.domain.setup import VisitType
from polyclinic.services.appointments.domain.values import Place
from polyclinic.services.appointments.store import places
from polyclinic.services.appointments.store.places import Asked, Want

SESSIONS = UUID("6b1f4f38-5d7e-4c6c-9a0e-3c4f1a0f2b51")  # ours: names of shared visits


def wants(place: Place, person: int | None) -> tuple[Want, ...]:
    """A seat of a shared visit, else clinician and room with buffers; the patient for the visit."""
    if place.is_shared:
        where = places.seat_resource(place.clinician, place.seats.first)
        found = [Want(where, place.start, place.start + 1)]
    else:
        rooms = () if place.room is None else (place.room,)
        found = [Want(number, *place.around) for number in (place.clinician, *rooms)]
    if person is not None:
        found.append(Want(person, place.start, place.end))
    return tuple(found)


async def take_place(
    desk: Desk,
    tx: Transaction,
    name: UUID,
    place: Place,
    person: int | None = None,
    hold_seconds: int | None = None,
) -> Place:
    """Takes all that a visit or a hold needs and gives back what else it had; answers the place
    with its room or seat. Raises PlaceTaken or AlreadyThere, which must undo the transaction."""
    world = await desk.world()
    visit = world.visits.get(place.visit_type)  # none: a kind of visit of another system
    if visit is not None and visit.capacity > 1:
        place = await _find_seat(tx, name, place, visit, hold_seconds)
    tried: set[int] = set()
    while True:
        needed = wants(place, person)
        [took] = await places.take(tx, [Asked(name, needed, None, hold_seconds)])
        if not took.lacking:
            await places.release_others(tx, name, needed)
            return place
        if person in took.lacking:
            raise AlreadyThere(place="start")
        place = await in_another_room(desk, world, place, took.lacking, tried)


async def in_another_room(
    desk: Desk, world: World, place: Place, lacking: AbstractSet[int], tried: set[int]
) -> Place:
    """A room that was lost is no lost place while another one is free; else raises PlaceTaken."""
    if place.room not in lacking or place.clinician in lacking:
        raise PlaceTaken
    tried.add(place.room or 0)
    return await in_a_room(desk, world, place, tried)


async def in_a_room(desk: Desk, world: World, place: Place, tried: set[int]) -> Place:
    """In a room that seems free; the first choice differs from place to place."""
    numbers = [n for n in world.rooms_for(place) if n not in tried]
    day = place.start - place.start % DAY
    busy = await desk.calendar.busy("room", numbers, Range(day, day + DAY))
    free = [
        number
        for number in numbers
        if not busy[number].bits >> (place.around.first - busy[number].span.first)
        & mask(0, place.around.last - place.around.first)
    ]
    if not free:
        raise no_room()
    return replace(place, room=free[hash((place.clinician, place.start)) % len(free)])


def session_of(clinician: int, visit_type: str, start: int) -> UUID:
    """The name under which a shared visit holds its clinician: the same for all its members."""
    return uuid5(SESSIONS, f"{clinician}/{visit_type}/{start}")


async def _find_seat(
    tx: Transaction, name: UUID, place: Place, visit: VisitType, hold_seconds: int | None
) -> Place:
    """Takes the group's clinician, and answers the seat that was held, or the first free one."""
    session = session_of(place.clinician, place.visit_type, place.start)
    group = Want(place.clinician, *place.around)
    [took] = await places.take(tx, [Asked(session, (group,), None, hold_seconds)])
    if took.lacking:
        raise PlaceTaken
    # The group's atoms are locked now: nobody else looks for a seat in it at the same time.
    taken = await places.taken_seats(tx, place.clinician, place.start, name)
    held = (place.seats.first,) if place.is_shared else ()
    number = next((n for n in (*held, *range(visit.capacity)) if n not in taken), None)
    if number is None:
        raise PlaceTaken
    return replace(place, seats=Range(number, number + 1))

"""Which atoms a place takes, and the choice of rooms and seats."""

from uuid import UUID, uuid5

from polyclinic.services.appointments.actions.state import Desk
from polyclinic.services.appointments.actions.world import World
from polyclinic.services.appointments.domain.atoms import DAY, Range, mask
from polyclinic.services.appointments.domain.setup import VisitType
from polyclinic.services.appointments.domain.values import Place
from polyclinic.services.appointments.store.places import Want

SESSIONS = UUID("6b1f4f38-5d7e-4c6c-9a0e-3c4f1a0f2b51")  # ours: names of shared visits


def wants(place: Place, person: int | None) -> tuple[Want, ...]:
    """The clinician and the room with buffers, the patient for the visit itself."""
    found = [Want(place.clinician, *place.around)]
    if place.room is not None:
        found.append(Want(place.room, *place.around))
    if person is not None:
        found.append(Want(person, place.start, place.end))
    return tuple(found)


async def choose_room(desk: Desk, world: World, place: Place, tried: set[int]) -> int | None:
    """A room that seems free; the first choice differs from place to place."""
    visit = world.visit(place.visit_type)
    numbers = [n for n in world.rooms(visit).get(place.site, ()) if n not in tried]
    if not numbers:
        return None
    day = place.start - place.start % DAY
    busy = await desk.calendar.busy("room", numbers, Range(day, day + DAY))
    free = [
        number
        for number in numbers
        if not busy[number].bits >> (place.around.first - busy[number].span.first)
        & mask(0, place.around.last - place.around.first)
    ]
    return free[hash((place.clinician, place.start)) % len(free)] if free else None


def session_of(clinician: int, visit_type: str, start: int) -> UUID:
    """The name under which a shared visit holds its clinician: the same for all its members."""
    return uuid5(SESSIONS, f"{clinician}/{visit_type}/{start}")


def seat(taken: set[int], mine: set[int], visit: VisitType) -> int | None:
    """The first free seat, or the one that a hold already has."""
    for number in (*mine, *range(visit.capacity)):
        if number not in taken:
            return number
    return None

"""Takes in what another system booked: by its rules, and still nobody is in two places.

Its hours and lengths are its own, so ours do not bind it; each time is written down who brought
it. The time itself is taken as every booking takes it: what is taken already is PlaceTaken.
What was over before we heard of it is history: it is kept, and nobody is told. History is never
refused for its time: who came twice, or was with two at once, was there all the same.
"""

from dataclasses import dataclass, replace
from uuid import UUID

from polyclinic.contracts.appointments import elsewhere_id
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Conflict, Stale
from polyclinic.foundation.once import Once, Stored
from polyclinic.foundation.outbox import announce
from polyclinic.services.appointments.actions import changing, keeping, said, shown
from polyclinic.services.appointments.actions.booking import carry
from polyclinic.services.appointments.actions.changing import Deed
from polyclinic.services.appointments.actions.finding import offered_at, site_of
from polyclinic.services.appointments.actions.freeing import vacated
from polyclinic.services.appointments.actions.keeping import Kept
from polyclinic.services.appointments.actions.state import Desk, Visitor
from polyclinic.services.appointments.actions.wants import in_a_room, take_place
from polyclinic.services.appointments.actions.world import World
from polyclinic.services.appointments.domain import access, lifecycle
from polyclinic.services.appointments.domain.atoms import Range, moment_of
from polyclinic.services.appointments.domain.lifecycle import BOOKED, CANCELLED, OVER
from polyclinic.services.appointments.domain.problems import (
    AlreadyThere,
    NotOffered,
    NotYours,
    PlaceTaken,
)
from polyclinic.services.appointments.domain.values import (
    NO_NOTE,
    Appointment,
    Note,
    Place,
    check_note,
    check_patient,
)
from polyclinic.services.appointments.store import appointments, places
from polyclinic.services.appointments.store import elsewhere as rows

# Where the other system's kind of visit is none of ours.
VISIT_TYPE = "elsewhere"


class Anothers(Conflict):
    """Under this number the other system booked for somebody else before."""


@dataclass(frozen=True, slots=True)
class Booking:
    """A booking as the other system tells it now; its number there names it for ever.

    Of a note, None is what it does not say, and an empty text what it took away. `here`: it was
    booked here first, and the other system has learnt of it.
    """

    source: str
    key: str
    patient: str
    practitioner: str
    span: Range
    visit_type: str
    site: str | None
    note: Note
    status: str | None = None
    here: UUID | None = None
    version: int | None = None

    @property
    def id(self) -> UUID:
        return self.here or elsewhere_id(self.source, self.key)

    def noted(self, was: Note) -> Note:
        """What is known of it now."""
        reason = was.reason if self.note.reason is None else self.note.reason or None
        comment = was.comment if self.note.comment is None else self.note.comment or None
        return Note(reason, comment, was.overbooking, {**was.elsewhere, self.source: self.key})


async def take_in(desk: Desk, visitor: Visitor, asked: Booking, once: Once | None) -> Stored:
    """Books, moves, ends, or leaves as it is.

    Raises PlaceTaken, AlreadyThere, WrongState, NotYet, or Stale when somebody was quicker here.
    """
    access.check_operator(visitor.caller, "c")
    check_patient(asked.patient)
    check_note(asked.note)
    world = await desk.world()
    place, in_hours = _place(world, asked)
    touched = {place}

    async def act(tx: Transaction) -> tuple[int, object]:
        found = await appointments.lock(tx, asked.id)
        if found is None:
            now = await _begin(desk, tx, visitor, asked, place)
        else:
            _check(found, asked)
            told = (asked, _of_its_kind(world, asked, place, found.place))
            now = await _follow(desk, tx, visitor, told, found)
            touched.update((found.place, now.place))
        if found is None or now.version != found.version:
            await rows.add(tx, asked.id, visitor.caller.subject, in_hours=in_hours)
        return 200 if found else 201, {"appointment": shown.appointment(world, now)}

    try:
        return await carry(desk, visitor, place, once, act)
    finally:
        for each in touched:
            desk.calendar.drop(each)


def _check(found: Appointment, asked: Booking) -> None:
    if found.patient != asked.patient:
        raise Anothers(place="key")
    if asked.version not in (None, found.version):
        raise Stale


def _place(world: World, asked: Booking) -> tuple[Place, bool]:
    """The place without buffers, which are ours and not theirs; and whether we would offer it."""
    world.clinician(asked.practitioner)
    visit = world.visits.get(asked.visit_type)
    sites = {name: s.id for s in world.setup.sites for name in (s.location, s.id) if name}
    if asked.site is not None and asked.site not in sites:
        raise NotOffered("The clinic has no such site.", place="site")
    offer = offered_at(world, asked.practitioner, visit, asked.span.first) if visit else None
    place = Place(
        asked.practitioner,
        world.numbers[asked.practitioner],
        sites[asked.site] if asked.site else site_of(world, asked.practitioner, offer, None),
        asked.visit_type if visit else VISIT_TYPE,
        asked.span.first,
        asked.span.last,
        asked.span,
    )
    return place, offer is not None


def _of_its_kind(world: World, asked: Booking, place: Place, found: Place) -> Place:
    """The kind of visit that it is here, where the other system's is none of ours (any more)."""
    is_ours = asked.visit_type in world.visits
    return place if is_ours else replace(place, visit_type=found.visit_type)


def _is_there(found: Place, place: Place, asked: Booking) -> bool:
    """Whether it stands where it is said to be; room, seat and buffers are our own affair."""
    site = found.site if asked.site else place.site
    return replace(found, room=None, seats=place.seats, around=place.around, site=site) == place


async def _begin(
    desk: Desk, tx: Transaction, visitor: Visitor, asked: Booking, place: Place
) -> Appointment:
    if asked.here is not None:
        raise NotYours
    wanted, note = asked.status or BOOKED, asked.noted(NO_NOTE)
    is_over = wanted in OVER
    if is_over and wanted != CANCELLED:
        lifecycle.check_begun(visitor.now, moment_of(place.start), lifecycle.AHEAD_ELSEWHERE)
    new = Appointment(
        asked.id, asked.patient, desk.person(asked.patient), place,
        wanted if is_over else BOOKED, made=visitor.now,
    )  # fmt: skip
    [sealed] = await keeping.sealed_notes(desk, [(new, note)])
    now = replace(new, note=sealed)
    if wanted != CANCELLED:
        now = await _in_place(desk, tx, visitor, now, place, wanted)
    await keeping.add(desk, tx, [Kept(visitor.errand, now, note)], visitor.now)
    if wanted == CANCELLED:
        await appointments.end_relation(tx, *keeping.relation(desk, now))
    if not is_over:
        await announce(tx, said.booked(now))
    return await _lead(desk, tx, visitor, now, wanted)


async def _follow(
    desk: Desk, tx: Transaction, visitor: Visitor, told: tuple[Booking, Place], found: Appointment
) -> Appointment:
    """The same version when all is as it is said."""
    asked, place = told
    [was] = await keeping.opened_notes(desk, [found])
    note, moves = asked.noted(was), not _is_there(found.place, place, asked)
    now, wanted = found, asked.status or found.status
    if note != was:
        [sealed] = await keeping.sealed_notes(desk, [(found, note)])
        now = replace(found, note=sealed)
    is_off = asked.status == CANCELLED  # its place is written down, and nobody else's any less
    if moves and not is_off:
        now = await _move(desk, tx, visitor, now, place, wanted)
    now = await _lead(desk, tx, visitor, now, wanted)
    stands_again = _stands_again(visitor, found, now, note)
    if stands_again:
        now = await _taking(desk, tx, now, now.place)
    if (moves and is_off) or stands_again or (note != was and now.version == found.version):
        now = replace(now, place=place if moves else now.place)
        await appointments.move(tx, now)
        now = await _written(desk, tx, visitor, now)
    return now


def _stands_again(visitor: Visitor, was: Appointment, now: Appointment, note: Note) -> bool:
    """Whether it was over, kept without its time, and is to come after all.

    What our own desk booked over a taken time has a reason in its note, and stands as it did.
    """
    is_history = lifecycle.is_history(now.status, visitor.now, moment_of(now.place.start))
    return was.overbooked and was.status in OVER and not is_history and note.overbooking is None


async def _move(
    desk: Desk, tx: Transaction, visitor: Visitor, found: Appointment, place: Place, wanted: str
) -> Appointment:
    lifecycle.next_status(found.status, "reschedule")
    moved = await _in_place(desk, tx, visitor, found, place, wanted)
    await appointments.move(tx, moved)
    await vacated(tx, found.place)
    await changing.move_relation(desk, tx, found, moved)
    await announce(tx, said.moved(moved, found.place))
    return await _written(desk, tx, visitor, moved)


async def _in_place(
    desk: Desk, tx: Transaction, visitor: Visitor, found: Appointment, place: Place, wanted: str
) -> Appointment:
    """With the place that is said; where it is history (`wanted`) and the time is another's, it
    takes nothing and is overbooked."""
    if not lifecycle.is_history(wanted, visitor.now, moment_of(place.start)):
        return await _taking(desk, tx, found, place)
    try:
        async with places.undone_alone(tx):
            return await _taking(desk, tx, found, place)
    except (PlaceTaken, AlreadyThere):
        await places.release(tx, found.id)
        return replace(found, place=place, overbooked=True)


async def _taking(desk: Desk, tx: Transaction, found: Appointment, place: Place) -> Appointment:
    place = await _in_its_room(desk, found.place, place)
    place = await take_place(desk, tx, found.id, place, found.person)
    return replace(found, place=place, overbooked=False)


async def _in_its_room(desk: Desk, former: Place, place: Place) -> Place:
    """Who was in a room stays in it, or is in another one where it is of the wrong kind or site."""
    if former.room is None:
        return place
    world = await desk.world()
    rooms = world.rooms_for(place)
    is_alike = (former.visit_type, former.site) == (place.visit_type, place.site)
    if is_alike or former.room in rooms:
        return replace(place, room=former.room)
    return await in_a_room(desk, world, place, set()) if rooms else place


async def _lead(
    desk: Desk, tx: Transaction, visitor: Visitor, now: Appointment, wanted: str
) -> Appointment:
    """Deed by deed to the state that it is in elsewhere."""
    for verb in lifecycle.way_to(now.status, wanted):
        now = await changing.do(desk, tx, visitor, now, Deed(verb, ahead=lifecycle.AHEAD_ELSEWHERE))
        now = await _written(desk, tx, visitor, now)
    return now


async def _written(
    desk: Desk, tx: Transaction, visitor: Visitor, changed: Appointment
) -> Appointment:
    await changing.written(desk, tx, visitor, changed)
    return replace(changed, version=changed.version + 1)

"""Finds openings: for one clinician or the first of many, and those nearest to a lost one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from polyclinic.foundation.errors import Invalid
from polyclinic.services.appointments.actions.calendar import Busy
from polyclinic.services.appointments.actions.state import Desk
from polyclinic.services.appointments.actions.world import World
from polyclinic.services.appointments.domain.atoms import DAY, Range, atom_from, atom_of, mask
from polyclinic.services.appointments.domain.hours import Offer
from polyclinic.services.appointments.domain.openings import (
    MARGIN,
    Opening,
    Shape,
    Taken,
    first_openings,
    nearest,
    openings,
    starts,
)
from polyclinic.services.appointments.domain.problems import NotOffered
from polyclinic.services.appointments.domain.setup import VisitType

NEAREST = 3
_REMEMBERED_MAX = 1024


@dataclass(frozen=True, slots=True)
class Search:
    """What somebody looks for; staff also see what patients cannot book."""

    visit_type: str
    practitioners: tuple[str, ...] = ()
    site: str | None = None
    mode: str | None = None
    first: datetime | None = None
    days: int = 28
    limit: int = 20
    is_staff: bool = False


async def find(desk: Desk, search: Search, now: datetime) -> list[Opening]:
    """The first openings, in order."""
    world = await desk.world()
    visit = world.visit(search.visit_type)
    if search.mode not in (None, visit.mode) or not (visit.patients_book or search.is_staff):
        return []
    window = _window(search, visit, now)
    if window.first >= window.last:
        return []
    asked = Range(window.first - window.first % DAY, -(-window.last // DAY) * DAY)
    names = [n for n in (search.practitioners or world.clinicians) if n in world.clinicians]
    clip = mask(window.first - asked.first, window.last - asked.first)
    found = await _each(desk, world, (visit, search.site), names, (asked, clip))
    return first_openings(found, search.limit)


async def nearest_to(
    desk: Desk, lost: Opening, visit_type: str, *, is_staff: bool, now: datetime
) -> tuple[Opening, ...]:
    """Three places near a lost one: the same clinician's, else anybody's who offers the visit."""
    key = (lost, visit_type, is_staff, desk.calendar.generation)
    known = desk.nearest.get(key)
    if known is not None:
        return tuple(known)
    if visit_type not in (await desk.world()).visits:
        return ()  # another system's kind of visit is offered nowhere
    first = max(now, datetime.fromtimestamp((lost.start - DAY) * 300, now.tzinfo))
    mine = Search(visit_type, (lost.practitioner,), None, None, first, 4, 400, is_staff)
    found = nearest(await find(desk, mine, now), lost.start, NEAREST)
    if len(found) < NEAREST:
        anyone = Search(visit_type, (), None, None, first, 28, 400, is_staff)
        others = await find(desk, anyone, now)
        found += [o for o in nearest(others, lost.start, NEAREST * 2) if o not in found]
    chosen = tuple(sorted(found[:NEAREST]))
    if len(desk.nearest) > _REMEMBERED_MAX:
        desk.nearest.clear()
    desk.nearest[lost, visit_type, is_staff, desk.calendar.generation] = chosen
    return chosen


async def _each(
    desk: Desk,
    world: World,
    what: tuple[VisitType, str | None],
    names: list[str],
    where: tuple[Range, int],
) -> list[Iterator[Opening]]:
    (visit, site), (asked, clip) = what, where
    numbers = [world.numbers[name] for name in names]
    busy = await desk.calendar.busy("clinician", numbers, asked)
    rooms = await _rooms(desk, world, visit, asked)
    shape, width = Shape.of(visit), asked.last - asked.first
    found: list[Iterator[Opening]] = []
    for name, number in zip(names, numbers, strict=True):
        offered = world.offers(world.clinicians[name], visit, asked)
        offered = tuple(o for o in offered if site is None or o.site == site)
        taken = _taken(busy[number], rooms, visit, asked)
        needs_room = visit.room_kind is not None
        places = [
            starts(offer, shape, taken, width, needs_room=needs_room) & clip for offer in offered
        ]
        found.append(openings(name, offered, places, asked))
    return found


async def _rooms(
    desk: Desk, world: World, visit: VisitType, asked: Range
) -> dict[str, tuple[int, ...]]:
    if visit.room_kind is None:
        return {}
    by_site = world.rooms(visit)
    numbers = [number for listed in by_site.values() for number in listed]
    busy = await desk.calendar.busy("room", numbers, asked)
    return {
        site: tuple(_shifted(busy[number], asked) for number in listed)
        for site, listed in by_site.items()
    }


def _taken(busy: Busy, rooms: dict[str, tuple[int, ...]], visit: VisitType, asked: Range) -> Taken:
    joinable = 0
    for (kind, start), seats in busy.shared.items():
        if kind == visit.id and seats < visit.capacity and asked.first <= start < asked.last:
            joinable |= 1 << (start - asked.first)
    return Taken(_shifted(busy, asked), rooms, joinable)


def _shifted(busy: Busy, asked: Range) -> int:
    return busy.bits >> (asked.first - MARGIN - busy.span.first)


def _window(search: Search, visit: VisitType, now: datetime) -> Range:
    notice = timedelta(minutes=0 if search.is_staff else visit.notice_minutes)
    first = max(search.first or now, now + notice)
    horizon = now + timedelta(days=visit.horizon_days)
    last = (search.first or now) + timedelta(days=search.days)
    return Range(atom_from(first), atom_of(min(last, horizon)))


def offered_at(world: World, practitioner: str, visit: VisitType, start: int) -> Offer | None:
    """The offer in which a visit at this moment lies, whoever has taken it; None outside hours."""
    day = start - start % DAY
    asked = Range(day, day + 2 * DAY)
    for offer in world.offers(world.clinician(practitioner), visit, asked):
        run = mask(start - day, start - day + Shape.of(visit).length)
        if offer.open & run == run:
            return offer
    return None


def begins_at(offer: Offer, start: int) -> bool:
    """Whether visits of this offer begin at this moment of the clock."""
    return bool(offer.starts >> (start % DAY) & 1)


def site_of(world: World, practitioner: str, offer: Offer | None, asked: str | None) -> str:
    """Where a visit takes place: as the hours say, and outside of them at a site of the clinician.

    Who has no hours at all may be booked (by an override) at any site that there is.
    """
    clinician = world.clinician(practitioner)
    own = [rule.site for rule in clinician.rules]
    own += [each.site for each in clinician.exceptions if each.kind == "extra" and each.site]
    if asked is None and (offer or own):
        return offer.site if offer else own[0]
    if asked is None:
        raise Invalid("Say at which site.", place="site")
    if asked not in ([offer.site] if offer else own or [site.id for site in world.setup.sites]):
        raise NotOffered("The clinician is not at this site then.", place="site")
    return asked

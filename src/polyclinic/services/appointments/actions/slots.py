"""Slots: computed from hours and bookings, never stored, so that none is ever out of date."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from polyclinic.services.appointments.actions import finding
from polyclinic.services.appointments.actions.finding import Search
from polyclinic.services.appointments.actions.state import Desk, Visitor
from polyclinic.services.appointments.domain import access, resources
from polyclinic.services.appointments.domain.atoms import moment_of
from polyclinic.services.appointments.domain.problems import NotYours
from polyclinic.services.appointments.domain.resources import schedule_id

Resource = dict[str, Any]
DAYS_MAX = 92


@dataclass(frozen=True, slots=True)
class SlotSearch:
    """What a search of Slot asks; only free ones can be found, for others are somebody's."""

    schedules: tuple[str, ...]
    first: datetime | None
    last: datetime | None
    visit_type: str
    status: str
    limit: int


async def search(desk: Desk, visitor: Visitor, asked: SlotSearch) -> Resource:
    """The free slots, the first ones first; each visit type has slots of its own."""
    world = await desk.world()
    if asked.status != "free":
        return resources.bundle([])
    first = asked.first or visitor.now
    last = asked.last or first + timedelta(days=28)
    days = min(max((last - first).days + 1, 1), DAYS_MAX)
    names = tuple(n for n in world.clinicians if schedule_id(n) in asked.schedules)
    if asked.schedules and not names:
        return resources.bundle([])
    found: list[Resource] = []
    for visit in world.setup.visit_types:
        if asked.visit_type not in ("", visit.id):
            continue
        is_staff = access.is_staff(visitor.caller)
        wanted = Search(visit.id, names, None, None, first, days, asked.limit, is_staff)
        found += [
            resources.slot(world.setup, visit, each, world.numbers[each.practitioner])
            for each in await finding.find(desk, wanted, visitor.now)
            if moment_of(each.start) < last
        ]
    return resources.bundle(sorted(found, key=lambda each: each["start"])[: asked.limit])


async def read(desk: Desk, visitor: Visitor, name: str) -> Resource:
    """A slot that is free at the moment; one that is taken is gone like one that never was."""
    world = await desk.world()
    number, _, rest = name.partition(".")
    start, _, kind = rest.partition(".")
    if not (number.isdigit() and start.isdigit() and len(number + start) < 18):
        raise NotYours("There is no such slot.")
    practitioner = world.name_of(int(number))
    if practitioner not in world.clinicians or kind not in world.visits:
        raise NotYours("There is no such slot.")
    first = moment_of(int(start))
    wanted = Search(kind, (practitioner or "",), None, None, first, 1, 1)
    for each in await finding.find(desk, wanted, visitor.now):
        if each.start == int(start):
            return resources.slot(world.setup, world.visits[kind], each, int(number))
    raise NotYours("This slot is not free.")

"""The day at the desk: the calendar of a site, who is here, who waits, and booking for others."""

import asyncio
from dataclasses import dataclass
from datetime import date, datetime

from polyclinic.foundation.errors import Forbidden, NotFound, Unavailable
from polyclinic.services.portal.actions.charts import related
from polyclinic.services.portal.actions.people import People, people
from polyclinic.services.portal.actions.state import Portal, answered
from polyclinic.services.portal.actions.visits import setup_of
from polyclinic.services.portal.domain import times
from polyclinic.services.portal.domain.booking import Appointment, Setup, Site, Waiting
from polyclinic.services.portal.domain.day import Calendar, Drawn, calendar, waiting_now
from polyclinic.services.portal.domain.session import Session
from polyclinic.services.portal.gateways.appointments import NAME

VERBS = ("arrive", "check-in", "fulfil", "no-show", "undo")


@dataclass(frozen=True)
class Day:
    """A site's day: the calendar, who is here and who hopes for a place."""

    setup: Setup
    site: Site | None
    zone: str
    on: date
    today: date
    calendar: Calendar
    here: list[tuple[Appointment, int]]
    waiting: list[Waiting]
    people: People


@dataclass(frozen=True)
class Own:
    """A clinician's list, and whose charts it opens."""

    zone: str
    on: date
    today: date
    found: list[Appointment]
    people: People
    open_charts: set[str] | None


@dataclass(frozen=True)
class Visit:
    """One appointment as the desk sees it."""

    setup: Setup
    zone: str
    appointment: Appointment
    people: People


async def open_day(
    portal: Portal, session: Session, wanted: date | None, site: str, now: datetime
) -> Day:
    """A site on a date, or today by the site's own clock."""
    token = session.tokens.access
    setup = await setup_of(portal, session)
    place = setup.site(site) or next(iter(setup.sites), None)
    zone = setup.zone(site, portal.settings.time_zone)
    today = times.today_at(zone, now)
    on = wanted or today
    of, listed = await asyncio.gather(
        answered(portal, NAME, portal.appointments.day(token, on, place.id if place else "")),
        answered(portal, NAME, portal.appointments.waiting(token)),
    )
    waiting = [w for w in listed if w.status in ("waiting", "offered")]
    found = of.appointments
    clinicians = {c.practitioner for c in of.columns}
    clinicians |= {w.practitioner for w in waiting if w.practitioner}
    patients = {a.patient for a in found} | {w.patient for w in waiting}
    named = await people(portal, token, clinicians, patients)
    names = {each: named.clinician(each) for each in clinicians}
    names |= {each: named.patient(each) for each in patients}
    drawn = calendar(Drawn(zone, on, now, names), of.columns)
    here = waiting_now(found, now)
    return Day(setup, place, zone, on, today, drawn, here, waiting, named)


async def my_day(portal: Portal, session: Session, wanted: date | None, now: datetime) -> Own:
    """A clinician's own visits of a day at all sites; charts open where records knows why."""
    token = session.tokens.access
    setup = await setup_of(portal, session)
    today = times.today_at(setup.zone("", portal.settings.time_zone), now)
    on = wanted or today
    of = await answered(portal, NAME, portal.appointments.day(token, on, ""))
    mine = [a for a in of.appointments if a.practitioner == session.person]
    mine.sort(key=lambda a: (a.start, a.id))
    named = await people(portal, token, [], {a.patient for a in mine})
    try:
        open_charts = await related(portal, token, [a.patient_id for a in mine])
    except Unavailable:
        open_charts = None
    return Own(of.time_zone, on, today, mine, named, open_charts)


async def open_visit(portal: Portal, session: Session, key: str) -> Visit:
    token = session.tokens.access
    setup, found = await asyncio.gather(
        setup_of(portal, session),
        answered(portal, NAME, portal.appointments.read(token, key)),
    )
    named = await people(portal, token, [found.practitioner], [found.patient])
    return Visit(setup, setup.zone(found.site, portal.settings.time_zone), found, named)


async def mark(portal: Portal, session: Session, key: str, verb: str, turn: str) -> Appointment:
    """One step of a visit: arrived, checked in, done, not come, or the last step undone."""
    if verb not in VERBS:
        raise NotFound("There is no such step.")
    name = f"{verb}-{key}-{turn[:40]}"
    work = portal.appointments.deed(session.tokens.access, name, key, verb)
    return await answered(portal, NAME, work)


async def find_waiting(portal: Portal, session: Session, key: str) -> Waiting:
    token = session.tokens.access
    listed = await answered(portal, NAME, portal.appointments.waiting(token))
    found = next((w for w in listed if w.id == key), None)
    if found is None:
        raise NotFound("Nobody of this name is on the waiting list any more.")
    return found


async def dead_letters(portal: Portal, session: Session) -> list[tuple[str, object]]:
    """Each reacting service with its dead letters, or None where it does not answer."""
    token = session.tokens.access

    async def one(name: str) -> tuple[str, object] | None:
        try:
            found = await answered(portal, name, portal.dead_letters.of(token, name))
        except Unavailable:
            return name, None
        except Forbidden:
            return None
        return None if found is None else (name, found)

    answers = await asyncio.gather(*(one(name) for name in portal.health.names()))
    return [each for each in answers if each is not None]


async def try_again(portal: Portal, session: Session, service: str, event: str) -> None:
    if service not in portal.health.names():
        raise NotFound("There is no such service here.")
    token = session.tokens.access
    await answered(portal, service, portal.dead_letters.again(token, service, event))

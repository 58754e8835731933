"""The day at the desk: the calendar of a site, who is here, who waits, and booking for others."""

import asyncio
from dataclasses import dataclass
from datetime import date, datetime

from polyclinic.foundation.errors import Forbidden, NotFound, Unavailable
from polyclinic.services.portal.actions import drafts
from polyclinic.services.portal.actions.charts import related
from polyclinic.services.portal.actions.people import People, people
from polyclinic.services.portal.actions.state import Portal, answered
from polyclinic.services.portal.domain import times
from polyclinic.services.portal.domain.booking import Appointment, Setup, Site, Waiting
from polyclinic.services.portal.domain.day import Calendar, Drawn, calendar, waiting_now
from polyclinic.services.portal.domain.draft import Draft
from polyclinic.services.portal.domain.session import Session
from polyclinic.services.portal.gateways.appointments import NAME

VERBS = ("arrive", "check-in", "fulfil", "no-show", "undo")


@dataclass(frozen=True)
class Day:
    """A site's day: the calendar, who is here and who hopes for a place."""

    setup: Setup
    site: Site | None
    zone: str
    calendar: Calendar
    here: list[tuple[Appointment, int]]
    waiting: list[Waiting]
    people: People


@dataclass(frozen=True)
class Own:
    """A clinician's list, and whose charts it opens."""

    zone: str
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


async def open_day(portal: Portal, session: Session, on: date, site: str, now: datetime) -> Day:
    token = session.tokens.access
    setup = await answered(portal, NAME, portal.appointments.setup(token))
    place = setup.site(site) or (setup.sites[0] if setup.sites else None)
    zone = place.time_zone if place else portal.settings.time_zone
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
    return Day(setup, place, zone, drawn, waiting_now(found, now), waiting, named)


async def my_day(portal: Portal, session: Session, on: date) -> Own:
    """A clinician's own visits of a day at all sites; charts open where records knows why."""
    token = session.tokens.access
    of = await answered(portal, NAME, portal.appointments.day(token, on, ""))
    mine = [a for a in of.appointments if a.practitioner == session.person]
    mine.sort(key=lambda a: (a.start, a.id))
    named = await people(portal, token, [], {a.patient for a in mine})
    try:
        open_charts = await related(portal, token, [a.patient_id for a in mine])
    except Unavailable:
        open_charts = None
    return Own(of.time_zone, mine, named, open_charts)


async def open_visit(portal: Portal, session: Session, key: str) -> Visit:
    token = session.tokens.access
    setup, found = await asyncio.gather(
        answered(portal, NAME, portal.appointments.setup(token)),
        answered(portal, NAME, portal.appointments.read(token, key)),
    )
    named = await people(portal, token, [found.practitioner], [found.patient])
    return Visit(setup, setup.zone(found.site, portal.settings.time_zone), found, named)


async def mark(portal: Portal, session: Session, key: str, verb: str, turn: str) -> Appointment:
    """One step of a visit: arrived, checked in, done, not come, or the last step undone."""
    if verb not in VERBS:
        raise NotFound("There is no such step.")
    work = portal.appointments.deed(session.tokens.access, f"{verb}-{key}-{turn}", key, verb)
    return await answered(portal, NAME, work)


async def cancel(portal: Portal, session: Session, key: str, reason: str, turn: str) -> None:
    token = session.tokens.access
    work = portal.appointments.deed(token, f"cancel-{key}-{turn}", key, "cancel", reason)
    await answered(portal, NAME, work)


async def begin(portal: Portal, session: Session, draft: Draft, now: datetime) -> Draft:
    await drafts.save(portal, session, draft, now)
    return draft


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


def today_at(zone: str, now: datetime) -> date:
    """The date on the clinic's wall."""
    return times.local(now, zone).date()

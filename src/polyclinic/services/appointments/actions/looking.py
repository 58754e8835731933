"""Looks at appointments: one, a patient's own, a day of the clinic, an invitation to keep."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event

from polyclinic.services.appointments.actions import keeping, shown
from polyclinic.services.appointments.actions.state import Desk, Visitor
from polyclinic.services.appointments.actions.world import World
from polyclinic.services.appointments.domain import access
from polyclinic.services.appointments.domain.atoms import DAY, Range, atom_of, moment_of
from polyclinic.services.appointments.domain.hours import offers
from polyclinic.services.appointments.domain.lifecycle import CANCELLED, IN_ERROR
from polyclinic.services.appointments.domain.problems import NotYours
from polyclinic.services.appointments.domain.reading import uuid_of
from polyclinic.services.appointments.domain.setup import Clinician
from polyclinic.services.appointments.domain.values import NO_NOTE, Appointment, Note
from polyclinic.services.appointments.store import appointments

Json = dict[str, Any]
PAST_DAYS = 365


async def one(desk: Desk, visitor: Visitor, name: UUID) -> Json:
    """An appointment with its reason; the look is logged."""
    found = await desk.own(visitor, await appointments.find(desk.running.database, name), "r")
    [note] = await _notes(desk, visitor, [found])
    await desk.log_read(visitor.errand, {found.patient: 1})
    return {"appointment": shown.appointment(await desk.world(), found, note)}


async def refused(desk: Desk, visitor: Visitor, name: str, interaction: str) -> None:
    """Logs that somebody asked who may not; what is no appointment's name concerns nobody."""
    try:
        found = await appointments.find(desk.running.database, uuid_of(name))
    except NotYours:
        return
    if found is not None:
        await desk.log_denied(visitor.errand, found.patient, interaction)


async def mine(desk: Desk, visitor: Visitor, patient: str | None) -> Json:
    """All that a patient has to come, and the newest 200 of what the last year saw or cancelled."""
    whose = access.patient_for(visitor.caller, patient, "r")
    now, person = atom_of(visitor.now), desk.person(whose)
    since = now - PAST_DAYS * DAY
    listed = await appointments.of_patient(desk.running.database, person, since, now)
    notes = await _notes(desk, visitor, listed)
    await desk.log_read(visitor.errand, {whose: len(listed)})
    world = await desk.world()
    return {
        "appointments": [
            shown.appointment(world, each, note) for each, note in zip(listed, notes, strict=True)
        ]
    }


async def day(desk: Desk, visitor: Visitor, on: date, site: str | None) -> Json:
    """The clinic's day: a column for each clinician, with hours and appointments."""
    access.check_staff(visitor.caller, "r")
    world = await desk.world()
    zone = next((s.time_zone for s in world.setup.sites if site in (None, s.id)), "UTC")
    span = _span(on, zone)
    listed = await appointments.of_span(desk.running.database, span, site)
    listed = [each for each in listed if each.status not in (CANCELLED, IN_ERROR)]
    notes = await _notes(desk, visitor, listed)
    await desk.log_read(visitor.errand, dict(Counter(each.patient for each in listed)))
    blocks: dict[str, list[Json]] = {}
    for each, note in zip(listed, notes, strict=True):
        value = shown.appointment(world, each, note)
        blocks.setdefault(each.place.practitioner, []).append(value)
    known = list(world.clinicians)
    names = [*known, *(name for name in blocks if name not in world.clinicians)]
    columns = [_column(world, name, span, site, blocks.get(name, [])) for name in names]
    return {
        "date": on.isoformat(),
        "site": site,
        "time_zone": zone,
        "columns": [c for c in columns if c["hours"] or c["appointments"]],
    }


async def invitation(desk: Desk, visitor: Visitor, name: UUID) -> bytes:
    """An iCalendar invitation that says when and at which clinic, and not why or who."""
    found = await desk.own(visitor, await appointments.find(desk.running.database, name), "r")
    await desk.log_read(visitor.errand, {found.patient: 1})
    world = await desk.world()
    site = next((s for s in world.setup.sites if s.id == found.place.site), None)
    zone = ZoneInfo(site.time_zone if site else "UTC")
    event = Event()
    event.add("uid", f"{found.id}@polyclinic")
    event.add("sequence", found.version)
    event.add("dtstamp", (found.made or visitor.now).astimezone(UTC))
    event.add("dtstart", moment_of(found.place.start).astimezone(zone))
    event.add("dtend", moment_of(found.place.end).astimezone(zone))
    clinic = site.name if site else "the clinic"
    event.add("summary", f"Appointment at {clinic}")
    event.add("location", clinic)
    event.add("status", "CANCELLED" if found.status == CANCELLED else "CONFIRMED")
    event.add("class", "PRIVATE")
    calendar = Calendar()
    calendar.add("prodid", "-//polyclinic//appointments//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add_component(event)
    calendar.add_missing_timezones()
    return calendar.to_ical()


async def _notes(desk: Desk, visitor: Visitor, listed: list[Appointment]) -> list[Note]:
    """Why they come is for them and their clinician; the desk needs who and when."""
    caller = visitor.caller
    may = [access.may_read_why(caller, a.patient, a.place.practitioner) for a in listed]
    opened = await keeping.opened_notes(
        desk, [a for a, yes in zip(listed, may, strict=True) if yes]
    )
    found = iter(opened)
    return [next(found) if yes else NO_NOTE for yes in may]


def _span(on: date, zone: str) -> Range:
    """A local day, which may have 23 or 25 hours."""
    here = ZoneInfo(zone)
    begins = datetime(on.year, on.month, on.day, tzinfo=here)
    following = on + timedelta(days=1)
    ends = datetime(following.year, following.month, following.day, tzinfo=here)
    return Range(atom_of(begins), atom_of(ends))


def _column(world: World, name: str, span: Range, site: str | None, blocks: list[Json]) -> Json:
    clinician = world.clinicians.get(name)
    hours = _hours(world, clinician, span, site) if clinician else []
    return {"practitioner": name, "hours": hours, "appointments": blocks}


def _hours(world: World, clinician: Clinician, span: Range, site: str | None) -> list[Json]:
    """When somebody is there for any visit, as stretches of the day."""
    open_at: dict[str, int] = {}
    for visit in world.setup.visit_types:
        for offer in offers(world.setup, clinician, visit, span):
            if site in (None, offer.site):
                open_at[offer.site] = open_at.get(offer.site, 0) | offer.open
    found: list[Json] = []
    for where, bits in open_at.items():
        for first, last in _stretches(bits):
            times = shown.times(world, where, span.first + first, span.first + last)
            found.append({"site": where, **times})
    return sorted(found, key=lambda hours: hours["start"])


def _stretches(bits: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    at = 0
    while bits >> at:
        at += ((bits >> at) & -(bits >> at)).bit_length() - 1
        length = (~(bits >> at) & ((bits >> at) + 1)).bit_length() - 1
        found.append((at, at + length))
        at += length
    return found

"""How appointments and openings look in JSON: ids, times and states; reasons only where asked."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from polyclinic.services.appointments.actions.world import World
from polyclinic.services.appointments.domain.atoms import MINUTES, moment_of
from polyclinic.services.appointments.domain.openings import Opening
from polyclinic.services.appointments.domain.resources import instant
from polyclinic.services.appointments.domain.values import Appointment, Note

Json = dict[str, Any]


def appointment(world: World, found: Appointment, note: Note | None = None) -> Json:
    place = found.place
    visit = world.visits.get(place.visit_type)
    value: Json = {
        "id": str(found.id),
        "status": found.status,
        "version": found.version,
        "patient": found.patient,
        "practitioner": place.practitioner,
        "visit_type": place.visit_type,
        "visit_name": visit.name if visit else place.visit_type,
        "mode": visit.mode if visit else "in-person",
        "site": place.site,
        "room": _room(world, place.room),
        "overbooked": found.overbooked,
        "arrived": found.arrived,
        "checked_in": found.checked_in,
        "cancelled_by": found.cancelled_by,
        "cancel_reason": found.reason_code,
        **times(world, place.site, place.start, place.end),
    }
    if note is not None:
        value["reason"], value["comment"] = note.reason, note.comment
    return value


def opening(world: World, visit_type: str, found: Opening) -> Json:
    visit = world.visits[visit_type]
    end = found.start + -(-visit.minutes // MINUTES)
    return {
        "practitioner": found.practitioner,
        "visit_type": visit_type,
        "mode": visit.mode,
        "site": found.site,
        **times(world, found.site, found.start, end),
    }


def times(world: World, site: str, start: int, end: int) -> Json:
    """UTC, and what the clock at the site shows."""
    zone = next((s.time_zone for s in world.setup.sites if s.id == site), "UTC")
    begins, ends = moment_of(start), moment_of(end)
    return {
        "start": instant(begins),
        "end": instant(ends),
        "minutes": (end - start) * MINUTES,
        "time_zone": zone,
        "local_start": _local(begins, zone),
        "local_end": _local(ends, zone),
    }


def _local(moment: datetime, zone: str) -> str:
    return moment.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes")


def _room(world: World, number: int | None) -> str | None:
    if number is None:
        return None
    return next((name for name, known in world.room_numbers.items() if known == number), None)

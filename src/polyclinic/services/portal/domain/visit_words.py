"""An appointment in a patient's words: when, who, where, how it stands and what can be done."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from polyclinic.services.portal.domain import booking as rules
from polyclinic.services.portal.domain import times
from polyclinic.services.portal.domain.booking import PRESENT, VIDEO, Appointment, Said, Setup

# Codes of HL7's appointment-cancellation-reason, in words that one says.
CANCEL_REASONS: Mapping[str, str] = {
    "pat-fb": "I feel better",
    "pat-lt": "I cannot get there",
    "pat": "Something else came up",
}

STAFF_REASONS: Mapping[str, str] = {
    "pat": "The patient asked",
    "pat-fb": "The patient feels better",
    "prov": "The clinician cannot be there",
    "oth-room": "The room or equipment is not available",
    "oth-weath": "Weather",
    "oth-err": "Booked by mistake",
    "other": "Another reason",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a list of appointments."""

    id: str
    what: str
    who: str
    where: str
    is_video: bool
    weekday: str
    number: int
    month: str
    day: str
    time: str
    until: str
    zone_words: str
    length: str
    iso: str
    said: Said
    can_change: bool
    last_change: str
    visit_type: str
    is_coming: bool
    is_here: bool

    @property
    def named(self) -> str:
        """What makes the name of a button unique: blood pressure review, Tuesday 24 November"""
        return f"{self.what}, {self.day}, {self.time}"


def row(
    setup: Setup,
    appointment: Appointment,
    who: str,
    zone: str,
    now: datetime,
) -> Row:
    here = times.local(appointment.start, zone)
    today = times.local(now, zone).date()
    site, is_video = setup.site(appointment.site), appointment.mode == VIDEO
    room = room_words(appointment.room)
    place = ", ".join(p for p in (site.name if site else "", room) if p)
    last = rules.last_change(appointment, setup.cancel_hours)
    return Row(
        id=appointment.id,
        what=appointment.visit_name,
        who=who,
        where="Video visit" if is_video else place,
        is_video=is_video,
        weekday=times.short_weekday(here.date()),
        number=here.day,
        month=times.short_month(here.date()),
        day=times.day(appointment.start, zone, today),
        time=times.hour(appointment.start, zone),
        until=times.hour(appointment.end, zone),
        zone_words=times.zone_words(zone, appointment.start),
        length=f"{round((appointment.end - appointment.start).total_seconds() / 60)} minutes",
        iso=here.isoformat(timespec="minutes"),
        said=rules.said(appointment),
        can_change=rules.can_change(appointment, now, setup.cancel_hours),
        last_change=times.moment_words(last, zone, today),
        visit_type=appointment.visit_type,
        is_here=appointment.status in PRESENT,
        is_coming=appointment.is_standing and appointment.end > now,
    )


def room_words(room: str | None) -> str:
    """Room 4 out of room-4."""
    return room.replace("-", " ").replace("_", " ").capitalize() if room else ""

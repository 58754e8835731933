"""Appointments as the portal knows them: what can be booked, what is free, what was booked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

VIDEO = "video"
# Who is in the house, in the order in which a visit goes.
PRESENT = ("arrived", "checked-in")
GONE = ("cancelled", "noshow", "entered-in-error")


class VisitType(msgspec.Struct, frozen=True):
    """What can be booked."""

    id: str
    name: str
    minutes: int
    mode: str = "in-person"
    notice_minutes: int = 0
    horizon_days: int = 90
    patients_book: bool = True

    @property
    def is_video(self) -> bool:
        return self.mode == VIDEO

    @property
    def length(self) -> str:
        return f"{self.minutes} minutes" + (", by video" if self.is_video else "")


class Site(msgspec.Struct, frozen=True):
    """A place of the clinic."""

    id: str
    name: str
    time_zone: str
    location: str | None = None


class Clinician(msgspec.Struct, frozen=True):
    """Somebody with hours: for what, and where."""

    practitioner: str
    visit_types: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()


class Setup(msgspec.Struct, frozen=True):
    """What the clinic offers, where and by whom."""

    visit_types: tuple[VisitType, ...] = ()
    sites: tuple[Site, ...] = ()
    clinicians: tuple[Clinician, ...] = msgspec.field(name="practitioners", default=())
    cancel_hours: int = 24

    def visit_type(self, name: str) -> VisitType | None:
        return next((each for each in self.visit_types if each.id == name), None)

    def site(self, name: str) -> Site | None:
        return next((each for each in self.sites if each.id == name), None)

    def zone(self, site: str, otherwise: str) -> str:
        """A site's clock; of no site in particular, that of the clinic's first."""
        found = self.site(site) or next(iter(self.sites), None)
        return found.time_zone if found else otherwise

    def offering(self, visit_type: str) -> list[str]:
        return [c.practitioner for c in self.clinicians if visit_type in c.visit_types]


class Opening(msgspec.Struct, frozen=True):
    """A time that was free when it was asked for."""

    start: datetime
    end: datetime
    practitioner: str
    site: str
    visit_type: str

    @property
    def value(self) -> str:
        """How a form names it."""
        return f"{self.start.isoformat()} {self.practitioner} {self.site}"


class Hold(msgspec.Struct, frozen=True):
    """A place that is kept for a while."""

    id: str
    ends: datetime = msgspec.field(name="expires")


class Appointment(msgspec.Struct, frozen=True, kw_only=True):
    """A visit that was booked."""

    id: str
    patient: str
    practitioner: str
    visit_type: str
    site: str
    start: datetime
    end: datetime
    status: str
    room: str | None = None
    arrived: datetime | None = None
    checked_in: datetime | None = None
    overbooked: bool = False
    # What it was called when it was booked, should the set-up not know it any more.
    visit_name: str = "Visit"
    mode: str = "in-person"
    reason: str | None = None

    @property
    def is_standing(self) -> bool:
        return self.status not in GONE and self.status != "fulfilled"

    @property
    def patient_id(self) -> str:
        return self.patient.partition("/")[2]


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who waits for a place."""

    id: str
    patient: str
    visit_type: str
    status: str
    made: datetime = msgspec.field(name="since")
    practitioner: str | None = None
    site: str | None = None
    hold: str | None = None
    offer_ends: datetime | None = None


class Hours(msgspec.Struct, frozen=True):
    """A stretch of a day in which somebody is there."""

    start: datetime
    end: datetime


class DayColumn(msgspec.Struct, frozen=True):
    """One clinician's hours and appointments on a day."""

    practitioner: str
    hours: tuple[Hours, ...] = ()
    appointments: tuple[Appointment, ...] = ()


class DayOf(msgspec.Struct, frozen=True):
    """A site's day."""

    columns: tuple[DayColumn, ...] = ()
    time_zone: str = "UTC"

    @property
    def appointments(self) -> list[Appointment]:
        return [a for column in self.columns for a in column.appointments]


@dataclass(frozen=True, slots=True)
class Said:
    """A state as people see it: word, tone and icon together."""

    words: str
    tone: str
    icon: str


# A patient reads these; staff see them in their own words (domain/day.py).
_SAID = {
    "booked": Said("Confirmed", "ok", "check"),
    "pending": Said("Requested, not booked yet", "", "clock"),
    "proposed": Said("Requested, not booked yet", "", "clock"),
    "arrived": Said("You are here", "ok", "check"),
    "checked-in": Said("Checked in", "ok", "check"),
    "fulfilled": Said("Took place", "", "check"),
    "cancelled": Said("Canceled", "", "dash"),
    "noshow": Said("Missed", "warn", "warning"),
}


def said(appointment: Appointment) -> Said:
    return _SAID.get(appointment.status, Said("Not known", "", "info"))


def coming_up(found: Sequence[Appointment], now: datetime) -> list[Appointment]:
    """What is still to come, soonest first."""
    ahead = [a for a in found if a.is_standing and a.end > now]
    return sorted(ahead, key=lambda a: (a.start, a.id))


def clear_of(
    openings: Sequence[Opening], mine: Sequence[Appointment], moved: str | None = None
) -> list[Opening]:
    """Openings at times at which a patient is nowhere else; a visit being moved is in no way."""
    taken = [(a.start, a.end) for a in mine if a.is_standing and a.id != moved]
    return [o for o in openings if not any(o.start < end and start < o.end for start, end in taken)]


def over(found: Sequence[Appointment], now: datetime) -> list[Appointment]:
    """What is past or will not take place, newest first."""
    ahead = {a.id for a in coming_up(found, now)}
    known = [a for a in found if a.id not in ahead and a.status != "entered-in-error"]
    return sorted(known, key=lambda a: (a.start, a.id), reverse=True)


def can_change(appointment: Appointment, now: datetime, cancel_hours: int) -> bool:
    """Whether the patient may still move or cancel it without a call."""
    return appointment.status in ("booked", "pending") and now < last_change(
        appointment, cancel_hours
    )


def last_change(appointment: Appointment, cancel_hours: int) -> datetime:
    return appointment.start - timedelta(hours=cancel_hours)

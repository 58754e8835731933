"""The clinic's week as one document: visit types, sites, rooms, clinicians with their hours."""

from datetime import date
from typing import Literal

import msgspec

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Mode = Literal["in-person", "video"]
WEEKDAYS: tuple[str, ...] = (
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
)  # fmt: skip


class VisitType(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is booked: how long, how far ahead, by whom, how many at once."""

    id: str
    name: str
    minutes: int
    before: int = 0  # minutes kept free around the visit
    after: int = 0
    every: int = 15  # a visit begins this many minutes apart, counted from the rule's beginning
    notice_minutes: int = 120
    horizon_days: int = 90
    capacity: int = 1
    mode: Mode = "in-person"
    room_kind: str | None = None
    patients_book: bool = True


class Holiday(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A day on which a site is closed."""

    date: date
    name: str = ""


class Site(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place of the clinic; `location` is its FHIR Location."""

    id: str
    name: str
    time_zone: str
    location: str | None = None
    holidays: tuple[Holiday, ...] = ()


class Room(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A room that one visit at a time can have."""

    id: str
    site: str
    kind: str


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"opens": "from"}):
    """Hours of every week: whenever the clinician's wall clock shows `from` up to `to`."""

    weekday: Weekday
    opens: str
    to: str
    site: str
    visit_types: tuple[str, ...]
    valid_from: date | None = None
    valid_until: date | None = None


class Exceptional(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"opens": "from"}
):
    """One date that differs: closed (from to, or all day), or hours beside the rules."""

    date: date
    kind: Literal["closed", "extra"]
    opens: str = "00:00"
    to: str = "24:00"
    site: str | None = None
    visit_types: tuple[str, ...] = ()


class Clinician(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody with hours, who lives by the clock of `time_zone`."""

    practitioner: str
    time_zone: str
    rules: tuple[Rule, ...] = ()
    exceptions: tuple[Exceptional, ...] = ()


class Setup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of it. What is left out is no longer bookable; booked visits stay."""

    visit_types: tuple[VisitType, ...] = ()
    sites: tuple[Site, ...] = ()
    rooms: tuple[Room, ...] = ()
    clinicians: tuple[Clinician, ...] = ()


def minutes_of(clock: str) -> int:
    """The minute of the day of `09:30` (`24:00` is the day's end); raises ValueError."""
    hours, _, minutes = clock.partition(":")
    if len(hours) != 2 or len(minutes) != 2 or not (hours + minutes).isdecimal():
        raise ValueError(clock)
    found = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or found > 24 * 60:
        raise ValueError(clock)
    return found

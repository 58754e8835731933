"""Dates and times of HL7 (DT, DTM, TS): as precise as they were said, with a zone or refused."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo

from polyclinic.standards.hl7v2.faults import Malformed

YEARS = range(1800, 2200)  # of people and of what happens to them

_MOMENT = re.compile(
    r"(?P<year>\d{4})(?:(?P<month>\d\d)(?:(?P<day>\d\d)(?:(?P<hour>\d\d)(?:(?P<minute>\d\d)"
    r"(?:(?P<second>\d\d)(?:\.(?P<fraction>\d{1,6}))?)?)?)?)?)?(?P<zone>[+-]\d{4})?",
    re.ASCII,
).fullmatch
_FHIR = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(\.\d{1,4})?\d*(Z|[+-]\d\d:\d\d))?)?)?",
    re.ASCII,
).fullmatch


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time: `digits` says how many of year to second were said (4, 6, 8, 10, 12, 14).

    `at` has a zone exactly when a time was said. `twice` is True where the clocks were put back
    and the time came twice that night; the first is meant then.
    """

    at: datetime
    digits: int
    fraction: str = ""
    twice: bool = False

    @property
    def has_time(self) -> bool:
        return self.digits > 8

    @property
    def day(self) -> date | None:
        """None where only a month or year was said."""
        return self.at.date() if self.digits >= 8 else None

    def fhir(self) -> str:
        """A FHIR `dateTime`; where an hour or minute alone was said, the rest is zeros."""
        if not self.has_time:
            return self.at.strftime("%Y-%m-%d")[: self.digits + (self.digits - 4) // 2]
        text = self.at.isoformat(timespec="seconds")
        return f"{text[:19]}.{self.fraction}{text[19:]}" if self.fraction else text


def says_no_end(text: str) -> bool:
    """Whether it is one of the days by which senders say that something does not end."""
    return text.startswith(("9999", "29991231"))


def moment(text: str, zone: tzinfo | None = None, place: str = "") -> Moment:
    """`zone` holds where the text names none. Malformed says which of many things is wrong."""
    found = _MOMENT(text.strip())
    if not found:
        raise Malformed(place, "It is no date: digits from year to second, then a zone.")
    if not text.strip("0+-. "):
        raise Malformed(place, "A date of zeros is no date.")
    if found["year"] == "9999":
        raise Malformed(place, "The year 9999 says that there is no end; it is no date.")
    if int(found["year"]) not in YEARS:
        raise Malformed(place, f"The year is not within {YEARS.start} to {YEARS.stop - 1}.")
    digits = len(text.strip().partition(".")[0].partition("+")[0].partition("-")[0])
    names = {"month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0}
    parts = [int(found[name] or least) for name, least in names.items()]
    fraction = found["fraction"] or ""
    micro = int(fraction.ljust(6, "0"))
    try:
        at = datetime(int(found["year"]), *parts, microsecond=micro)  # noqa: DTZ001 - see below
    except ValueError:
        raise Malformed(place, "There is no such day or time in the calendar.") from None
    if digits <= 8:
        return Moment(at, digits)
    return _zoned(at, digits, fraction, _zone(found["zone"], zone, place), place)


def _zone(said: str | None, zone: tzinfo | None, place: str) -> tzinfo:
    if said is None:
        if zone is None:
            raise Malformed(place, "The time has no zone, and none is set for its sender.")
        return zone
    hours, minutes = int(said[1:3]), int(said[3:])
    if hours > 14 or minutes > 59:
        raise Malformed(place, "There is no such time zone.")
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if said[0] == "-" else offset)


def _zoned(at: datetime, digits: int, fraction: str, zone: tzinfo, place: str) -> Moment:
    first = at.replace(tzinfo=zone)
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != at:
        raise Malformed(place, "The clocks were put forward over this time: it did not happen.")
    twice = first.replace(fold=1).utcoffset() != first.utcoffset()
    return Moment(first, digits, fraction, twice)


def written(at: datetime) -> str:
    """DTM to the second; with a zone exactly when the moment has one."""
    return at.strftime("%Y%m%d%H%M%S%z")[:19]


def from_fhir(text: str) -> str:
    """DTM of a FHIR `date`, `dateTime` or `instant`. ValueError for what is none."""
    found = _FHIR(text)
    if not found:
        raise ValueError("no FHIR date or time")
    *parts, zone = found.groups(default="")
    offset = "+0000" if zone == "Z" else zone.replace(":", "")
    return "".join(parts) + offset

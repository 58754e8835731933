"""Dates and times of HL7 v2 in FHIR's words; what is no time is said, and never guessed."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from polyclinic.standards.hl7v2 import Malformed
from polyclinic.standards.hl7v2.moments import moment

_TM = re.compile(r"(\d\d)(?:(\d\d)(?:(\d\d)(?:\.\d{1,6})?)?)?(?:[+-]\d{4})?", re.ASCII).fullmatch


class NoTime(ValueError):
    """What stands there is no time; the text says why, without the value."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as it was sent. `date` holds what was said of the day; `at` is none without a clock.

    `doubt` says how `at` was chosen where the hour came twice.
    """

    date: str
    at: datetime | None
    doubt: str = ""

    @property
    def date_time(self) -> str:
        """A FHIR dateTime of the precision that was sent."""
        return instant(self.at) if self.at else self.date


def instant(at: datetime) -> str:
    """With an offset, and with a fraction only where there is one."""
    text = at.isoformat(timespec="milliseconds" if at.microsecond else "seconds")
    return text.replace("+00:00", "Z")


def sortable(at: datetime) -> str:
    """Texts that sort as their moments do."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read(text: str, zone: str) -> Moment:
    """Raises NoTime, also for an hour that the clock skips."""
    try:
        found = moment(text, ZoneInfo(zone))
    except Malformed as malformed:
        raise NoTime(malformed.text) from None
    if not found.has_time:
        return Moment(found.fhir(), None)
    doubt = "That hour comes twice in the channel's zone; the first holds." if found.twice else ""
    # An offset in the place of a zone: what is reckoned with it is reckoned in moments.
    at = datetime.fromisoformat(found.at.isoformat())
    return Moment(found.fhir()[: len("2026-01-01")], at, doubt)


def start_of(said: Moment, zone: str) -> datetime | None:
    """The moment, or where only a day was said, its beginning; none for less than a day."""
    if said.at is not None or len(said.date) < len("2026-01-01"):
        return said.at
    return datetime.fromisoformat(said.date).replace(tzinfo=ZoneInfo(zone))


def time_of_day(text: str) -> str:
    """A FHIR time. Raises NoTime."""
    found = _TM(text)
    if not found:
        raise NoTime("That is no time of day.")
    hour, minute, second = (int(part or 0) for part in found.groups())
    if hour > 23 or minute > 59 or second > 59:
        raise NoTime("There is no such hour.")
    return f"{hour:02}:{minute:02}:{second:02}"


def later(at: datetime, minutes: int) -> datetime:
    return at + timedelta(minutes=minutes)

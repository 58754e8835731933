"""Dates and times of HL7 v2 in FHIR's words; what is no time is said, and never guessed."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

YEAR_MIN, YEAR_MAX = 1850, 2199  # beyond it stands a typing mistake or a "never" such as 9999

_DTM = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,6}))?)?)?)?)?)?([+-]\d{4})?",
    re.ASCII,
).fullmatch
_TM = re.compile(r"(\d\d)(?:(\d\d)(?:(\d\d)(?:\.\d{1,6})?)?)?(?:[+-]\d{4})?", re.ASCII).fullmatch
_NOTHING = frozenset({"0000", "000000", "00000000", "000000000000", "00000000000000"})


class NoTime(ValueError):
    """What stands there is no time; the text says why, without the value."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as it was sent. `date` holds what was said of the day; `at` is none without a clock.

    `doubt` says how `at` was chosen where the clock was changed in that hour.
    """

    date: str
    at: datetime | None
    doubt: str = ""
    is_gap: bool = False

    @property
    def date_time(self) -> str:
        """A FHIR dateTime of the precision that was sent."""
        return instant(self.at) if self.at else self.date


def instant(at: datetime) -> str:
    """With an offset, and with a fraction only where there is one."""
    return at.isoformat(timespec="milliseconds" if at.microsecond else "seconds").replace(
        "+00:00", "Z"
    )


def sortable(at: datetime) -> str:
    """Texts that sort as their moments do."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read(text: str, zone: str) -> Moment:
    """Raises NoTime."""
    if text in _NOTHING:
        raise NoTime("Zeros stand where a time should.")
    found = _DTM(text)
    if not found:
        raise NoTime("That is no time as the standard writes one.")
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    if not YEAR_MIN <= int(year) <= YEAR_MAX:
        raise NoTime(f"The year is outside of {YEAR_MIN} to {YEAR_MAX}.")
    date = "-".join(part for part in (year, month, day) if part)
    try:
        local = datetime(  # noqa: DTZ001 - the zone comes below
            int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0),
            int(second or 0), int((fraction or "").ljust(6, "0")),
        )  # fmt: skip
        if hour is None:
            return Moment(date, None)
        if offset:
            return Moment(date, datetime.fromisoformat(f"{local.isoformat()}{offset}"))
    except ValueError:
        raise NoTime("There is no such day or hour.") from None
    return _placed(date, local, ZoneInfo(zone))


def _placed(date: str, local: datetime, zone: ZoneInfo) -> Moment:
    at = local.replace(tzinfo=zone)
    other = at.replace(fold=1)
    if at.utcoffset() == other.utcoffset():
        return Moment(date, _fixed(at))
    if at.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local:
        text = "The clock skips that hour in the channel's zone; the offset before holds."
        return Moment(date, _fixed(at), text, is_gap=True)
    return Moment(date, _fixed(at), "That hour comes twice in the channel's zone; the first holds.")


def _fixed(at: datetime) -> datetime:
    """The same moment with an offset in place of a zone."""
    return datetime.fromisoformat(at.isoformat())


def start_of(moment: Moment, zone: str) -> datetime | None:
    """The moment, or where only a day was said, its beginning; none for less than a day."""
    if moment.at is not None or len(moment.date) < len("2026-01-01"):
        return moment.at
    return datetime.fromisoformat(moment.date).replace(tzinfo=ZoneInfo(zone))


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

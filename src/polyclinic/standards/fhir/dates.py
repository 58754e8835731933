"""FHIR dates as the half-open ranges of instants that they stand for, in UTC."""

import re
from datetime import UTC, date, datetime, time, timedelta

EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)
_FORM = re.compile(
    r"[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2}"
    r"(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?)?)?"
).fullmatch
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


def date_range(text: str) -> tuple[datetime, datetime]:
    """Of a date, dateTime or instant, or the hh:mm that a search may give; ValueError otherwise.

    A time without a zone is read as UTC, as the whole days without one are.
    """
    if not _FORM(text):
        raise ValueError("A date is YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss and a zone.")
    if len(text) > 10:
        return _time_range(text)
    if len(text) == 10:
        low = datetime.combine(date.fromisoformat(text), time(), UTC)
        return low, _later(low, _DAY)
    year = int(text[:4])
    if len(text) == 7:
        month = int(text[5:])
        low = datetime(year, month, 1, tzinfo=UTC)
        return low, _start_of(year + month // 12, month % 12 + 1)
    return datetime(year, 1, 1, tzinfo=UTC), _start_of(year + 1, 1)


def instant(text: str) -> datetime:
    """The first instant of a date."""
    return date_range(text)[0]


def _time_range(text: str) -> tuple[datetime, datetime]:
    if text[16:19] == ":60":  # a leap second: FHIR allows it, datetime does not know it
        text = f"{text[:16]}:59{text[19:]}"
    low = datetime.fromisoformat(text)
    return _utc(low), _later(_utc(low), _precision(text))


def _precision(text: str) -> timedelta:
    if text[16:17] != ":":
        return timedelta(minutes=1)
    if text[19:20] != ".":
        return _SECOND
    digits = 20
    while text[digits : digits + 1].isdigit():
        digits += 1
    return max(_SECOND / 10 ** (digits - 20), timedelta.resolution)


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return EARLIEST if moment.year == 1 else LATEST


def _later(moment: datetime, span: timedelta) -> datetime:
    return moment + span if moment <= LATEST - span else LATEST


def _start_of(year: int, month: int) -> datetime:
    return datetime(year, month, 1, tzinfo=UTC) if year <= 9999 else LATEST

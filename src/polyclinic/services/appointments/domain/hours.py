"""Hours as bit masks: an instant is open while the clinician's wall clock shows the rule's time.

So what a spring forward skips falls away, and an hour that comes twice in autumn is open twice;
a rule from 09:00 begins when the clock shows 09:00 on every day of the year.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from polyclinic.services.appointments.domain.atoms import DAY, SECONDS, Range, mask
from polyclinic.services.appointments.domain.setup import (
    WEEKDAYS,
    Clinician,
    Exceptional,
    Rule,
    Setup,
    VisitType,
    minutes_of,
)

_EPOCH_DAY = date(1970, 1, 1).toordinal()


class Stretch(NamedTuple):
    """Seconds `begins` to `ends` UTC, during which the clock is `offset` seconds from UTC."""

    begins: int
    ends: int
    offset: int


@dataclass(frozen=True, slots=True)
class Offer:
    """Where a clinician offers a visit type: open atoms and possible beginnings, from a base."""

    site: str
    open: int
    starts: int


def offers(setup: Setup, clinician: Clinician, visit: VisitType, asked: Range) -> tuple[Offer, ...]:
    """By site, bit 0 being the atom `asked.first`; nothing is taken into account but the hours."""
    found: dict[str, tuple[int, int]] = {}
    holidays = {site.id: {day.date for day in site.holidays} for site in setup.sites}
    for day in _local_days(asked):
        for site, is_open, starts in _of_day(clinician, visit, day, holidays):
            before = found.get(site, (0, 0))
            found[site] = (
                before[0] | _moved(is_open, day, asked),
                before[1] | _moved(starts, day, asked),
            )
    whole = mask(0, asked.last - asked.first)
    return tuple(Offer(site, o & whole, s & whole) for site, (o, s) in found.items() if o & whole)


# A local day reaches over at most this much of UTC around its date: offsets are within ±15 hours.
_MARGIN = DAY


def _base(day: date) -> int:
    """The atom from which the masks of a local day count."""
    return (day.toordinal() - _EPOCH_DAY) * DAY - _MARGIN


def _moved(bits: int, day: date, asked: Range) -> int:
    shift = _base(day) - asked.first
    return bits << shift if shift >= 0 else bits >> -shift


def _local_days(asked: Range) -> Iterator[date]:
    first, last = asked.first // DAY - 1, -(-asked.last // DAY) + 1
    for number in range(first, last):
        yield date.fromordinal(_EPOCH_DAY + number)


def _of_day(
    clinician: Clinician, visit: VisitType, day: date, holidays: dict[str, set[date]]
) -> Iterator[tuple[str, int, int]]:
    zone = clinician.time_zone
    exceptions = [each for each in clinician.exceptions if each.date == day]
    closed = 0
    for each in exceptions:
        if each.kind == "closed":
            closed |= _open(zone, day, minutes_of(each.opens), minutes_of(each.to))
    for rule in clinician.rules:
        is_offered = visit.id in rule.visit_types and _holds(rule, day)
        if is_offered and day not in holidays.get(rule.site, ()):
            is_open, starts = _window(zone, day, rule, visit.every)
            yield rule.site, is_open & ~closed, starts & ~closed
    for each in exceptions:
        # Extra hours are said for this very date: they count on holidays and closed days too.
        if each.kind == "extra" and each.site is not None and visit.id in each.visit_types:
            yield each.site, *_window(zone, day, each, visit.every)


def _holds(rule: Rule, day: date) -> bool:
    if WEEKDAYS[day.weekday()] != rule.weekday:
        return False
    begun = rule.valid_from is None or rule.valid_from <= day
    return begun and (rule.valid_until is None or day <= rule.valid_until)


def _window(zone: str, day: date, hours: Rule | Exceptional, every: int) -> tuple[int, int]:
    opens, to = minutes_of(hours.opens), minutes_of(hours.to)
    return _open(zone, day, opens, to), _starts(zone, day, (opens, to), every)


@lru_cache(maxsize=65_536)
def _open(zone: str, day: date, opens: int, to: int) -> int:
    """The atoms during all of which the clock shows `opens` up to `to` on this date."""
    found = 0
    for begins, ends, _ in _instants(zone, day, opens, to):
        found |= mask(-(-begins // SECONDS) - _base(day), ends // SECONDS - _base(day))
    return found


@lru_cache(maxsize=65_536)
def _starts(zone: str, day: date, hours: tuple[int, int], every: int) -> int:
    """The atoms at whose beginning the clock shows `opens` plus a multiple of `every` minutes."""
    found, (opens, to) = 0, hours
    midnight = (day.toordinal() - _EPOCH_DAY) * 86_400
    for begins, ends, offset in _instants(zone, day, opens, to):
        for minute in range(opens, to, every):
            second = midnight + minute * 60 - offset
            if begins <= second < ends and second % SECONDS == 0:
                found |= 1 << (second // SECONDS - _base(day))
    return found


def _instants(zone: str, day: date, opens: int, to: int) -> Iterable[Stretch]:
    midnight = (day.toordinal() - _EPOCH_DAY) * 86_400
    for stretch in _stretches(zone, day):
        begins = max(midnight + opens * 60 - stretch.offset, stretch.begins)
        ends = min(midnight + to * 60 - stretch.offset, stretch.ends)
        if begins < ends:
            yield Stretch(begins, ends, stretch.offset)


@lru_cache(maxsize=65_536)
def _stretches(zone: str, day: date) -> tuple[Stretch, ...]:
    """The UTC around a local date, cut where the clocks are changed."""
    first = (day.toordinal() - _EPOCH_DAY) * 86_400 - 86_400
    last = first + 3 * 86_400
    cuts = [first, *_changes(zone, first, last), last]
    return tuple(Stretch(begins, ends, _offset(zone, begins)) for begins, ends in pairwise(cuts))


def _changes(zone: str, first: int, last: int) -> Iterator[int]:
    """The seconds at which a zone's offset changes; no zone changes twice within half a day."""
    step = 43_200
    for begins in range(first, last, step):
        low, high = begins, begins + step
        if _offset(zone, low) == _offset(zone, high):
            continue
        while high - low > 1:
            middle = (low + high) // 2
            if _offset(zone, middle) == _offset(zone, low):
                low = middle
            else:
                high = middle
        yield high


def _offset(zone: str, second: int) -> int:
    moment = datetime.fromtimestamp(second, UTC).astimezone(_zone(zone))
    offset = moment.utcoffset() or timedelta(0)
    return int(offset.total_seconds())


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)

"""A subject's events in order, and numbers about the days before a moment.

An event counts at an index time when it was known then (`known_at <= index`) and had happened.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from polyclinic.services.insights.domain.charts.units import UnitRefused, convert
from polyclinic.services.insights.domain.tasks.task import (
    Criterion,
    Feature,
    Moment,
    Task,
    names_it,
)

_DAY, _YEAR = 86_400.0, 365.25 * 86_400.0
_LONG_AGO = timedelta(days=36_500)
_DEMOGRAPHIC_CODES = {
    "age": ("MEDS_BIRTH",), "sex": ("SEX//*",), "discharge": ("DISCHARGE//*",)
}  # fmt: skip
Row = Mapping[str, float | str | None]
Measured = tuple[datetime, float]


class Timeline:
    """The events of one subject by code, each list in the order of time."""

    def __init__(self, events: Iterable[Moment]) -> None:
        by_code: dict[str, list[Moment]] = defaultdict(list)
        for event in events:
            by_code[event.code].append(event)
        for found in by_code.values():
            found.sort(key=_order)
        self._by_code = dict(by_code)
        self._times = {code: [each.time for each in found] for code, found in by_code.items()}

    def of(self, codes: tuple[str, ...]) -> list[Moment]:
        """All events of these codes, in the order of time."""
        found = [each for code in self._named(codes) for each in self._by_code[code]]
        return sorted(found, key=_order)

    def known(self, codes: tuple[str, ...], index: datetime, days: int | None) -> list[Moment]:
        """What had happened within the days before the index, and was known by then."""
        first = index - (timedelta(days=days) if days is not None else _LONG_AGO)
        found: list[Moment] = []
        for code in self._named(codes):
            times, events = self._times[code], self._by_code[code]
            window = events[bisect_left(times, first) : bisect_right(times, index)]
            found += [each for each in window if each.known_at <= index]
        return sorted(found, key=_order)

    def of_feature(self, feature: Feature, index: datetime) -> list[Moment]:
        """What a feature looks at: known by the index, and begun or recorded within its days."""
        if not feature.recorded or feature.days is None:
            return self.known(feature.codes, index, feature.days)
        first = index - timedelta(days=feature.days)
        ever = self.known(feature.codes, index, None)
        return [each for each in ever if each.known_at >= first]

    def _named(self, codes: tuple[str, ...]) -> list[str]:
        exact = [code for code in codes if code in self._by_code]
        if not any(code.endswith("*") for code in codes):
            return exact
        return [code for code in self._by_code if names_it(codes, code)]


def _order(event: Moment) -> tuple[datetime, datetime, str, float]:
    """Two at one moment: what was known later is the correction; then by value, to be fixed."""
    return event.time, event.known_at, event.code, event.value or 0.0


def number_of(event: Moment, unit: str, analyte: str) -> float | None:
    """The event's number in the unit, or nothing: a unit is converted or refused."""
    if event.value is None or not event.unit:
        return None
    try:
        return convert(event.value, event.unit, unit, analyte)
    except UnitRefused:
        return None


def meets(event: Moment, criterion: Criterion) -> bool:
    """Whether the event is one of the criterion's, its number within the limits."""
    if not names_it(criterion.codes, event.code):
        return False
    if not criterion.unit:
        return True
    number = number_of(event, criterion.unit, criterion.analyte)
    if number is None or (criterion.at_least is not None and number < criterion.at_least):
        return False
    return criterion.below is None or number < criterion.below


def features(
    task: Task, timeline: Timeline, index: datetime, trigger: Moment | None = None
) -> dict[str, float | str | None]:
    """The row of a subject at its index: a number, a code, or None for what is not known."""
    row: dict[str, float | str | None] = {
        name: _demographic(name, timeline, index, trigger) for name in task.demographics
    }
    for feature in task.features:
        known = timeline.of_feature(feature, index)
        measured = _measured(feature, known)
        for part in feature.of:
            row[f"{feature.name}.{part}"] = _part(part, feature, known, measured, index)
    return row


def basis(task: Task, timeline: Timeline, index: datetime) -> dict[str, tuple[str, ...]]:
    """By feature, the resources behind it: the last one, and of counts and means all of them."""
    found: dict[str, tuple[str, ...]] = {}
    for name, codes in _DEMOGRAPHIC_CODES.items():
        said = timeline.known(codes, index, None)
        found[name] = tuple(str(getattr(each, "reference", "")) for each in said[-1:])
    for feature in task.features:
        known = timeline.of_feature(feature, index)
        names = [str(getattr(each, "reference", "")) for each in known]
        for part in feature.of:
            wanted = names[-1:] if part in ("last", "age", "there") else names
            found[f"{feature.name}.{part}"] = tuple(dict.fromkeys(each for each in wanted if each))
    return found


def _demographic(
    name: str, timeline: Timeline, index: datetime, trigger: Moment | None
) -> float | str | None:
    if name == "age":
        born = timeline.known(("MEDS_BIRTH",), index, None)
        return (index - born[-1].time).total_seconds() / _YEAR if born else None
    if name == "sex":
        said = timeline.known(("SEX//*",), index, None)
        return said[-1].code.removeprefix("SEX//") if said else None
    if name == "discharge":
        return _discharge(timeline, index)
    if trigger is None or trigger.known_at > index:
        return None
    return (trigger.time - trigger.known_at).total_seconds() / _DAY


def _discharge(timeline: Timeline, index: datetime) -> str | None:
    """Where somebody went at the index itself, in the words of FHIR's discharge-disposition."""
    said = timeline.known(("DISCHARGE//*",), index, 0)
    return said[-1].code.removeprefix("DISCHARGE//") if said else None


def _measured(feature: Feature, known: Sequence[Moment]) -> list[Measured]:
    """The numbers in the feature's unit; what no living person has is left out, not cut off."""
    if not feature.unit:
        return []
    found: list[Measured] = []
    for event in known:
        number = number_of(event, feature.unit, feature.analyte)
        if number is not None and _plausible(feature, number):
            found.append((event.time, number))
    return found


def _plausible(feature: Feature, number: float) -> bool:
    low, high = feature.low, feature.high
    return (low is None or low <= number) and (high is None or number <= high)


def _part(
    part: str,
    feature: Feature,
    known: Sequence[Moment],
    measured: Sequence[Measured],
    index: datetime,
) -> float | None:
    times = [at for at, _ in measured] if feature.unit else [each.time for each in known]
    if part in ("count", "missing", "there"):
        return {
            "count": float(len(times)),
            "missing": float(not times),
            "there": float(bool(times)),
        }[part]
    if not times:
        return None
    if part == "age":
        return (index - times[-1]).total_seconds() / _DAY
    if part == "last":
        return measured[-1][1]
    return _mean(measured) if part == "mean" else _slope(measured)


def _mean(measured: Sequence[Measured]) -> float:
    return sum(number for _, number in measured) / len(measured)


def _slope(measured: Sequence[Measured]) -> float | None:
    """Least squares, in units a year; none of measurements at a single moment."""
    start = measured[0][0]
    xs = [(at - start).total_seconds() / _YEAR for at, _ in measured]
    middle, level = sum(xs) / len(xs), _mean(measured)
    spread = sum((x - middle) ** 2 for x in xs)
    if spread <= 0:
        return None
    pairs = zip(xs, measured, strict=True)
    return sum((x - middle) * (number - level) for x, (_, number) in pairs) / spread

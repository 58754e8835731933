"""Pictures as numbers: range bars, sparklines and trends in the units of an SVG's view box."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from polyclinic.services.portal.domain.results import Range, Result, Series, number


@dataclass(frozen=True, slots=True)
class Bar:
    """A track 232 wide from x = 4: the usual band on it, its numbers, and the value's dot."""

    low_x: float
    high_x: float
    dot_x: float
    low: str
    high: str
    is_outside: bool


def bar(result: Result) -> Bar | None:
    """The range bar of a result, or None without a number and a range."""
    limits, value = result.range, result.value
    if limits is None or value is None:
        return None
    start, end = _span(limits, value)

    def x(at: float) -> float:
        return round(4 + (min(max(at, start), end) - start) / (end - start) * 232, 1)

    low_x = 4.0 if limits.low is None else x(limits.low)
    high_x = 236.0 if limits.high is None else x(limits.high)
    return Bar(
        low_x,
        high_x,
        min(max(x(value), 11), 229),
        number(limits.low, limits.decimals),
        number(limits.high, limits.decimals),
        result.status.tone in {"warn", "crit"},
    )


def _span(limits: Range, value: float) -> tuple[float, float]:
    low, high = limits.low, limits.high
    if low is None or high is None:
        edge = high if high is not None else low or 0
        width = abs(edge) or 1
        start, end = (0.0, edge + width * 0.7) if low is None else (edge - width * 0.7, edge * 1.9)
        start = max(start, 0.0) if edge >= 0 else start
    else:
        width = (high - low) or abs(high) or 1
        start, end = low - width * 0.75, high + width * 0.75
    # A value far outside moves the end, not the dot's meaning.
    return min(start, value - width * 0.45), max(end, value + width * 0.45)


@dataclass(frozen=True, slots=True)
class Spark:
    """A line of at most a few years in 110 by 24, with the usual band."""

    path: str
    band_y: float | None
    band_height: float
    end_x: float
    end_y: float


def spark(series: Series, points_max: int = 12) -> Spark | None:
    points = [r.value for r in series.numeric[:points_max] if r.value is not None][::-1]
    if len(points) < 2:
        return None
    limits = series.latest.range
    near = _near(min(points), max(points), limits)
    bottom, top = min(points + near), max(points + near)
    height = (top - bottom) or 1

    def y(value: float) -> float:
        return round(21 - (min(max(value, bottom), top) - bottom) / height * 18, 1)

    step = 102 / (len(points) - 1)
    places = [(round(4 + n * step, 1), y(v)) for n, v in enumerate(points)]
    path = "M" + " L".join(f"{x} {at}" for x, at in places)
    band = _band(limits, y, (2.0, 22.0)) if limits and near else None
    return Spark(path, band and band[0], band[1] if band else 0, *places[-1])


def _near(low: float, high: float, limits: Range | None) -> list[float]:
    """The ends of the range that a picture of these values should show.

    The range's width is what makes a change large or small; only values far away from it, or an
    open range far away from the values, would press the line flat.
    """
    if limits is None:
        return []
    if limits.low is not None and limits.high is not None:
        width = limits.high - limits.low
        is_far = low > limits.high + 3 * width or high < limits.low - 3 * width
        return [] if is_far else [limits.low, limits.high]
    end = limits.high if limits.low is None else limits.low
    spread = (high - low) or abs(high) * 0.1 or 1
    is_far = end is None or not low - 2 * spread <= end <= high + 2 * spread
    return [] if end is None or is_far else [end]


def _band(
    limits: Range, y: Callable[[float], float], ends: tuple[float, float]
) -> tuple[float, float]:
    top = y(limits.high) if limits.high is not None else ends[0]
    bottom = y(limits.low) if limits.low is not None else ends[1]
    return round(top, 1), round(max(bottom - top, 2.0), 1)


@dataclass(frozen=True, slots=True)
class Dot:
    """A point of a trend and what it says."""

    x: float
    y: float
    label: str
    tone: str
    second_y: float | None = None


@dataclass(frozen=True, slots=True)
class Trend:
    """A line over time with both axes; `ticks_*` are (place, text)."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    dots: tuple[Dot, ...]
    path: str
    second_path: str
    ticks_x: tuple[tuple[float, str], ...]
    ticks_y: tuple[tuple[float, str], ...]
    band_y: float | None
    band_height: float


class _Scale:
    def __init__(self, values: tuple[float, float], places: tuple[float, float]) -> None:
        self._from, self._to = values
        self._start, self._end = places

    def __call__(self, value: float) -> float:
        span = (self._to - self._from) or 1
        return self._start + (value - self._from) / span * (self._end - self._start)


def trend(series: Series, width: int, height: int, since: date | None = None) -> Trend | None:
    """The trend of a test in a picture of this size; None with fewer than two dated numbers."""
    shown = [r for r in series.numeric[::-1] if r.when and (not since or r.when.first_day >= since)]
    if len(shown) < 2:
        return None
    values = [v for r in shown for v in (r.value, r.second) if v is not None]
    limits = series.latest.range if series.latest.second is None else None
    ticks = _nice(*_reach(values, limits), 4 if height < 240 else 5)
    left, right, top, bottom = 52, width - 18, 16, height - 34
    days = [r.when.first_day.toordinal() for r in shown if r.when]
    x = _Scale((min(days), max(days)), (left + 14, right - 10))
    y = _Scale((ticks[0], ticks[-1]), (bottom, top))
    dots = tuple(_dot(r, x, y) for r in shown)
    places = _places(ticks)
    band = _clipped(limits, ticks, y) if limits else None
    return Trend(
        width,
        height,
        left,
        right,
        top,
        bottom,
        dots,
        _line([(d.x, d.y) for d in dots]),
        _line([(d.x, d.second_y) for d in dots if d.second_y is not None]),
        tuple(_dates(min(days), max(days), x, 4 if width < 500 else 7)),
        tuple((round(y(t), 1), number(t, places)) for t in ticks),
        band and band[0],
        band[1] if band else 0,
    )


def _dot(result: Result, x: _Scale, y: _Scale) -> Dot:
    assert result.when is not None
    assert result.value is not None
    second = None if result.second is None else round(y(result.second), 1)
    said = f"{result.when.text}: {result.shown} {result.unit}".strip()
    at = round(x(result.when.first_day.toordinal()), 1)
    return Dot(at, round(y(result.value), 1), said, result.status.tone, second)


def _reach(values: Sequence[float], limits: Range | None) -> tuple[float, float]:
    low, high = min(values), max(values)
    near = _near(low, high, limits)
    low, high = min([low, *near]), max([high, *near])
    margin = ((high - low) or 1) * 0.12
    return (max(low - margin, 0) if low >= 0 else low - margin), high + margin


def _nice(low: float, high: float, count: int) -> list[float]:
    """Round numbers that enclose low and high: steps of 1, 2, 2.5 or 5 times a power of ten."""
    rough = (high - low) / count
    power = 10 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough)
    start = math.floor(low / step)
    ticks = [round((start + n) * step, 6) for n in range(count + 3)]
    enclosing = next(n for n, t in enumerate(ticks) if t >= high - step * 1e-6)
    return ticks[: enclosing + 1]


def _places(ticks: Sequence[float]) -> int:
    return max(0 if t == int(t) else len(f"{t:.3f}".rstrip("0").partition(".")[2]) for t in ticks)


def _clipped(limits: Range, ticks: Sequence[float], y: _Scale) -> tuple[float, float] | None:
    low = ticks[0] if limits.low is None else max(limits.low, ticks[0])
    high = ticks[-1] if limits.high is None else min(limits.high, ticks[-1])
    return (round(y(high), 1), round(y(low) - y(high), 1)) if low < high else None


def _line(places: Sequence[tuple[float, float | None]]) -> str:
    return "M" + " L".join(f"{x} {y}" for x, y in places) if places else ""


def _dates(start: int, end: int, x: _Scale, most: int) -> list[tuple[float, str]]:
    """Firsts of months or years, so many that their words do not touch."""
    months = (end - start) / 30.4
    step = next((s for s in (1, 2, 3, 6, 12, 24, 60, 120, 240) if months / s <= most), 480)
    at = date.fromordinal(start).replace(day=1)
    found: list[tuple[float, str]] = []
    while at.toordinal() <= end:
        aligned = (at.year * 12 + at.month - 1) % step == 0
        if aligned and at.toordinal() >= start:
            said = str(at.year) if step >= 12 else at.strftime("%b %Y" if most > 4 else "%b %y")
            found.append((round(x(at.toordinal()), 1), said))
        at = (at + timedelta(days=32)).replace(day=1)
    if found:
        return found
    ends = ((start, date.fromordinal(start)), (end, date.fromordinal(end)))
    return [(round(x(n), 1), f"{d.day} {d.strftime('%b')}") for n, d in ends]

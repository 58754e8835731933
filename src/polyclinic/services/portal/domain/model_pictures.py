"""What is measured of a model, as pictures in the units of an SVG's view box (440 by 266)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]
LEFT, RIGHT, TOP, BOTTOM = 46.0, 428.0, 14.0, 222.0
DRIFT_MAX = 0.5
# In this order along the bar; "open" is what nobody has decided about.
DECISIONS = {"done": "Done", "accepted": "In hand", "snoozed": "Snoozed", "dismissed": "Dismissed"}


@dataclass(frozen=True, slots=True)
class Plot:
    """Ticks of both axes (place, text), lines by name, and dots (x, y, radius, words)."""

    ticks_x: tuple[tuple[float, str], ...]
    ticks_y: tuple[tuple[float, str], ...]
    lines: Mapping[str, str]
    dots: tuple[tuple[float, float, float, str], ...] = ()
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a bar 400 wide: where it begins, how wide, what it is."""

    kind: str
    words: str
    count: int
    x: float
    width: float


def calibration(bars: Sequence[Json]) -> Plot | None:
    """Expected against observed, a dot for each tenth of the people; None without any."""
    if not bars:
        return None
    most = _round_up(max(max(each["expected"], each["observed"]) for each in bars))
    ticks = tuple(most * step / 4 for step in range(5))
    largest = max(each["people"] for each in bars)
    dots = tuple(
        (
            _x(each["expected"], 0, most),
            _y(each["observed"], 0, most),
            round(4 + 4 * (each["people"] / largest) ** 0.5, 1),
            _told(each),
        )
        for each in bars
    )
    line = " ".join(f"{x},{y}" for x, y, _, _ in dots)
    ideal = f"{LEFT},{BOTTOM} {RIGHT},{TOP}"
    return Plot(
        tuple((_x(tick, 0, most), f"{tick:.0%}") for tick in ticks),
        tuple((_y(tick, 0, most), f"{tick:.0%}") for tick in ticks),
        {"ideal": ideal, "line": line},
        dots,
    )


def _told(bar: Json) -> str:
    return f"{bar['people']} people: {bar['expected']:.0%} expected, {bar['observed']:.0%} came"


def decision_curve(curve: Sequence[Json], threshold: float) -> Plot | None:
    """Net benefit by threshold: the model, everybody, nobody; None without outcomes."""
    if not curve:
        return None
    high = _round_up(max(max(each["model"], each["all"], 0.01) for each in curve))
    low = -high / 4
    first, last = curve[0]["threshold"], curve[-1]["threshold"]

    def line(name: str) -> str:
        # What lies far below nobody's line says nothing more: it is drawn at the edge.
        return " ".join(
            f"{_x(each['threshold'], first, last)},{_y(max(each[name], low), low, high)}"
            for each in curve
        )

    ticks = (low, 0.0, high / 2, high)
    inside = first <= threshold <= last
    return Plot(
        tuple(
            (_x(each["threshold"], first, last), f"{each['threshold']:.0%}") for each in curve[::3]
        ),
        tuple((_y(tick, low, high), f"{tick:.3f}") for tick in ticks),
        {name: line(name) for name in ("all", "none", "model")},
        at=_x(threshold, first, last) if inside else None,
    )


def drift_width(value: float) -> float:
    """How long a feature's bar is, of 400."""
    return round(min(value / DRIFT_MAX, 1.0) * 400, 1)


def decided(counts: Mapping[str, int | None]) -> tuple[Part, ...]:
    """What people made of its lines; groups that are too small are not drawn."""
    known = {name: counts.get(name) or 0 for name in DECISIONS}
    total, x, parts = sum(known.values()), 0.0, list[Part]()
    for name, count in known.items():
        if count:
            width = round(count / total * 400, 1)
            parts.append(Part(name, DECISIONS[name], count, round(x, 1), width))
            x += width
    return tuple(parts)


def _x(value: float, low: float, high: float) -> float:
    return round(LEFT + (value - low) / ((high - low) or 1) * (RIGHT - LEFT), 1)


def _y(value: float, low: float, high: float) -> float:
    return round(BOTTOM - (value - low) / ((high - low) or 1) * (BOTTOM - TOP), 1)


def _round_up(value: float) -> float:
    """The next of 0.04, 0.1, 0.2, 0.4, 0.6, 0.8, 1: ends on which quarters read well."""
    return next((edge for edge in (0.04, 0.1, 0.2, 0.4, 0.6, 0.8) if value <= edge), 1.0)

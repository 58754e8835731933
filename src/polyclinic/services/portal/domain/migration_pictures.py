"""The move in pictures: how the old side is left day by day, waves in time, budgets used up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

Body = Mapping[str, Any]
DAYS = 90
# A capability may be retired when nobody used the old way for so many days.
QUIET_DAYS = 30
WIDTH, HEIGHT = 720, 120
_GAP = 2
# What is there at all can be seen.
_LEAST = 3


@dataclass(frozen=True, slots=True)
class Bar:
    """One day's answers of the old side."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class BurnDown:
    """Ninety days of the old side: a bar a day, the highest, all of them, and the last day."""

    bars: tuple[Bar, ...]
    most: int
    total: int
    last: date | None

    @property
    def quiet_from(self) -> float:
        """Where the days begin that must stay empty before anything is retired."""
        return WIDTH - QUIET_DAYS * WIDTH / DAYS


@dataclass(frozen=True, slots=True)
class Span:
    """A wave on the line of time, in percent of the whole plan."""

    number: int
    x: float
    width: float


def burn_down(days: Sequence[Body], today: date) -> BurnDown:
    counted = totals(days)
    line = [counted.get(today - timedelta(days=DAYS - 1 - at), 0) for at in range(DAYS)]
    most, step = max(line), WIDTH / DAYS
    bars: list[Bar] = []
    for at, count in enumerate(line):
        if count:
            height = max(round(count / most * HEIGHT, 1), _LEAST)
            bars.append(Bar(round(at * step, 1), HEIGHT - height, round(step - _GAP, 1), height))
    last = max((day for day, count in counted.items() if count), default=None)
    return BurnDown(tuple(bars), most, sum(line), last)


def totals(days: Sequence[Body]) -> dict[date, int]:
    found: dict[date, int] = {}
    for each in days:
        day = date.fromisoformat(str(each["day"]))
        found[day] = found.get(day, 0) + int(each["count"])
    return found


def spans(waves: Sequence[Body]) -> list[Span]:
    """When each wave is worked on, from its beginning until it is live."""
    times = [(date.fromisoformat(w["begins"]), date.fromisoformat(w["live"])) for w in waves]
    if not times:
        return []
    first, whole = times[0][0], max((live for _, live in times)) - times[0][0]
    long = max(whole.days, 1)
    return [
        Span(
            int(wave["number"]),
            round((begins - first).days / long * 100, 1),
            round(max((live - begins).days / long * 100, 1), 1),
        )
        for wave, (begins, live) in zip(waves, times, strict=True)
    ]


def used_up(value: float | None, budget: float) -> int | None:
    """How much of what is allowed to go wrong has gone wrong, in percent; None: nothing seen."""
    if value is None:
        return None
    return round(value / budget * 100) if budget else 100 * (value > 0)


def bars(score: Body) -> list[tuple[str, float]]:
    """The three sides of a priority, from 0 to 100."""
    sides = ("urgency", "ease", "risk")
    return [(side, round(float(score[side]) * 100, 1)) for side in sides]

"""Results: values, ranges and the words for them, newest first, grouped by day and panel."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from polyclinic.services.portal.domain.known import KNOWN, PANELS, PRESSURE
from polyclinic.services.portal.domain.reading import Moment

ADULT_YEARS = 18
RECENT_DAYS = 731


@dataclass(frozen=True, slots=True)
class Range:
    """Where values usually lie; either end may be open."""

    low: float | None
    high: float | None
    source: str  # "laboratory" or "usual adult range"
    decimals: int

    @property
    def text(self) -> str:
        """4.0–5.6, < 5.6 or > 60"""
        if self.low is None:
            return f"≤ {number(self.high, self.decimals)}"
        if self.high is None:
            return f"≥ {number(self.low, self.decimals)}"
        return f"{number(self.low, self.decimals)}–{number(self.high, self.decimals)}"

    @property
    def spoken(self) -> str:
        low, high = number(self.low, self.decimals), number(self.high, self.decimals)
        if self.low is None:
            return f"up to {high}"
        return f"{low} or more" if self.high is None else f"{low} to {high}"


@dataclass(frozen=True, slots=True)
class Status:
    """A result in words: never colour alone."""

    place: str  # in, above, below, outside, unknown
    is_just: bool = False
    is_critical: bool = False

    @property
    def tone(self) -> str:
        if self.is_critical:
            return "crit"
        return {"in": "ok", "unknown": ""}.get(self.place, "warn")

    @property
    def icon(self) -> str:
        return {"in": "check", "above": "up", "below": "down", "outside": "warning"}.get(
            self.place, "dash"
        )

    @property
    def words(self) -> str:
        """For patients."""
        if self.place == "unknown":
            return ""
        if self.is_critical:
            return f"Far {self.place} usual range"
        if self.place == "in":
            return "In usual range"
        return f"{'Just ' + self.place if self.is_just else self.place.capitalize()} usual range"

    @property
    def flag(self) -> str:
        """For staff."""
        if self.place in {"in", "unknown"}:
            return "Normal" if self.place == "in" else ""
        word = {"above": "High", "below": "Low", "outside": "Abnormal"}[self.place]
        return f"Critical {word.lower()}" if self.is_critical else word


@dataclass(frozen=True, slots=True)
class Result:
    """One measurement as it is shown."""

    id: str
    code: str
    plain: str
    short: str
    panel: str
    when: Moment | None
    value: float | None
    shown: str
    unit: str
    decimals: int
    range: Range | None
    status: Status
    note: str = ""
    second: float | None = None  # the lower number of a blood pressure

    @property
    def sentence(self) -> str:
        """The whole result in words, for those who do not see the picture."""
        usual = f"; {self.usual} {self.range.spoken}" if self.range else ""
        return f"{self.shown} {self.unit}".strip() + usual

    @property
    def usual(self) -> str:
        adult = self.range is not None and self.range.source != "laboratory"
        return "usual adult range" if adult else "usual range"

    @property
    def by_day(self) -> str:
        return self.when.iso if self.when else ""


@dataclass(frozen=True, slots=True)
class Series:
    """All results of one test, newest first."""

    code: str
    results: tuple[Result, ...]

    @property
    def latest(self) -> Result:
        return self.results[0]

    @property
    def previous(self) -> tuple[Result, ...]:
        return self.results[1:]

    @property
    def numeric(self) -> tuple[Result, ...]:
        """Those that a line can join: same unit as the latest, with a date."""
        unit = self.latest.unit
        return tuple(r for r in self.results if r.value is not None and r.unit == unit and r.when)


@dataclass(frozen=True, slots=True)
class Day:
    """The results of one day, by panel."""

    when: Moment | None
    panels: tuple[tuple[str, tuple[Result, ...]], ...]

    @property
    def count(self) -> int:
        return sum(len(results) for _, results in self.panels)

    @property
    def notable(self) -> int:
        return sum(r.status.tone in {"warn", "crit"} for _, rs in self.panels for r in rs)


@dataclass(frozen=True, slots=True)
class Person:
    """What a range depends on."""

    sex: str
    born: Moment | None

    def is_adult(self, on: Moment | None) -> bool:
        if self.born is None or on is None:
            return False
        return years_between(self.born.first_day, on.first_day) >= ADULT_YEARS


def years_between(born: date, day: date) -> int:
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def number(value: float | None, decimals: int) -> str:
    if value is None:
        return ""
    said = f"{value:.{decimals}f}"
    # Minus zero is zero.
    return said[1:] if said.startswith("-") and not said.strip("-0.") else said


def series(results: Iterable[Result]) -> list[Series]:
    """Results by test, in the order of the panels."""
    by_code: dict[str, list[Result]] = {}
    for result in results:
        by_code.setdefault(result.code, []).append(result)
    found = [Series(code, tuple(rs)) for code, rs in by_code.items()]
    order = {panel: n for n, panel in enumerate(PANELS)}
    # Blood pressure is what people look for first among the vital signs.
    known = {code: n for n, code in enumerate((*PRESSURE, *KNOWN))}
    return sorted(
        found, key=lambda s: (order[s.latest.panel], known.get(s.code, 999), s.latest.short)
    )


def days(results: Sequence[Result]) -> list[Day]:
    """Results by day, newest first, and by panel within a day."""
    found: list[Day] = []
    for _, group in groupby(results, key=lambda r: r.by_day):
        those = list(group)
        panels = tuple(
            (panel, tuple(sorted((r for r in those if r.panel == panel), key=_row)))
            for panel in PANELS
            if any(r.panel == panel for r in those)
        )
        found.append(Day(those[0].when, panels))
    return found


def notable_first(tests: Sequence[Series]) -> list[Series]:
    """Of the last two years before older ones, and in each what is out of range first."""
    dates = [s.latest.when.first_day for s in tests if s.latest.when]
    since = max(dates) - timedelta(days=RECENT_DAYS) if dates else None

    def rank(one: Series) -> tuple[bool, bool]:
        when = one.latest.when
        is_old = when is None or since is None or when.first_day < since
        return is_old, one.latest.status.tone not in {"warn", "crit"}

    return sorted(tests, key=rank)


def by_panel(tests: Sequence[Series]) -> list[tuple[str, list[Series]]]:
    """Tests under their panels, both in their usual order."""
    found = ((panel, [s for s in tests if s.latest.panel == panel]) for panel in PANELS)
    return [(panel, those) for panel, those in found if those]


def panels_of(results: Iterable[Result]) -> list[str]:
    present = {r.panel for r in results}
    return [panel for panel in PANELS if panel in present]


def _row(result: Result) -> tuple[int, str]:
    known = list(KNOWN)
    return (known.index(result.code) if result.code in KNOWN else len(known), result.short)

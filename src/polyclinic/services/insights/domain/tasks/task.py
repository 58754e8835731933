"""What a task is: when one asks, what one looks back on, what is foretold, and of whom."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


class Moment(Protocol):
    """What a task looks at: an event, or a fact at its true time; both have this shape."""

    @property
    def time(self) -> datetime: ...
    @property
    def known_at(self) -> datetime: ...
    @property
    def code(self) -> str: ...
    @property
    def value(self) -> float | None: ...
    @property
    def unit(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Criterion:
    """An event of one of these codes; `code*` stands for all that begin so.

    With `at_least` or `below` only a number in `unit` (converted, never guessed) counts.
    """

    codes: tuple[str, ...]
    at_least: float | None = None
    below: float | None = None
    unit: str = ""
    analyte: str = ""


AGGREGATES = ("last", "age", "count", "mean", "slope", "missing", "there")


@dataclass(frozen=True, slots=True)
class Feature:
    """Numbers about one kind of events in the days before the index.

    `last`, `mean` in the unit; `age` of the last in days; `slope` in units a year; `count`;
    `missing` and `there` are 1 or 0. `days` None: as far back as anything is known. `recorded`: the
    days count from when it was written down, for an old disease is a diagnosis of the stay, too.
    """

    name: str
    codes: tuple[str, ...]
    of: tuple[str, ...]
    days: int | None
    unit: str = ""
    analyte: str = ""
    low: float | None = None
    high: float | None = None
    recorded: bool = False


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Who is left out, and why: an event known `within_days` of the index (None: ever before)."""

    why: str
    criterion: Criterion
    within_days: int | None


@dataclass(frozen=True, slots=True)
class Task:
    """The definition of one prediction, read from YAML.

    `needs`: of these criteria one was met before the index, or it is not asked; () asks of all.
    """

    id: str
    version: str
    title: str
    trigger: Criterion
    pick: str
    index_offset: timedelta
    history_days: int
    age_min: float
    age_max: float
    outcome: tuple[Criterion, ...]
    gap: timedelta
    horizon: timedelta
    exclusions: tuple[Exclusion, ...]
    competing: tuple[Criterion, ...]
    censoring: str
    action: str
    action_source: str
    demographics: tuple[str, ...]
    features: tuple[Feature, ...]
    needs: tuple[Criterion, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of all features, in their order."""
        windows = (f"{each.name}.{part}" for each in self.features for part in each.of)
        return (*self.demographics, *windows)


def names_it(codes: tuple[str, ...], code: str) -> bool:
    """Whether one of the patterns names the code."""
    return any(code.startswith(each[:-1]) if each.endswith("*") else code == each for each in codes)

"""What a chart says: facts with the exact resource behind each, and what it does not say."""

from dataclasses import dataclass
from datetime import datetime

from polyclinic.services.insights.domain.charts.inputs import Answer


@dataclass(frozen=True, slots=True)
class Used:
    """One thing that a value rests on; `reference` is `Observation/<id>`, empty if only given.

    `number` is what was recorded, in `unit` as converted for the formula; `code` is the answer of
    what is no number (`yes`, `no`, `female`). `assumed`: no list names it, and so it counts as no.
    """

    input: str
    number: float | None
    code: str | None
    unit: str
    date: datetime | None
    reference: str
    version: str | None = None
    assumed: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to an input, and all that it rests on."""

    answer: Answer
    used: tuple[Used, ...]


@dataclass(frozen=True, slots=True)
class Lack:
    """An input without an answer: plain words, the codes that would give one, and why not."""

    input: str
    words: str
    codes: tuple[str, ...]
    why: str
    reference: str = ""

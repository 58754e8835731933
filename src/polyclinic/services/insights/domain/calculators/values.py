"""What a calculator is, and the four answers that it can give."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from polyclinic.services.insights.domain.charts import Answer, Input, Lack, Used

Inputs = Mapping[str, Answer]


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its UCUM unit, as a caller states it."""

    number: float
    unit: str


Given = Quantity | str | bool


@dataclass(frozen=True, slots=True)
class Reason:
    """What one input added: `points`, or its part of the logit where the formula is a regression.

    Of an additive formula the amounts sum to the score (to the logit less the constant).
    """

    input: str
    amount: float
    scale: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a formula returns: numbers by output name, reasons, and a band where a cut-off of one
    number does not decide it. `base` is the constant to which a regression adds its reasons."""

    values: Mapping[str, float]
    reasons: tuple[Reason, ...] = ()
    band: str | None = None
    base: float | None = None


Formula = Callable[[Inputs], Outcome]


@dataclass(frozen=True, slots=True)
class Output:
    """A number that comes out; `digits` is how it is rounded before a band is chosen."""

    name: str
    words: str
    unit: str
    digits: int = 0
    horizon_years: int | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """What a clinician may order with one press: a ServiceRequest or a Task, in coded words."""

    type: str
    system: str
    code: str
    display: str


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do, where it is written, and how urgent it is: info, warning or critical.

    `unless` names an input: where it is a yes (the medicine is taken already), `instead` is
    proposed, or nothing.
    """

    id: str
    text: str
    source: str
    urgency: str = "info"
    draft: Draft | None = None
    unless: str = ""
    instead: "Action | None" = None


@dataclass(frozen=True, slots=True)
class Band:
    """A range of the deciding output that means the same; `low` belongs to it."""

    name: str
    words: str
    low: float
    action: Action | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """Whom a calculator is for: `input` must be (or must not be) true of them."""

    input: Input
    must: bool
    why: str


@dataclass(frozen=True, slots=True)
class Safety:
    """An answer above `above` raises the action, whatever else is known or missing."""

    input: str
    above: float
    action: Action


@dataclass(frozen=True, slots=True)
class Together:
    """Inputs that mean something only if measured within so many hours of each other."""

    inputs: tuple[str, ...]
    hours: int


@dataclass(frozen=True, slots=True)
class Calculator:
    """One published score. `comparison_only`: shown beside another, never acted upon.

    `replaces` are calculators that ask less, or are older: the same step is proposed once.
    """

    id: str
    version: str
    title: str
    citation: str
    doi: str
    licence: str
    attribution: str
    population: str
    exclusions: tuple[str, ...]
    caution: str
    inputs: tuple[Input, ...]
    gates: tuple[Gate, ...]
    outputs: tuple[Output, ...]
    decides: str
    bands: tuple[Band, ...]
    safety: tuple[Safety, ...]
    formula: Formula
    oracles: tuple[str, ...]
    vectors: str
    comparison_only: bool = False
    replaces: tuple[str, ...] = ()
    # The values of the healthy person of the same age and sex to whom a result is compared.
    healthy: Mapping[str, Answer] = field(default_factory=dict[str, Answer])
    together: tuple[Together, ...] = ()

    @property
    def actions(self) -> tuple[Action, ...]:
        """All that it may propose."""
        of_bands = [band.action for band in self.bands if band.action]
        others = (action.instead for action in of_bands if action.instead)
        return (*of_bands, *others, *(rule.action for rule in self.safety))


@dataclass(frozen=True, slots=True)
class Value:
    """A number for people, rounded as the publication does, and the exact one behind it."""

    name: str
    number: float
    exact: float
    unit: str
    horizon_years: int | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """The score. `lacking` are optional inputs that would make it more exact.

    `assumed` names inputs that count as no only because a kept list does not name them. Of a
    regression, `base` and the reasons sum to the logit of the deciding value. `compared` is the
    deciding value of the healthy person of the same age and sex (`Calculator.healthy`).
    """

    values: tuple[Value, ...]
    band: Band | None
    used: tuple[Used, ...]
    reasons: tuple[Reason, ...]
    action: Action | None
    safety: tuple[Action, ...] = ()
    lacking: tuple[Lack, ...] = ()
    base: float | None = None
    compared: Value | None = None

    @property
    def assumed(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(each.input for each in self.used if each.assumed))

    def value(self, name: str) -> Value:
        """KeyError where there is no such output."""
        return {each.name: each for each in self.values}[name]


@dataclass(frozen=True, slots=True)
class Missing:
    """No score: these are lacking. `would_change_most` is the one that moves it furthest."""

    what: tuple[Lack, ...]
    would_change_most: str | None = None
    safety: tuple[Action, ...] = ()
    used: tuple[Used, ...] = ()


@dataclass(frozen=True, slots=True)
class OutOfRange:
    """No score: a number is outside what the formula was made for (never clamped), or, where
    `impossible`, outside what a living person can have: then it or its unit is wrong."""

    input: str
    number: float
    unit: str
    range: tuple[float, float]
    why: str
    impossible: bool = False
    reference: str = ""
    safety: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class NotForThem:
    """No score: it was not made for people like this one."""

    why: str
    used: tuple[Used, ...] = ()
    safety: tuple[Action, ...] = ()


Answered = Scored | Missing | OutOfRange | NotForThem

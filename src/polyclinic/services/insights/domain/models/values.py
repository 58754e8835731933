"""What a model is: features, terms that are added up to a logit, and its calibration."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec


class _Plain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Read from JSON as it stands; an unknown member is refused."""


class Feature(_Plain, frozen=True, forbid_unknown_fields=True):
    """One input. `low` and `high` are the range of the training data (numbers only).

    `words` name it for people; `source` says how it is found in a chart, in FHIR's words.
    """

    name: str
    kind: Literal["number", "code"]
    words: str
    unit: str = ""
    source: str = ""
    low: float | None = None
    high: float | None = None


class Axis(_Plain, frozen=True, forbid_unknown_fields=True):
    """Where a value of a feature belongs: place 0 is missing.

    Numbers: places 1 to n + 1, cut by n ascending `edges`; a number at an edge is above it. Codes:
    places 1 to n in the order of `codes`, and n + 1 for every other code.
    """

    feature: str
    edges: tuple[float, ...] | None = None
    codes: tuple[str, ...] | None = None

    @property
    def places(self) -> int:
        return len(self.edges if self.edges is not None else self.codes or ()) + 2


class Table(_Plain, frozen=True, forbid_unknown_fields=True, tag="table", tag_field="kind"):
    """A part of the logit for each place of one axis, or of two: then first axis times second,
    row by row. A table of two features counts half for each of them in what is explained."""

    axes: tuple[Axis, ...]
    values: tuple[float, ...]


class Curve(_Plain, frozen=True, forbid_unknown_fields=True, tag="curve", tag_field="kind"):
    """A B-spline of one number; constant beyond its first and last inner knot, `missing` without.

    With degree d there are d more knots on each side: len(knots) = len(weights) + d + 1.
    """

    feature: str
    degree: int
    knots: tuple[float, ...]
    weights: tuple[float, ...]
    missing: float = 0.0


Term = Table | Curve


class Line(_Plain, frozen=True, forbid_unknown_fields=True, tag="line", tag_field="kind"):
    """Platt's: calibrated logit = intercept + slope * logit. 0 and 1 change nothing."""

    intercept: float = 0.0
    slope: float = 1.0


class Joined(_Plain, frozen=True, forbid_unknown_fields=True, tag="joined", tag_field="kind"):
    """Isotonic: pairs of logits joined by straight lines, and a slope of 1 beyond the ends."""

    before: tuple[float, ...]
    after: tuple[float, ...]


Calibration = Line | Joined


class Model(_Plain, frozen=True, forbid_unknown_fields=True):
    """Everything that is needed to score, and what is known of how it came to be.

    `task` names the definition that its features come from; `horizon_days` is how far it looks.
    `record` is what a person should know: data with hash, credit, metrics, limits.
    """

    format: Literal["polyclinic-model/1"]
    id: str
    version: str
    task: str
    title: str
    horizon_days: float
    features: tuple[Feature, ...]
    base: float
    terms: tuple[Term, ...]
    calibration: Calibration
    record: Mapping[str, Any] = {}
    form: Literal["additive"] = "additive"
    digest: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the features, in their order."""
        return tuple(each.name for each in self.features)

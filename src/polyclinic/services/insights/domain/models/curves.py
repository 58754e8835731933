"""The parts of a logit: where a value stands in a table, and how high a spline is there."""

import math
from bisect import bisect_right
from collections.abc import Mapping

from polyclinic.foundation.errors import Invalid
from polyclinic.services.insights.domain.models.values import (
    Axis,
    Calibration,
    Curve,
    Joined,
    Line,
    Table,
)

Row = Mapping[str, float | str | None]


class BadRow(Invalid):
    """The values do not fit this model."""


def table(term: Table, row: Row) -> float:
    """The part of the logit of a row."""
    place = 0
    for axis in term.axes:
        place = place * axis.places + place_of(axis, row[axis.feature])
    return term.values[place]


def place_of(axis: Axis, value: float | str | None) -> int:
    """0 for what is missing; raises BadRow for a code where a number belongs, and vice versa."""
    if value is None:
        return 0
    if axis.edges is not None:
        return bisect_right(axis.edges, number(axis.feature, value)) + 1
    codes = axis.codes or ()
    if not isinstance(value, str):
        raise BadRow("This is a code, not a number.", place=axis.feature)
    return codes.index(value) + 1 if value in codes else len(codes) + 1


def number(feature: str, value: float | str) -> float:
    """A finite number; raises BadRow with the feature as its place."""
    if isinstance(value, str) or not math.isfinite(value):
        raise BadRow("This is a finite number, not a code.", place=feature)
    return value


def curve(term: Curve, row: Row) -> float:
    """De Boor's algorithm (de Boor 1978, A Practical Guide to Splines, ch. X)."""
    value = row[term.feature]
    if value is None:
        return term.missing
    degree, knots = term.degree, term.knots
    last = len(term.weights) - 1
    at = min(max(number(term.feature, value), knots[degree]), knots[last + 1])
    span = min(max(bisect_right(knots, at) - 1, degree), last)
    held = list(term.weights[span - degree : span + 1])
    for level in range(1, degree + 1):
        for step in range(degree, level - 1, -1):
            left = knots[span - degree + step]
            width = knots[span + 1 + step - level] - left
            share = (at - left) / width if width > 0 else 0.0
            held[step] = (1 - share) * held[step - 1] + share * held[step]
    return held[degree]


def calibrated(calibration: Calibration, logit: float) -> float:
    """The calibrated logit."""
    if isinstance(calibration, Line):
        return calibration.intercept + calibration.slope * logit
    return _joined(calibration, logit)


def mean_slope(calibration: Calibration, start: float, end: float) -> float:
    """How much the calibration stretches what lies between two logits."""
    if isinstance(calibration, Line):
        return calibration.slope
    # Parts that cancel each other leave no way to divide by: the slope right there is meant.
    if abs(end - start) < 1e-9:
        start, end = start - 1e-6, start + 1e-6
    return (_joined(calibration, end) - _joined(calibration, start)) / (end - start)


def _joined(calibration: Joined, logit: float) -> float:
    before, after = calibration.before, calibration.after
    if logit <= before[0]:
        return after[0] + logit - before[0]
    if logit >= before[-1]:
        return after[-1] + logit - before[-1]
    right = bisect_right(before, logit)
    share = (logit - before[right - 1]) / (before[right] - before[right - 1])
    return after[right - 1] + share * (after[right] - after[right - 1])

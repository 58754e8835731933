"""A plain model asked about many cases at once: the same numbers as `predict`, in columns."""

import numpy as np
from numpy.typing import NDArray

from polyclinic.services.insights.domain.learning.cases import Cases, Floats, Numbers
from polyclinic.services.insights.domain.models import Axis, Calibration, Curve, Line, Model, Table


def logits(model: Model, cases: Cases) -> Floats:
    """The calibrated logit of every case."""
    return calibrated(model.calibration, raw_logits(model, cases))


def raw_logits(model: Model, cases: Cases) -> Floats:
    """Before calibration."""
    total = np.full(len(cases), model.base, dtype=np.float64)
    for term in model.terms:
        total += _curve(term, cases) if isinstance(term, Curve) else _table(term, cases)
    return total


def calibrated(calibration: Calibration, raw: Floats) -> Floats:
    """As `models.curves.calibrated`, of many."""
    if isinstance(calibration, Line):
        return calibration.intercept + calibration.slope * raw
    before, after = np.asarray(calibration.before), np.asarray(calibration.after)
    inside = np.interp(raw, before, after)
    return inside + np.minimum(raw - before[0], 0) + np.maximum(raw - before[-1], 0)


def places(axis: Axis, cases: Cases) -> Numbers:
    """Where the value of every case stands on an axis."""
    column = cases.columns[axis.feature]
    if axis.edges is not None:
        numbers = np.asarray(column, dtype=np.float64)
        found = np.searchsorted(np.asarray(axis.edges), numbers, side="right") + 1
        return np.where(np.isnan(numbers), 0, found).astype(np.int64)
    codes = axis.codes or ()
    known = {code: number + 1 for number, code in enumerate(codes)} | {None: 0}
    return np.asarray([known.get(value, len(codes) + 1) for value in column], dtype=np.int64)


def _table(term: Table, cases: Cases) -> Floats:
    place: Numbers = np.zeros(len(cases), dtype=np.int64)
    for axis in term.axes:
        place = place * axis.places + places(axis, cases)
    return np.asarray(term.values)[place]


def _curve(term: Curve, cases: Cases) -> Floats:
    """De Boor's algorithm, a level at a time."""
    column: NDArray[np.float64] = np.asarray(cases.columns[term.feature], dtype=np.float64)
    knots, weights, degree = np.asarray(term.knots), np.asarray(term.weights), term.degree
    last = len(weights) - 1
    at = np.clip(np.nan_to_num(column), knots[degree], knots[last + 1])
    span = np.clip(np.searchsorted(knots, at, side="right") - 1, degree, last)
    held = [weights[span - degree + step] for step in range(degree + 1)]
    for level in range(1, degree + 1):
        for step in range(degree, level - 1, -1):
            left = knots[span - degree + step]
            width = knots[span + 1 + step - level] - left
            share = np.divide(at - left, width, out=np.zeros_like(at), where=width > 0)
            held[step] = (1 - share) * held[step - 1] + share * held[step]
    return np.where(np.isnan(column), term.missing, held[degree])

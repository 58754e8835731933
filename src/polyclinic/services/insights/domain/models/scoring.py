"""A row of values answered by a chance, and by what each value added to it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from polyclinic.services.insights.domain.models.curves import (
    BadRow,
    Row,
    calibrated,
    curve,
    mean_slope,
    number,
    table,
)
from polyclinic.services.insights.domain.models.values import Curve, Model


@dataclass(frozen=True, slots=True)
class Predicted:
    """`base` plus all `contributions` is `logit` (within 1e-6); `probability` is its logistic.

    Contributions are by feature, in log-odds, after calibration. `missing` are features without a
    value, `outside` numbers beyond the range of the training data, where a model knows nothing.
    """

    logit: float
    probability: float
    contributions: Mapping[str, float]
    base: float
    missing: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()


def predict(model: Model, row: Row) -> Predicted:
    """The chance of one row, by the names of `model.columns`; more names do no harm.

    Raises BadRow, with the feature as its place, where a name is lacking (None says: not known), a
    number is a text or not finite, or a code is a number.
    """
    missing, outside = _looked_over(model, row)
    parts = {each.name: 0.0 for each in model.features}
    for term in model.terms:
        if isinstance(term, Curve):
            parts[term.feature] += curve(term, row)
            continue
        share = table(term, row) / len(term.axes)
        for axis in term.axes:
            parts[axis.feature] += share
    raw = model.base + math.fsum(parts.values())
    # Aumann and Shapley 1974: along the straight way from the base to the logit every part is
    # stretched by the same slope, so the parts still sum to the whole.
    slope = mean_slope(model.calibration, model.base, raw)
    base, logit = (calibrated(model.calibration, each) for each in (model.base, raw))
    shown = {name: slope * part for name, part in parts.items()}
    return Predicted(logit, logistic(logit), shown, base, missing, outside)


def logistic(logit: float) -> float:
    """1 / (1 + exp(-logit)) without overflow."""
    if logit >= 0:
        return 1 / (1 + math.exp(-logit))
    grown = math.exp(logit)
    return grown / (1 + grown)


def _looked_over(model: Model, row: Row) -> tuple[tuple[str, ...], tuple[str, ...]]:
    missing: list[str] = []
    outside: list[str] = []
    for each in model.features:
        if each.name not in row:
            raise BadRow("This value is lacking; null says that it is not known.", place=each.name)
        value = row[each.name]
        if value is None:
            missing.append(each.name)
        elif each.kind == "number":
            at = number(each.name, value)
            if (each.low is not None and at < each.low) or (
                each.high is not None and at > each.high
            ):
                outside.append(each.name)
        elif not isinstance(value, str):
            raise BadRow("This is a code, not a number.", place=each.name)
    return tuple(missing), tuple(outside)

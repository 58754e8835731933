"""A feature that knows too much: what no doctor could know is told by the outcome itself."""

from typing import NamedTuple

import numpy as np

from polyclinic.services.insights.domain.learning.cases import Cases, Column, Floats
from polyclinic.services.insights.domain.learning.measures import auroc
from polyclinic.services.insights.domain.learning.splitting import by_person

# A single feature that foretells better than whole published models of these outcomes do.
TOO_GOOD = 0.9
_BINS = 20


class Suspect(NamedTuple):
    """A feature and its AUROC all alone, on persons of whom nothing was learned."""

    feature: str
    auroc: float


def suspects(cases: Cases, seed: int = 0, limit: float = TOO_GOOD) -> list[Suspect]:
    """Features that alone reach the limit: each is to be explained, or was leaked."""
    learn, ask = by_person(cases, (0.5, 0.5), seed)
    found: list[Suspect] = []
    for each in cases.features:
        rates = _rates(cases.columns[each.name], cases, learn)
        alone = auroc(cases.label[ask], rates[ask], cases.weight[ask])
        if alone >= limit:
            found.append(Suspect(each.name, alone))
    return found


def _rates(column: Column, cases: Cases, learn: np.ndarray) -> Floats:
    """For each case the share of outcomes among the learned ones of the same bin or code."""
    place = _places(column)
    share = float(np.average(cases.label[learn], weights=cases.weight[learn]))
    weight, size = cases.weight[learn], int(place.max()) + 1
    good = np.bincount(place[learn], weights=weight * cases.label[learn], minlength=size)
    every = np.bincount(place[learn], weights=weight, minlength=size)
    return ((good + share) / (every + 1))[place]


def _places(column: Column) -> np.ndarray:
    if column.dtype == object:
        return np.unique(np.asarray([str(each) for each in column]), return_inverse=True)[1]
    numbers = np.asarray(column, dtype=np.float64)
    known = numbers[~np.isnan(numbers)]
    cuts = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1))) if len(known) else known
    return np.where(np.isnan(numbers), 0, np.searchsorted(cuts, numbers) + 1)

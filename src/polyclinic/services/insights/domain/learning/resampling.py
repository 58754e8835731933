"""How sure a number is: persons are drawn again and again, each with all cases of theirs."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from polyclinic.services.insights.domain.learning.cases import Floats, Numbers

TIMES = 500


class Interval(NamedTuple):
    """A number of all, and the middle 95 % of what came out of the drawings."""

    value: float
    low: float
    high: float


def drawn(person: Numbers, weight: Floats, seed: int, times: int = TIMES) -> Iterator[Floats]:
    """Weights of each drawing: how often a person was drawn, times the weight of the case."""
    persons, index = np.unique(person, return_inverse=True)
    chance = np.random.default_rng(seed)
    for _ in range(times):
        counts = np.bincount(chance.integers(0, len(persons), len(persons)), minlength=len(persons))
        yield weight * counts[index]


def intervals(
    numbers: Callable[[Floats], dict[str, float]],
    person: Numbers,
    weight: Floats,
    seed: int,
    times: int = TIMES,
) -> dict[str, Interval]:
    """Of everything that `numbers` makes of weights; what has no number in a drawing is left out
    there."""
    found = numbers(weight)
    every = [numbers(each) for each in drawn(person, weight, seed, times)]
    return {name: _interval(value, [each[name] for each in every]) for name, value in found.items()}


def _interval(value: float, found: list[float]) -> Interval:
    known = np.asarray([each for each in found if np.isfinite(each)])
    if not len(known):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(known, (0.025, 0.975))
    return Interval(value, float(low), float(high))

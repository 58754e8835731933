"""How well foretold chances fit what came, in plain numbers: pure, for a few thousand outcomes.

Steyerberg 2010, doi:10.1097/EDE.0b013e3181c30fb2; net benefit: Vickers & Elkin 2006,
doi:10.1177/0272989X06295361.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

_EDGE = 1e-6
_STEPS, _ENOUGH = 50, 1e-9


class Seen(NamedTuple):
    """A foretold chance, 0 to 1, and whether it came."""

    chance: float
    outcome: int


class Fit(NamedTuple):
    """logit(outcome) = intercept + slope * logit(chance); 0 and 1 where the chances are right."""

    intercept: float
    slope: float


class Bar(NamedTuple):
    """One tenth of the people, by chance: how many, what was expected, what came."""

    people: int
    expected: float
    observed: float


def brier(seen: Sequence[Seen]) -> float:
    """The mean squared difference; ValueError for nobody."""
    if not seen:
        raise ValueError("There is no outcome.")
    return sum((each.chance - each.outcome) ** 2 for each in seen) / len(seen)


def base_rate_brier(seen: Sequence[Seen]) -> float:
    """Of somebody who says the same of everybody: the share to which it came."""
    share = sum(each.outcome for each in seen) / len(seen)
    return share * (1 - share)


def observed_over_expected(seen: Sequence[Seen]) -> float | None:
    expected = sum(each.chance for each in seen)
    return sum(each.outcome for each in seen) / expected if expected > 0 else None


def logit(chance: float) -> float:
    inside = min(max(chance, _EDGE), 1 - _EDGE)
    return math.log(inside / (1 - inside))


def calibration(seen: Sequence[Seen]) -> Fit | None:
    """By Newton's method; None where it has no answer: one kind of outcome, or one chance."""
    xs = [logit(each.chance) for each in seen]
    outcomes = {each.outcome for each in seen}
    if len(outcomes) < 2 or max(xs) - min(xs) < _EDGE:
        return None
    intercept, slope = 0.0, 1.0
    for _ in range(_STEPS):
        step = _newton(xs, [each.outcome for each in seen], intercept, slope)
        if step is None:
            return None
        intercept, slope = intercept + step[0], slope + step[1]
        if abs(step[0]) + abs(step[1]) < _ENOUGH:
            return Fit(intercept, slope)
        if abs(slope) > 100:  # the outcomes are split by the chance: no finite answer
            return None
    return None


def _newton(
    xs: Sequence[float], ys: Sequence[int], intercept: float, slope: float
) -> tuple[float, float] | None:
    g0 = g1 = h00 = h01 = h11 = 0.0
    for x, y in zip(xs, ys, strict=True):
        chance = 1 / (1 + math.exp(-min(max(intercept + slope * x, -35.0), 35.0)))
        weight, rest = chance * (1 - chance), y - chance
        g0, g1 = g0 + rest, g1 + rest * x
        h00, h01, h11 = h00 + weight, h01 + weight * x, h11 + weight * x * x
    area = h00 * h11 - h01 * h01
    if area <= 1e-12:
        return None
    return (h11 * g0 - h01 * g1) / area, (h00 * g1 - h01 * g0) / area


def bars(seen: Sequence[Seen], number: int = 10) -> list[Bar]:
    """As many groups of the same size, from the lowest chance to the highest."""
    ordered = sorted(seen)
    cuts = [len(ordered) * step // number for step in range(number + 1)]
    groups = [ordered[low:high] for low, high in pairwise(cuts) if high > low]
    return [
        Bar(
            len(group),
            sum(each.chance for each in group) / len(group),
            sum(each.outcome for each in group) / len(group),
        )
        for group in groups
    ]


def net_benefit(seen: Sequence[Seen], threshold: float) -> float:
    """True positives less false ones at the threshold's odds, per person."""
    if not 0 < threshold < 1:
        raise ValueError("A threshold lies between 0 and 1.")
    treated = [each.outcome for each in seen if each.chance >= threshold]
    right = sum(treated)
    return (right - (len(treated) - right) * threshold / (1 - threshold)) / len(seen)


def net_benefit_of_all(seen: Sequence[Seen], threshold: float) -> float:
    """Of treating everybody; of treating nobody it is 0."""
    return net_benefit([Seen(1.0, each.outcome) for each in seen], threshold)

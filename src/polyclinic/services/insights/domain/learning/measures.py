"""How good foretold chances are: discrimination, calibration, use. All take weights.

A weight is that of censoring (IPCW), times how often the bootstrap drew a person; 0 leaves out.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from polyclinic.services.insights.domain.learning.cases import Floats, Numbers

_EDGE = 1e-9
_STEPS = 60


class Fit(NamedTuple):
    """logit(outcome) = intercept + slope * logit(chance): 0 and 1 where the chances are right."""

    intercept: float
    slope: float


@dataclass(frozen=True, slots=True)
class Ranked:
    """Labels in the order of their scores, with ties known: ready for many weights."""

    order: Numbers
    label: Floats
    starts: Numbers

    @classmethod
    def of(cls, label: Numbers, score: Floats) -> "Ranked":
        order = np.argsort(score, kind="stable")
        ordered = score[order]
        new = np.concatenate(([True], ordered[1:] != ordered[:-1]))
        return cls(order, label[order].astype(np.float64), np.flatnonzero(new))

    def auroc(self, weight: Floats) -> float:
        """The chance that who has the outcome stands above who has not; ties count half.

        NaN where one kind of label has no weight. Hanley & McNeil 1982.
        """
        at = weight[self.order]
        good = np.add.reduceat(at * self.label, self.starts)
        bad = np.add.reduceat(at * (1 - self.label), self.starts)
        pairs = good.sum() * bad.sum()
        if pairs <= 0:
            return float("nan")
        return float(np.sum(good * (np.cumsum(bad) - bad / 2)) / pairs)

    def average_precision(self, weight: Floats) -> float:
        """The mean of the precision at each outcome, from the highest score down."""
        at = weight[self.order]
        good = np.add.reduceat(at * self.label, self.starts)[::-1]
        every = np.add.reduceat(at, self.starts)[::-1]
        total = good.sum()
        if total <= 0:
            return float("nan")
        kept = np.cumsum(every)
        precision = np.divide(np.cumsum(good), kept, out=np.zeros_like(kept), where=kept > 0)
        return float(np.sum(precision * good) / total)


def auroc(label: Numbers, score: Floats, weight: Floats) -> float:
    """As `Ranked.auroc`, of one set of weights."""
    return Ranked.of(label, score).auroc(weight)


def brier(label: Numbers, chance: Floats, weight: Floats) -> float:
    """The mean squared difference; lower is better."""
    return float(np.average((chance - label) ** 2, weights=weight))


def scaled_brier(label: Numbers, chance: Floats, weight: Floats) -> float:
    """1 less the Brier score by that of the base rate: above 0 where something was learned."""
    share = float(np.average(label, weights=weight))
    return 1 - brier(label, chance, weight) / (share * (1 - share))


def observed_over_expected(label: Numbers, chance: Floats, weight: Floats) -> float:
    return float(np.sum(weight * label) / np.sum(weight * chance))


def bins_of(chance: Floats, number: int = 10) -> Numbers:
    """The tenth of the people in which each chance lies; equal chances stay together."""
    cuts = np.quantile(chance, np.linspace(0, 1, number + 1)[1:-1])
    return np.searchsorted(np.unique(cuts), chance, side="left").astype(np.int64)


def ece(label: Numbers, chance: Floats, weight: Floats, bins: Numbers) -> float:
    """Expected calibration error: |observed - expected| of each bin, by the bin's weight."""
    gap = np.bincount(bins, weights=weight * (label - chance))
    return float(np.sum(np.abs(gap)) / np.sum(weight))


def ece_by_chance(chance: Floats, weight: Floats, bins: Numbers, seed: int) -> float:
    """The mean error that ones who were right about everybody would show all the same: outcomes
    are drawn 200 times with these very chances."""
    drawing = np.random.default_rng(seed)
    found = [
        ece((drawing.random(len(chance)) < chance).astype(np.int64), chance, weight, bins)
        for _ in range(200)
    ]
    return float(np.mean(found))


def logit(chance: Floats) -> Floats:
    inside = np.clip(chance, _EDGE, 1 - _EDGE)
    return np.log(inside / (1 - inside))


def expit(logits: Floats) -> Floats:
    """Chances of logits, without overflow."""
    half = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1 / (1 + half), half / (1 + half))


def calibration(label: Numbers, logits: Floats, weight: Floats, start: Fit | None = None) -> Fit:
    """By Newton's method; NaN where there is no finite answer. Cox 1958."""
    intercept, slope = start if start and np.isfinite(start.slope) else Fit(0.0, 1.0)
    for _ in range(_STEPS):
        chance = expit(intercept + slope * logits)
        rest, spread = weight * (label - chance), weight * chance * (1 - chance)
        g0, g1 = float(rest.sum()), float(np.dot(rest, logits))
        h00, h01 = float(spread.sum()), float(np.dot(spread, logits))
        h11 = float(np.dot(spread, logits**2))
        area = h00 * h11 - h01 * h01
        if area <= 1e-12 or abs(slope) > 100:
            break
        step = (h11 * g0 - h01 * g1) / area, (h00 * g1 - h01 * g0) / area
        intercept, slope = intercept + step[0], slope + step[1]
        if abs(step[0]) + abs(step[1]) < 1e-8:
            return Fit(intercept, slope)
    return Fit(float("nan"), float("nan"))


def net_benefit(label: Numbers, chance: Floats, weight: Floats, threshold: float) -> float:
    """True positives less false ones at the threshold's odds, a person. Vickers & Elkin 2006."""
    treated = weight * (chance >= threshold)
    right = float(np.sum(treated * label))
    wrong = float(np.sum(treated)) - right
    return (right - wrong * threshold / (1 - threshold)) / float(np.sum(weight))


class Top(NamedTuple):
    """Of the people with the highest chances: the share with the outcome, and the share of all
    outcomes that is among them."""

    ppv: float
    sensitivity: float


def top(
    label: Numbers, chance: Floats, weight: Floats, share: float, order: Numbers | None = None
) -> Top:
    """Of the highest `share` of the people (by weight), ties in their order; `order` where the
    places from the highest down are known already."""
    if order is None:
        order = np.argsort(-chance, kind="stable")
    at = weight[order]
    chosen = at * (np.cumsum(at) <= share * weight.sum() + 1e-12)
    right = float(np.dot(chosen, label[order]))
    total, events = float(chosen.sum()), float(np.dot(weight, label))
    return Top(right / total if total else float("nan"), right / events if events else float("nan"))

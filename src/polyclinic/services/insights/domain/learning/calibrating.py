"""Chances that mean what they say: a map of logits, learned on cases of its own.

Platt with fewer than 1,000 outcomes, else isotonic: it takes any shape, and as many outcomes to
know it (Niculescu-Mizil & Caruana 2005, doi:10.1145/1102351.1102430).
"""

from typing import NamedTuple

import numpy as np

from polyclinic.services.insights.domain.learning.cases import Floats, Numbers
from polyclinic.services.insights.domain.learning.measures import calibration, logit
from polyclinic.services.insights.domain.models import Calibration, Joined, Line

ISOTONIC_FROM = 1000
# A block of fewer people says too little of itself, and 0 or 1 has no logit.
BLOCK_MIN = 50.0


def calibrate(label: Numbers, logits: Floats, weight: Floats) -> Calibration:
    """The map that fits these cases: isotonic from 1,000 outcomes on, else Platt's."""
    events = int(np.sum((label == 1) & (weight > 0)))
    if events >= ISOTONIC_FROM:
        return isotonic(label, logits, weight)
    return platt(label, logits, weight)


def platt(label: Numbers, logits: Floats, weight: Floats) -> Line:
    """A line; where it would turn the order around, or has no answer, only its height is moved."""
    fit = calibration(label, logits, weight)
    if np.isfinite(fit.slope) and fit.slope > 0:
        return Line(fit.intercept, fit.slope)
    share = float(np.average(label, weights=weight))
    moved = float(logit(np.asarray([share]))[0]) - float(np.average(logits, weights=weight))
    return Line(moved, 1.0)


def isotonic(label: Numbers, logits: Floats, weight: Floats) -> Joined:
    """Blocks by pooling adjacent violators, joined in their middles (Oron & Flournoy 2017,
    doi:10.1080/19466315.2017.1286256): no two people become equal who were not."""
    counted = weight > 0
    places, index = np.unique(logits[counted], return_inverse=True)
    weights = np.bincount(index, weights=weight[counted]).astype(np.float64)
    shares = np.bincount(index, weights=weight[counted] * label[counted]) / weights
    blocks = pooled(shares, weights, places)
    after = logit(np.asarray([_inside(block.share, block.weight) for block in blocks]))
    after = np.maximum.accumulate(after)
    return Joined(tuple(each.place for each in blocks), tuple(float(each) for each in after))


def _inside(rate: float, size: float) -> float:
    """Not nearer to 0 or 1 than half a person of the block."""
    return min(max(rate, 0.5 / (size + 1)), 1 - 0.5 / (size + 1))


class Block(NamedTuple):
    """People who get one chance: the share with the outcome, their weight, their mean place."""

    share: float
    weight: float
    place: float

    def and_(self, other: "Block") -> "Block":
        total = self.weight + other.weight
        part = other.weight / total
        return Block(
            self.share + part * (other.share - self.share),
            total,
            self.place + part * (other.place - self.place),
        )


def pooled(shares: Floats, weights: Floats, places: Floats) -> list[Block]:
    """Blocks with ascending shares, of places that ascend; one lighter than BLOCK_MIN joins the
    one before it (the first one, the one behind it)."""
    blocks: list[Block] = []
    for each in map(Block, shares.tolist(), weights.tolist(), places.tolist()):
        block = each
        while blocks and blocks[-1].share >= block.share:
            block = blocks.pop().and_(block)
        blocks.append(block)
    heavy: list[Block] = []
    for block in blocks:
        if heavy and min(block.weight, heavy[-1].weight) < BLOCK_MIN:
            heavy[-1] = heavy[-1].and_(block)
        else:
            heavy.append(block)
    return heavy

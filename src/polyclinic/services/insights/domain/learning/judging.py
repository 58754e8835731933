"""What is said of a candidate on cases that it never saw: numbers, how sure they are, for whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from polyclinic.services.insights.domain.learning import measures
from polyclinic.services.insights.domain.learning.cases import Cases, Floats
from polyclinic.services.insights.domain.learning.measures import Ranked
from polyclinic.services.insights.domain.learning.resampling import (
    TIMES,
    Interval,
    drawn,
    intervals,
)

# Fewer say little, and a little about somebody.
PEOPLE_MIN, EVENTS_MIN = 100, 10
_GROUP_TIMES = 200
# The simplest candidate wins as long as it loses less than this to the best. Source: the project's
# reference on insights; a tenth of what separates a fair score from a good one.
MARGIN = 0.01


@dataclass(frozen=True, slots=True)
class Use:
    """How it is to be used: chances from which one acts, and the share that one has time for."""

    thresholds: tuple[float, ...]
    capacity: float


def judge(
    cases: Cases, logits: Floats, use: Use, seed: int, times: int = TIMES
) -> dict[str, Interval]:
    """auroc, ap, brier, scaled_brier, intercept, slope, oe, ece, ppv, sensitivity, and
    `benefit@t` with `benefit_of_all@t` for each threshold; intervals by drawing persons."""
    label, chance = cases.label, measures.expit(logits)
    ranked, bins = Ranked.of(label, logits), measures.bins_of(chance)
    order = np.argsort(-chance, kind="stable")
    start = measures.calibration(label, logits, cases.weight)

    def numbers(weight: Floats) -> dict[str, float]:
        fit = measures.calibration(label, logits, weight, start)
        top = measures.top(label, chance, weight, use.capacity, order)
        found = {
            "auroc": ranked.auroc(weight),
            "ap": ranked.average_precision(weight),
            "brier": measures.brier(label, chance, weight),
            "scaled_brier": measures.scaled_brier(label, chance, weight),
            "intercept": fit.intercept,
            "slope": fit.slope,
            "oe": measures.observed_over_expected(label, chance, weight),
            "ece": measures.ece(label, chance, weight, bins),
            "ppv": top.ppv,
            "sensitivity": top.sensitivity,
        }
        for each in use.thresholds:
            found[f"benefit@{each}"] = measures.net_benefit(label, chance, weight, each)
            rate = float(np.average(label, weights=weight))
            found[f"benefit_of_all@{each}"] = rate - (1 - rate) * each / (1 - each)
        return found

    return intervals(numbers, cases.person, cases.weight, seed, times)


def judge_briefly(
    cases: Cases, logits: Mapping[str, Floats], seed: int, times: int = TIMES
) -> dict[str, dict[str, Interval]]:
    """Each one's auroc, brier, and brier_gap to that of the best AUROC, in the same drawings."""
    chances = {name: measures.expit(each) for name, each in logits.items()}
    ranked = {name: Ranked.of(cases.label, each) for name, each in logits.items()}
    plain = {name: each.auroc(cases.weight) for name, each in ranked.items()}
    best = max(plain, key=lambda name: plain[name])

    def numbers(weight: Floats) -> dict[str, float]:
        briers = {name: measures.brier(cases.label, each, weight) for name, each in chances.items()}
        found: dict[str, float] = {}
        for name in logits:
            found[f"{name}|auroc"] = ranked[name].auroc(weight)
            found[f"{name}|brier"] = briers[name]
            found[f"{name}|brier_gap"] = briers[name] - briers[best]
        return found

    every = intervals(numbers, cases.person, cases.weight, seed, times)
    kinds = ("auroc", "brier", "brier_gap")
    return {name: {kind: every[f"{name}|{kind}"] for kind in kinds} for name in logits}


def choose(judged: Mapping[str, Mapping[str, Interval]]) -> str:
    """The first (they stand from the simplest on) whose AUROC is within 0.01 of the best and whose
    Brier score is not surely worse: the interval of its gap to the best's begins at 0 or below."""
    best = max(each["auroc"].value for each in judged.values())
    for name, each in judged.items():
        near = each["auroc"].value >= best - MARGIN
        if near and each["brier_gap"].low <= 1e-12:
            return name
    raise ValueError("There is no candidate.")


@dataclass(frozen=True, slots=True)
class Group:
    """Some of the people: numbers are None where they are too few to be shown."""

    name: str
    people: int | None
    events: int | None
    auroc: Interval | None
    oe: Interval | None
    missed: float | None


def groups(
    cases: Cases,
    logits: Floats,
    masks: Sequence[tuple[str, NDArray[np.bool_]]],
    threshold: float,
    seed: int,
) -> list[Group]:
    """Each group's AUROC, observed over expected, and the share of its outcomes that lie below the
    threshold. Below 100 people, or 10 with or without the outcome, nothing is said."""
    return [_group(cases.take(mask), logits[mask], name, threshold, seed) for name, mask in masks]


def _group(cases: Cases, logits: Floats, name: str, threshold: float, seed: int) -> Group:
    counted = cases.weight > 0
    people, events = int(counted.sum()), cases.events
    if people < PEOPLE_MIN or min(events, people - events) < EVENTS_MIN:
        return Group(name, None, None, None, None, None)
    chance, ranked = measures.expit(logits), Ranked.of(cases.label, logits)

    def numbers(weight: Floats) -> dict[str, float]:
        ratio = measures.observed_over_expected(cases.label, chance, weight)
        return {"auroc": ranked.auroc(weight), "oe": ratio}

    found = intervals(numbers, cases.person, cases.weight, seed, _GROUP_TIMES)
    had = cases.weight * cases.label
    missed = float(np.sum(had * (chance < threshold)) / np.sum(had))
    return Group(name, people, events, found["auroc"], found["oe"], missed)


def difference(cases: Cases, one: Floats, other: Floats, seed: int, times: int = TIMES) -> Interval:
    """AUROC of one less that of another, in the same drawings of persons."""
    first, second = Ranked.of(cases.label, one), Ranked.of(cases.label, other)
    found = [
        first.auroc(weight) - second.auroc(weight)
        for weight in drawn(cases.person, cases.weight, seed, times)
    ]
    low, high = np.quantile(found, (0.025, 0.975))
    value = first.auroc(cases.weight) - second.auroc(cases.weight)
    return Interval(value, float(low), float(high))

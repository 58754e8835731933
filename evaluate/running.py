"""Studies carried out: every candidate learned, calibrated, asked, judged; the goals compared."""

from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np

from evaluate.study import SEED, Goal, Round, Study
from polyclinic.services.insights.domain.learning.cases import Cases
from polyclinic.services.insights.domain.learning.judging import (
    Group,
    choose,
    difference,
    groups,
    judge,
    judge_briefly,
)
from polyclinic.services.insights.domain.learning.leaks import Suspect, suspects
from polyclinic.services.insights.domain.learning.measures import (
    auroc,
    bins_of,
    ece,
    ece_by_chance,
    expit,
    observed_over_expected,
)
from polyclinic.services.insights.domain.learning.procedure import Learning, across, in_a_window
from polyclinic.services.insights.domain.learning.resampling import TIMES, Interval

Told = Callable[[str], None]


@dataclass(frozen=True)
class Met:
    """A goal with what came out."""

    goal: Goal
    value: float
    reached: bool


@dataclass(frozen=True)
class Result:
    """Everything that is printed of a study; `full` and `by_chance` are of the chosen candidate."""

    study: Study
    people: int
    cases: int
    events: int
    rate: float
    best: str
    chosen: str
    brief: dict[str, dict[str, Interval]]
    full: dict[str, dict[str, Interval]]  # subset, measure
    of_best: dict[str, dict[str, float]]  # subset, measure
    by_chance: dict[str, float]  # subset: the ECE of a model that is right about everybody
    groups: list[Group]
    gap: Interval | None
    met: list[Met]
    suspects: list[Suspect]
    curve: list[tuple[float, float, float]]


def learning(study: Study, each: Round) -> Learning:
    """How candidates are learned and calibrated in this round."""
    learn = study.cases.take(each.learn)
    if each.window is None:
        return across(learn, SEED)
    return in_a_window(learn, study.cases.take(each.window), study.apart)


def run_all(studies: list[Study], told: Told, times: int = TIMES, workers: int = 2) -> list[Result]:
    """As many fits at a time as there are workers, forked: they know the studies without being told
    (what a study holds cannot be sent). Each has a seed of its own, so their order is no matter."""
    logits = [
        {name: np.full(len(each.cases), np.nan) for name in each.candidates} for each in studies
    ]
    asking = [
        (at, number, name)
        for at, each in enumerate(studies)
        for name in reversed(each.candidates)  # the slowest first
        for number in range(len(each.rounds))
    ]
    with _pool(workers, studies, logits) as pool:
        asked = {job: pool.submit(_asked, *job) for job in asking}
        for (at, number, name), answer in asked.items():
            told(f"{studies[at].id}: {name}, round {number + 1} of {len(studies[at].rounds)}")
            logits[at][name][studies[at].rounds[number].ask] = answer.result()
    with _pool(workers, studies, logits) as pool:
        judging = [pool.submit(_judged, at, times) for at in range(len(studies))]
        results: list[Result] = []
        for study, answer in zip(studies, judging, strict=True):
            told(f"{study.id}: {times} drawings")
            results.append(Result(study=study, **answer.result()))
    return results


_Logits = list[dict[str, np.ndarray]]
# What a worker was forked with.
_KNOWN: list[tuple[list[Study], _Logits]] = []


def _pool(workers: int, studies: list[Study], logits: _Logits) -> Executor:
    _KNOWN[:] = [(studies, logits)]
    return ProcessPoolExecutor(workers, mp_context=get_context("fork"))


def _asked(at: int, number: int, name: str) -> np.ndarray:
    study = _KNOWN[0][0][at]
    each = study.rounds[number]
    learned = learning(study, each)(study.candidates[name])
    return learned.logits(study.cases.take(each.ask))


def _judged(at: int, times: int) -> dict[str, Any]:
    """Everything of a Result but its study, which cannot be sent."""
    studies, every = _KNOWN[0]
    study, asked = studies[at], np.zeros(len(studies[at].cases), dtype=bool)
    for each in study.rounds:
        asked |= each.ask
    logits = {name: each[asked] for name, each in every[at].items()}
    return _numbers(study, asked, logits, times)


def _numbers(study: Study, asked: np.ndarray, logits: dict, times: int) -> dict[str, Any]:
    cases = study.cases.take(asked)
    subsets = {"all": np.ones(len(cases), dtype=bool)}
    subsets |= {name: mask[asked] for name, mask in study.subsets.items()}
    brief = judge_briefly(cases, logits, SEED, times)
    best = max(brief, key=lambda name: brief[name]["auroc"].value)
    chosen = choose(brief)
    full = {
        part: judge(cases.take(mask), logits[chosen][mask], study.use, SEED, times)
        for part, mask in subsets.items()
    }
    of_best = {
        part: _briefly(cases.take(mask), logits[best][mask]) for part, mask in subsets.items()
    }
    by_chance = {
        part: _by_chance(logits[chosen][mask], cases.weight[mask]) for part, mask in subsets.items()
    }
    masks = [(name, mask[asked]) for name, mask in study.groups]
    pair = study.compared
    gap = difference(cases, logits[pair[0]], logits[pair[1]], SEED, times) if pair else None
    return {
        "people": len(np.unique(cases.person)),
        "cases": len(cases),
        "events": cases.events,
        "rate": float(np.average(cases.label, weights=cases.weight)),
        "best": best,
        "chosen": chosen,
        "brief": brief,
        "full": full,
        "of_best": of_best,
        "by_chance": by_chance,
        "groups": groups(cases, logits[chosen], masks, study.use.thresholds[0], SEED),
        "gap": gap,
        "met": [_met(goal, full, of_best) for goal in study.goals],
        "suspects": suspects(study.cases),
        "curve": _curve(cases, logits[chosen]),
    }


def _briefly(cases: Cases, logits: np.ndarray) -> dict[str, float]:
    label, weight, chance = cases.label, cases.weight, expit(logits)
    return {
        "auroc": auroc(label, logits, weight),
        "ece": ece(label, chance, weight, bins_of(chance)),
        "oe": observed_over_expected(label, chance, weight),
    }


def _by_chance(logits: np.ndarray, weight: np.ndarray) -> float:
    chance = expit(logits)
    return ece_by_chance(chance, weight, bins_of(chance), SEED)


def _met(
    goal: Goal, full: dict[str, dict[str, Interval]], best: dict[str, dict[str, float]]
) -> Met:
    chosen = full[goal.subset][goal.measure].value
    value = best[goal.subset][goal.measure] if goal.of == "best" else chosen
    return Met(goal, value, value >= goal.limit if goal.at_least else value <= goal.limit)


def _curve(cases: Cases, logits: np.ndarray) -> list[tuple[float, float, float]]:
    """Expected, observed and share of the people, by tenths of the chance: to be drawn."""
    chance = 1 / (1 + np.exp(-logits))
    order = np.argsort(chance, kind="stable")
    found: list[tuple[float, float, float]] = []
    for part in np.array_split(order, 10):
        weight = cases.weight[part]
        if weight.sum() > 0:
            expected = float(np.average(chance[part], weights=weight))
            observed = float(np.average(cases.label[part], weights=weight))
            found.append((expected, observed, float(weight.sum() / cases.weight.sum())))
    return found

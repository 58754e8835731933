"""A study carried out: every candidate learned, calibrated, asked, judged; the goals compared."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from evaluate.study import SEED, Goal, Round, Study
from polyclinic.services.insights.domain.learning.cases import Cases
from polyclinic.services.insights.domain.learning.fitting import Fitting
from polyclinic.services.insights.domain.learning.judging import (
    Group,
    choose,
    difference,
    groups,
    judge,
    judge_briefly,
)
from polyclinic.services.insights.domain.learning.leaks import Suspect, suspects
from polyclinic.services.insights.domain.learning.measures import auroc
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
    """Everything that is printed of a study; `full` is of the chosen candidate."""

    study: Study
    people: int
    cases: int
    events: int
    rate: float
    best: str
    chosen: str
    brief: dict[str, dict[str, Interval]]
    full: dict[str, dict[str, Interval]]  # subset, measure
    groups: list[Group]
    gap: Interval | None
    met: list[Met]
    suspects: list[Suspect]
    curve: list[tuple[float, float, float]]


def learning(cases: Cases, each: Round) -> Learning:
    """How candidates are learned and calibrated in this round."""
    if each.window is None:
        return across(cases.take(each.learn), SEED)
    return in_a_window(cases.take(each.learn), cases.take(each.window))


def run(study: Study, told: Told, times: int = TIMES) -> Result:
    asked = np.zeros(len(study.cases), dtype=bool)
    logits = {name: np.full(len(study.cases), np.nan) for name in study.candidates}
    for number, each in enumerate(study.rounds, 1):
        asked |= each.ask
        learned = learning(study.cases, each)
        for name, fitting in study.candidates.items():
            told(f"{study.id}: {name}, round {number} of {len(study.rounds)}")
            logits[name][each.ask] = _asked(learned, fitting, study.cases.take(each.ask))
    told(f"{study.id}: {times} drawings")
    return _judged(study, asked, {name: each[asked] for name, each in logits.items()}, times)


def _asked(learned: Learning, fitting: Fitting, cases: Cases) -> np.ndarray:
    return learned(fitting).logits(cases)


def _judged(study: Study, asked: np.ndarray, logits: dict, times: int) -> Result:
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
    best_auroc = {
        part: auroc(cases.label[mask], logits[best][mask], cases.weight[mask])
        for part, mask in subsets.items()
    }
    masks = [(name, mask[asked]) for name, mask in study.groups]
    pair = study.compared
    return Result(
        study=study, people=len(np.unique(cases.person)), cases=len(cases), events=cases.events,
        rate=float(np.average(cases.label, weights=cases.weight)), best=best, chosen=chosen,
        brief=brief, full=full,
        groups=groups(cases, logits[chosen], masks, study.use.thresholds[0], SEED),
        gap=difference(cases, logits[pair[0]], logits[pair[1]], SEED, times) if pair else None,
        met=[_met(goal, full, best_auroc) for goal in study.goals],
        suspects=suspects(study.cases), curve=_curve(cases, logits[chosen]),
    )  # fmt: skip


def _met(goal: Goal, full: dict[str, dict[str, Interval]], best: dict[str, float]) -> Met:
    value = best[goal.subset] if goal.of == "best" else full[goal.subset][goal.measure].value
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

"""Which of several missing inputs would move a score furthest."""

import math
from collections.abc import Mapping, Sequence
from itertools import product

from polyclinic.services.insights.domain.calculators.values import Calculator
from polyclinic.services.insights.domain.charts import Answer, Input, Lack

# Beyond this many the question has no useful answer, and trying all ends would cost too much.
_CHOICES_MAX = 256


def most_telling(
    calculator: Calculator, known: Mapping[str, Answer], lacks: Sequence[Lack]
) -> str | None:
    """The lacking input between whose two ends the deciding number differs most.

    Every other lacking input is tried at both of its ends, so that no middle has to be invented;
    None where an end is not known, or too many are lacking.
    """
    names = {lack.input for lack in lacks}
    wanted = {each.name: each for each in calculator.inputs if each.name in names}
    ends = {name: _ends(each) for name, each in wanted.items()}
    if len(wanted) < len(names) or not all(ends.values()):
        return None
    if math.prod(len(each) for each in ends.values()) > _CHOICES_MAX:
        return None
    if len(names) == 1:
        return next(iter(names))
    scores = {
        choice: _score(calculator, {**known, **dict(zip(ends, choice, strict=True))})
        for choice in product(*ends.values())
    }
    return max(ends, key=lambda name: _widest(list(ends), name, scores))


def _ends(wanted: Input) -> tuple[Answer, ...]:
    if wanted.is_flag:
        return (False, True)
    if wanted.kind == "sex":
        return ("female", "male")
    if wanted.answers:
        return tuple(wanted.answers)
    limits = wanted.valid or wanted.plausible
    return (limits.low, limits.high) if limits else ()


def _score(calculator: Calculator, answers: Mapping[str, Answer]) -> float:
    return calculator.formula(answers).values.get(calculator.decides, 0.0)


def _widest(
    names: list[str], name: str, scores: Mapping[tuple[Answer, ...], float]
) -> tuple[float, int]:
    """The widest difference that this input alone makes; the first named wins a tie."""
    place = names.index(name)
    groups: dict[tuple[Answer, ...], list[float]] = {}
    for choice, score in scores.items():
        groups.setdefault(choice[:place] + choice[place + 1 :], []).append(score)
    return max(max(each) - min(each) for each in groups.values()), -place

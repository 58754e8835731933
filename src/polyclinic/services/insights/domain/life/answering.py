"""What a model says in the shape in which a published score says it: one panel, one resource.

The number is a percentage; reasons are parts of the logit, and sum to it with the base.
"""

from polyclinic.foundation.errors import NotProcessable
from polyclinic.services.insights.domain.calculators import (
    Action,
    Band,
    Calculator,
    Reason,
    Scored,
    Value,
)
from polyclinic.services.insights.domain.calculators.values import Inputs, Outcome, Output
from polyclinic.services.insights.domain.charts import Input, Used
from polyclinic.services.insights.domain.life.scored import ModelScore, Part

HIGH, USUAL = "high", "usual"
_NAME = "risk"


def as_calculator(said: ModelScore) -> Calculator:
    """Its name, version and words; it has no formula that anybody could ask by values."""
    model, percent = said.model, round(said.model.threshold * 100, 1)
    return Calculator(
        id=model.model,
        version=model.version,
        title=said.title,
        citation=f"Learned model {model.name}, signed off at this clinic; see its card.",
        doi="",
        licence="",
        attribution="",
        population="",
        exclusions=(),
        caution="Associations, not causes: changing a reason need not change the risk.",
        inputs=tuple(_input(each) for each in said.parts),
        gates=(),
        outputs=(Output(_NAME, said.title, "%", 1),),
        decides=_NAME,
        bands=(
            Band(USUAL, f"below {percent:g} %", 0.0),
            Band(HIGH, f"{percent:g} % or more", percent, _action(said)),
        ),
        safety=(),
        formula=_no_formula,
        oracles=(),
        vectors="",
    )


def as_scored(said: ModelScore) -> Scored:
    """The answer with everything that it rests on; ValueError where it says nothing."""
    if said.chance is None:
        raise ValueError("A strange row has no score.")
    usual, high = as_calculator(said).bands
    band = high if said.is_high else usual
    return Scored(
        values=(Value(_NAME, round(said.chance * 100, 1), said.chance * 100, "%"),),
        band=band,
        used=tuple(used for part in said.parts for used in _used(part)),
        reasons=tuple(Reason(each.feature, each.amount, "logit") for each in said.parts),
        action=band.action,
        base=said.base,
    )


def _input(part: Part) -> Input:
    kind = "choice" if isinstance(part.value, str) else "quantity"
    return Input(part.feature, part.words, kind, part.unit)


def _used(part: Part) -> list[Used]:
    number = part.value if isinstance(part.value, float) else None
    code = part.value if isinstance(part.value, str) else None
    return [
        Used(part.feature, number, code, part.unit, None, reference)
        for reference in part.references or ("",)
    ]


def _action(said: ModelScore) -> Action | None:
    if not said.action:
        return None
    return Action(f"{said.model.task}-action", said.action, said.action_source, "warning")


def _no_formula(_: Inputs) -> Outcome:
    raise NotProcessable("A learned model is asked about a chart, not by values.")

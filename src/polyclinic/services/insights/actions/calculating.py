"""Calculators for whoever states values: no chart is read, nothing is kept."""

from typing import Any

import msgspec

from polyclinic.foundation.errors import Invalid, NotFound
from polyclinic.services.insights.domain import panel
from polyclinic.services.insights.domain.calculators import (
    Calculator,
    Given,
    Quantity,
    compute,
    registry,
)
from polyclinic.services.insights.domain.charts import Input
from polyclinic.services.insights.domain.panel import Entry

Json = dict[str, Any]
INPUTS_MAX = 100


class NoCalculator(NotFound):
    """There is no such calculator."""


class Measured(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number with its UCUM unit; a number alone has none (`1`)."""

    value: float
    unit: str = ""


class Stated(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Values by input name: numbers with units, texts for choices, true or false."""

    inputs: dict[str, Measured | str | bool]


def listed() -> Json:
    """All calculators with what each needs, for whom it is, and its source."""
    return {"calculators": [described(each) for each in registry().values()]}


def need(name: str) -> Calculator:
    calculator = registry().get(name)
    if calculator is None:
        raise NoCalculator(place="calculator")
    return calculator


def described(calculator: Calculator) -> Json:
    names = (
        "id", "version", "title", "citation", "doi", "licence", "attribution", "population",
        "exclusions", "caution", "oracles", "comparison_only",
    )  # fmt: skip
    return {
        **{name: getattr(calculator, name) for name in names},
        "inputs": [_input(each) for each in calculator.inputs],
        "outputs": [msgspec.to_builtins(each) for each in calculator.outputs],
        "bands": [
            {"name": each.name, "words": each.words, "low": each.low,
             "action": each.action.text if each.action else None}
            for each in calculator.bands
        ],
    }  # fmt: skip


def _input(wanted: Input) -> Json:
    limits = {
        name: [span.low, span.high]
        for name, span in (("plausible", wanted.plausible), ("valid", wanted.valid))
        if span is not None
    }
    return {
        "name": wanted.name,
        "words": wanted.words,
        "kind": wanted.kind,
        "unit": wanted.unit,
        "codes": list(wanted.codes.shown()),
        "answers": list(wanted.answers),
        "look_back_days": wanted.look_back_days,
        "optional": wanted.optional,
        **limits,
    }


def computed(name: str, stated: Stated) -> Json:
    """The answer of a calculator to stated values; raises Invalid naming the input."""
    calculator = need(name)
    if len(stated.inputs) > INPUTS_MAX:
        raise Invalid(f"At most {INPUTS_MAX} inputs.", place="inputs")
    given: dict[str, Given] = {
        key: Quantity(value.value, value.unit) if isinstance(value, Measured) else value
        for key, value in stated.inputs.items()
    }
    return panel.described(Entry(calculator, compute(calculator, given)))

"""Published scores as data (registry/*.yaml) and a pure function each.

    answered = answer(registry()["ckd-epi-2021"], Chart.of(patient, resources), at)
    answered = compute(registry()["ckd-epi-2021"], {"creatinine": Quantity(0.9, "mg/dL"), …})

An answer is Scored, Missing, OutOfRange or NotForThem; nothing is ever filled in by a default.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from types import MappingProxyType

from polyclinic.services.insights.domain.calculators.reading import FOLDER, read_calculator
from polyclinic.services.insights.domain.calculators.scoring import by_chart, by_values
from polyclinic.services.insights.domain.calculators.values import (
    Action,
    Answered,
    Band,
    Calculator,
    Draft,
    Given,
    Missing,
    NotForThem,
    OutOfRange,
    Quantity,
    Reason,
    Scored,
    Value,
)
from polyclinic.services.insights.domain.charts import Chart, Input, Lack, Used

__all__ = [
    "Action", "Answered", "Band", "Calculator", "Chart", "Draft", "Given", "Lack", "Missing",
    "NotForThem", "OutOfRange", "Quantity", "Reason", "Scored", "Used", "Value", "Wanted",
    "answer", "compute", "registry", "wanted",
]  # fmt: skip


@cache
def registry() -> Mapping[str, Calculator]:
    """All calculators by id, in the order of their files; raises Invalid for a bad file."""
    files = sorted((FOLDER / "registry").glob("*.yaml"))
    read = (read_calculator(file.read_text(encoding="utf-8"), file.name) for file in files)
    return MappingProxyType({each.id: each for each in read})


def answer(
    calculator: Calculator, chart: Chart, at: datetime, given: Mapping[str, Given] | None = None
) -> Answered:
    """Of a chart at a moment; `given` is what the person at the screen adds by input name."""
    return by_chart(calculator, chart, at, given or {}, registry())


def compute(calculator: Calculator, inputs: Mapping[str, Given]) -> Answered:
    """Of stated values; a wrong name, type or unit raises Invalid with the input as its place."""
    return by_values(calculator, inputs)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What must be read of a chart: FHIR types, the LOINC codes among Observations, and how far
    back these go (`None`: all of them)."""

    types: tuple[str, ...]
    loinc: tuple[str, ...]
    days: int | None


_TYPES = {
    "condition": ("Condition", "List"),
    "medicine": ("MedicationRequest", "MedicationStatement", "List"),
    "quantity": ("Observation",),
    "choice": ("Observation",),
    "stay": ("Encounter",),
    "visits": ("Encounter",),
}


def wanted(calculators: Iterable[Calculator]) -> Wanted:
    """What these calculators ask, with those from which they derive an input."""
    inputs = list(_all_inputs(calculators))
    types = dict.fromkeys(kind for each in inputs for kind in _types_of(each))
    measured = [each for each in inputs if each.codes.loinc]
    kinds = (*types, *(("Observation",) if measured and "Observation" not in types else ()))
    loinc = dict.fromkeys(code for each in measured for code in each.codes.loinc)
    days = [each.look_back_days for each in measured]
    longest = None if None in days else max((day for day in days if day), default=0)
    return Wanted(kinds, tuple(loinc), longest)


def _types_of(one: Input) -> Iterable[str]:
    """What is answered by a code is answered in questionnaires as well."""
    yield from _TYPES.get(one.kind, ())
    if one.answers and one.codes.loinc:
        yield "QuestionnaireResponse"


def _all_inputs(calculators: Iterable[Calculator]) -> Iterable[Input]:
    for calculator in calculators:
        for each in (*calculator.inputs, *(gate.input for gate in calculator.gates)):
            yield each
            if each.derived:
                yield from _all_inputs([registry()[each.derived[0]]])

"""The registry's YAML as Calculators; what is wrong in a file is said with the file and place."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from polyclinic.foundation.errors import Invalid
from polyclinic.services.insights.domain.calculators.formulas import FORMULAS
from polyclinic.services.insights.domain.calculators.values import (
    Action,
    Band,
    Calculator,
    Draft,
    Gate,
    Output,
    Safety,
    Together,
)
from polyclinic.services.insights.domain.charts import Codes, Input, Range
from polyclinic.services.insights.domain.charts.inputs import Kind, Take

FOLDER = Path(__file__).parent
_T = TypeVar("_T")


class _Strict(msgspec.Struct, forbid_unknown_fields=True):
    """What a file may say and nothing else."""


class _Input(_Strict):
    words: str
    kind: Kind
    unit: str = ""
    loinc: tuple[str, ...] = ()
    snomed: tuple[str, ...] = ()
    icd10: tuple[str, ...] = ()
    atc: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    answers: dict[str, tuple[str, ...]] = {}
    analyte: str = ""
    analytes: dict[str, str] = {}
    look_back_days: int | None = None
    take: Take = "latest"
    plausible: tuple[float, float] | None = None
    valid: tuple[float, float] | None = None
    optional: bool = False
    ever: bool = False
    derived: tuple[str, str] | None = None
    whole: bool = False
    from_age: int | None = None


class _Together(_Strict):
    inputs: tuple[str, ...]
    hours: int


class _Gate(_Strict):
    input: dict[str, Any]
    why: str
    name: str = ""


class _Output(_Strict):
    words: str
    unit: str
    digits: int = 0
    horizon_years: int | None = None


class _Draft(_Strict):
    type: str
    system: str
    code: str
    display: str


class _Action(_Strict):
    text: str
    source: str
    urgency: str = "info"
    draft: _Draft | None = None
    unless: str = ""
    instead: str = ""


class _Band(_Strict):
    words: str
    low: float
    action: str | None = None


class _Safety(_Strict):
    input: str
    above: float
    action: str


class _File(_Strict):
    id: str
    version: str
    title: str
    citation: str
    doi: str
    licence: str
    attribution: str
    population: str
    exclusions: tuple[str, ...]
    formula: str
    inputs: dict[str, dict[str, Any]]
    outputs: dict[str, _Output]
    decides: str
    bands: dict[str, _Band]
    actions: dict[str, _Action]
    oracles: tuple[str, ...]
    vectors: str
    caution: str = ""
    requires: tuple[_Gate, ...] = ()
    excludes: tuple[_Gate, ...] = ()
    safety: tuple[_Safety, ...] = ()
    together: tuple[_Together, ...] = ()
    comparison_only: bool = False
    replaces: tuple[str, ...] = ()
    healthy: dict[str, float | bool | str] = {}


@cache
def shared_inputs() -> Mapping[str, dict[str, Any]]:
    """Inputs that several calculators ask alike, by name."""
    return yaml.safe_load((FOLDER / "inputs.yaml").read_text(encoding="utf-8"))


def read_calculator(content: str, where: str) -> Calculator:
    """Raises Invalid, naming the file and the place in it."""
    try:
        said = _typed(yaml.safe_load(content), _File, where)
    except yaml.YAMLError as error:
        raise Invalid(f"{where} is no YAML: {error}", place=where) from error
    actions = _actions(said, where)
    inputs = tuple(_input(name, each, where) for name, each in said.inputs.items())
    _check_names(said, {each.name for each in inputs}, where)
    _known({said.decides}, said.outputs, f"{where}: decides")
    _known({said.formula}, FORMULAS, f"{where}: formula")
    wanted = {band.action for band in said.bands.values()} | {rule.action for rule in said.safety}
    _known({each for each in wanted if each}, actions, f"{where}: action")
    return Calculator(
        id=said.id, version=said.version, title=said.title, citation=said.citation,
        doi=said.doi, licence=said.licence, attribution=said.attribution,
        population=said.population, exclusions=said.exclusions, caution=said.caution,
        inputs=inputs, gates=_gates(said, where), outputs=_outputs(said), decides=said.decides,
        bands=_bands(said, actions, where),
        safety=tuple(Safety(each.input, each.above, actions[each.action]) for each in said.safety),
        formula=FORMULAS[said.formula], oracles=said.oracles, vectors=said.vectors,
        comparison_only=said.comparison_only, replaces=said.replaces, healthy=said.healthy,
        together=tuple(Together(each.inputs, each.hours) for each in said.together),
    )  # fmt: skip


def _check_names(said: _File, names: set[str], where: str) -> None:
    """Whatever names an input names one that there is."""
    _known({rule.input for rule in said.safety}, names, f"{where}: safety.input")
    _known({name for each in said.together for name in each.inputs}, names, f"{where}: together")
    _known({e.unless for e in said.actions.values() if e.unless}, names, f"{where}: unless")
    _known(set(said.healthy), names, f"{where}: healthy")


def _typed(value: Any, kind: type[_T], where: str) -> _T:
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Invalid(f"{where}: {error}", place=where) from error


def _known(said: set[str], known: Any, where: str) -> None:
    strange = sorted(said.difference(known))
    if strange:
        raise Invalid(f"{where} names {', '.join(strange)}, which there is not.", place=where)


def _input(name: str, said: Mapping[str, Any], where: str) -> Input:
    """`like` takes over an input of inputs.yaml; what is said beside it goes before."""
    place = f"{where}: inputs.{name}"
    like = said.get("like")
    if like is not None:
        _known({like}, shared_inputs(), place)
    whole = {**(shared_inputs()[like] if like else {}), **said}
    whole.pop("like", None)
    one = _typed(whole, _Input, place)
    return Input(
        name, one.words, one.kind, one.unit,
        Codes(one.loinc, one.snomed, _undotted(one.icd10), one.atc, one.names, _others(one)),
        one.answers, one.analyte, one.analytes, one.look_back_days, one.take,
        one.plausible and Range(*one.plausible), one.valid and Range(*one.valid),
        one.optional, one.ever, one.derived, one.whole, one.from_age,
    )  # fmt: skip


def _others(one: _Input) -> tuple[str, ...]:
    """Names that the other shared lists of medicines have."""
    if one.kind != "medicine":
        return ()
    names = {name for each in shared_inputs().values() for name in each.get("names", ())}
    return tuple(sorted(names.difference(one.names)))


def _undotted(codes: tuple[str, ...]) -> tuple[str, ...]:
    """ICD-10 is compared without its dot."""
    return tuple(code.replace(".", "") for code in codes)


def _gates(said: _File, where: str) -> tuple[Gate, ...]:
    both = ((each, True) for each in said.requires), ((each, False) for each in said.excludes)
    return tuple(
        Gate(_input(gate.name or str(gate.input.get("like")), gate.input, where), must, gate.why)
        for group in both
        for gate, must in group
    )


def _outputs(said: _File) -> tuple[Output, ...]:
    return tuple(
        Output(name, each.words, each.unit, each.digits, each.horizon_years)
        for name, each in said.outputs.items()
    )


def _bands(said: _File, actions: Mapping[str, Action], where: str) -> tuple[Band, ...]:
    bands = tuple(
        Band(name, each.words, each.low, actions[each.action] if each.action else None)
        for name, each in said.bands.items()
    )
    lows = [band.low for band in bands]
    if not bands or lows != sorted(lows):
        raise Invalid(f"{where}: bands must stand from low to high.", place=f"{where}: bands")
    return bands


def _actions(said: _File, where: str) -> dict[str, Action]:
    """By name; one that is proposed instead of another has no other itself."""
    plain = {name: _action(name, each) for name, each in said.actions.items()}
    _known({e.instead for e in said.actions.values() if e.instead}, plain, f"{where}: instead")
    return {
        name: replace(plain[name], unless=each.unless, instead=plain.get(each.instead))
        for name, each in said.actions.items()
    }


def _action(name: str, said: _Action) -> Action:
    draft = said.draft and Draft(
        said.draft.type, said.draft.system, said.draft.code, said.draft.display
    )
    return Action(name, said.text, said.source, said.urgency, draft)

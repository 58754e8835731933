"""Tasks from YAML: every key known, every number checked, each refusal with file and place."""

from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import msgspec
import yaml

from polyclinic.foundation.errors import Invalid
from polyclinic.services.insights.domain.charts import units
from polyclinic.services.insights.domain.tasks.task import (
    AGGREGATES,
    Criterion,
    Exclusion,
    Feature,
    Task,
)

FOLDER = Path(__file__).parent / "definitions"
BYTES_MAX = 64 * 1024
DEMOGRAPHICS = ("age", "sex", "lead_days", "discharge")
T = TypeVar("T")


class BadTask(Invalid):
    """This is no definition of a task."""


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What YAML may say and nothing else."""


class _Criterion(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    codes: list[str]
    at_least: float | None = None
    below: float | None = None
    unit: str = ""
    analyte: str = ""


class _Exclusion(_Criterion, frozen=True, forbid_unknown_fields=True, kw_only=True):
    why: str
    within_days: int | None = None


class _Feature(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str
    codes: list[str]
    of: list[str]
    days: int | None = None
    unit: str = ""
    analyte: str = ""
    plausible: tuple[float, float] | None = None
    recorded: bool = False


class _Index(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    trigger: _Criterion
    pick: str = "each"
    offset_hours: float = 0
    history_days: int = 0


class _Outcome(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    any_of: list[_Criterion]
    gap_hours: float = 0
    horizon_days: float


class _Who(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    age_min: float = 0
    age_max: float = 200
    needs: list[_Criterion] = []
    exclusions: list[_Exclusion] = []


class _Censoring(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    weights: str
    competing: list[_Criterion] = []


class _Action(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    text: str
    source: str


class _Task(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    id: str
    version: str
    title: str
    index: _Index
    outcome: _Outcome
    who: _Who
    censoring: _Censoring
    action: _Action
    demographics: list[str] = []
    features: list[_Feature]


def read_task(text: str, name: str) -> Task:
    """Of YAML; raises BadTask with `name` and where in it."""
    if len(text) > BYTES_MAX:
        raise BadTask(f"A task has at most {BYTES_MAX} bytes.", place=name)
    try:
        said = msgspec.convert(yaml.safe_load(text), _Task)
    except yaml.YAMLError as broken:
        raise BadTask("This is not YAML.", place=name) from broken
    except msgspec.ValidationError as wrong:
        raise BadTask(str(wrong), place=name) from wrong
    _check(said, name)
    return _task(said, name)


def _check(said: _Task, name: str) -> None:
    _one_of(said.index.pick, ("each", "first", "yearly"), f"{name}: index.pick")
    _one_of(said.censoring.weights, ("none", "ipcw"), f"{name}: censoring.weights")
    for each in said.demographics:
        _one_of(each, DEMOGRAPHICS, f"{name}: demographics")
    if not said.outcome.any_of or said.outcome.horizon_days <= 0 or said.outcome.gap_hours < 0:
        raise BadTask("An outcome has criteria, a horizon and no negative gap.", place=name)
    if said.outcome.gap_hours >= said.outcome.horizon_days * 24:
        raise BadTask("The gap ends before the horizon does.", place=f"{name}: outcome.gap_hours")
    names = [each.name for each in said.features]
    if not names or len(set(names)) != len(names):
        raise BadTask("There are features, and each has a name of its own.", place=name)
    if said.index.offset_hours > 0:
        raise BadTask("The index does not lie after its trigger.", place=f"{name}: index")


def _one_of(word: str, known: tuple[str, ...], place: str) -> None:
    if word not in known:
        raise BadTask(f"It is one of {', '.join(known)}.", place=place)


def _task(said: _Task, name: str) -> Task:
    competing = (_criterion(each, f"{name}: censoring") for each in said.censoring.competing)
    return Task(
        id=said.id,
        version=said.version,
        title=said.title,
        trigger=_criterion(said.index.trigger, f"{name}: index.trigger"),
        pick=said.index.pick,
        index_offset=timedelta(hours=said.index.offset_hours),
        history_days=said.index.history_days,
        age_min=said.who.age_min,
        age_max=said.who.age_max,
        outcome=tuple(_criterion(each, f"{name}: outcome") for each in said.outcome.any_of),
        gap=timedelta(hours=said.outcome.gap_hours),
        horizon=timedelta(days=said.outcome.horizon_days),
        exclusions=tuple(
            Exclusion(each.why, _criterion(each, f"{name}: {each.why}"), each.within_days)
            for each in said.who.exclusions
        ),
        competing=tuple(competing),
        censoring=said.censoring.weights,
        action=said.action.text,
        action_source=said.action.source,
        demographics=tuple(said.demographics),
        features=tuple(_feature(each, f"{name}: {each.name}") for each in said.features),
        needs=tuple(_criterion(each, f"{name}: who.needs") for each in said.who.needs),
    )


def _criterion(said: _Criterion, place: str) -> Criterion:
    _codes(said.codes, place)
    if (said.at_least is None and said.below is None) == bool(said.unit):
        raise BadTask("A limit has a unit, and a unit a limit.", place=place)
    _unit(said.unit, place)
    return Criterion(tuple(said.codes), said.at_least, said.below, said.unit, said.analyte)


def _feature(said: _Feature, place: str) -> Feature:
    _codes(said.codes, place)
    _unit(said.unit, place)
    for part in said.of:
        _one_of(part, AGGREGATES, f"{place}.of")
    if not said.unit and {"last", "mean", "slope"}.intersection(said.of):
        raise BadTask("What is a number has a unit.", place=place)
    low, high = said.plausible or (None, None)
    return Feature(
        said.name,
        tuple(said.codes),
        tuple(said.of),
        said.days,
        said.unit,
        said.analyte,
        low,
        high,
        said.recorded,
    )


def _codes(codes: list[str], place: str) -> None:
    if not codes or any(not each or each == "*" for each in codes):
        raise BadTask("There is at least one code, and none that names everything.", place=place)


def _unit(unit: str, place: str) -> None:
    if unit and units.known(unit) != unit:
        raise BadTask(f"{unit!r} is not a unit of the platform's table.", place=place)

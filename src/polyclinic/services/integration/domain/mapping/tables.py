"""The mapping tables as values; every mistake in them is found when they are read.

A table is named for what it reads and what it fills: `PV1[Encounter]`. Its lines are rules:

    19 -> identifier+ as Identifier(VN)       every repetition appends an identifier
    3 -> location[now].location as Location   `[now]` names one entry that several rules fill
    location[now].status = active when 3      a constant: a word, code(…), concept(…), @reference
    OBR-7 | 14 -> effectiveDateTime as dateTime if absent when 11 in (F, C)
    status = unknown if new                   holds only where nothing is kept yet

A source is a field of the segment (`5.1`), of another segment of the same group or message
(`PV1-44`), a component within a data type's table, or `event`; the first that is valued is read.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from polyclinic.services.integration.domain.mapping import conditions
from polyclinic.services.integration.domain.mapping.conditions import Condition

FOLDER = Path(__file__).parent / "tables"
PERSON = ("PID[Patient]", "PD1[Patient]", "PV1[Patient]", "ROL[Patient-GeneralPractitioner]")

_READ = re.compile(
    r"(?P<source>[\w.\-| ]+?) -> (?P<target>[\w.+\[\]*-]+)"
    r"(?: as (?P<kind>\w+)(?:\((?P<map>[\w-]+)\))?)?"
    r"(?P<absent> if absent| if new)?(?: when (?P<when>.+))?"
).fullmatch
_SET = re.compile(
    r"(?P<target>[\w.+\[\]-]+) = (?P<value>@\w+|\w+\([^()]*\)|[^\s()@]+)"
    r"(?P<absent> if absent| if new)?(?: when (?P<when>.+))?"
).fullmatch
_STEP = re.compile(r"(\w+)(\+|\[\w+\])?").fullmatch
_CALL = re.compile(r"(\w+)\((.*)\)").fullmatch


@dataclass(frozen=True, slots=True)
class Hop:
    """One step to a target: an element; `+` a new entry of a list, else the name of an entry."""

    element: str
    entry: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A line of a table."""

    text: str
    target: tuple[Hop, ...]
    sources: tuple[str, ...] = ()
    kind: str = "string"
    map: str = ""
    value: Any = None
    if_absent: bool = False
    if_new: bool = False
    when: Condition | None = None

    @property
    def path(self) -> str:
        return ".".join(hop.element for hop in self.target)

    @property
    def repeats(self) -> bool:
        return any(hop.entry == "+" for hop in self.target)


@dataclass(frozen=True, slots=True)
class Table:
    """Rules of one segment or data type for one kind of resource."""

    name: str
    segment: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How documents of a kind are made: for each what, filled from where, known by which key."""

    name: str
    kind: str
    each: str
    fill: tuple[str, ...]
    key: tuple[tuple[str, ...], ...]  # the first way of which every part is valued
    rank: str = "moment"
    when: Condition | None = None
    unites: tuple[str, ...] = ()
    clears: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trigger:
    """What messages of some events do: `does` names the effect, `documents` the recipes."""

    code: str
    events: tuple[str, ...]
    does: str
    documents: tuple[str, ...]
    creates_person: bool
    requires: tuple[str, ...]
    person: tuple[str, ...]


class TableBroken(ValueError):
    """A table is not one."""


def rule(text: str) -> Rule:
    """Raises TableBroken."""
    if found := _READ(text):
        return Rule(
            text,
            _hops(found["target"]),
            tuple(each.strip() for each in found["source"].split("|")),
            found["kind"] or "string",
            found["map"] or "",
            if_absent=found["absent"] == " if absent",
            if_new=found["absent"] == " if new",
            when=_condition(found["when"]),
        )
    if found := _SET(text):
        return Rule(
            text,
            _hops(found["target"]),
            value=_constant(found["value"]),
            if_absent=found["absent"] == " if absent",
            if_new=found["absent"] == " if new",
            when=_condition(found["when"]),
        )
    raise TableBroken(f"{text!r} is no rule")


def _condition(text: str | None) -> Condition | None:
    return conditions.read(text) if text else None


def _hops(text: str) -> tuple[Hop, ...]:
    if text == "*":
        return ()
    hops: list[Hop] = []
    for step in text.split("."):
        found = _STEP(step)
        if not found:
            raise TableBroken(f"{text!r} is no target")
        hops.append(Hop(found[1], (found[2] or "").strip("[]")))
    return tuple(hops)


def _constant(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    if text.startswith("@"):
        return {"reference": f"#{text[1:]}"}
    found = _CALL(text)
    if not found:
        return text
    name, inside = found.groups()
    if name == "text":
        return inside
    parts = [part.strip() for part in inside.split(",")]
    coding = dict(zip(("system", "code", "display"), parts, strict=False))
    if name == "code":
        return coding
    if name == "concept":
        return {"coding": [coding]}
    raise TableBroken(f"{text!r} is no constant")


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@cache
def tables() -> Mapping[str, Table]:
    """All tables of segments and data types by their names."""
    found: dict[str, Table] = {}
    for path in (*sorted((FOLDER / "segments").glob("*.yaml")), FOLDER / "types.yaml"):
        for name, lines in _yaml(path).items():
            segment = name.partition("[")[0]
            found[name] = Table(name, segment, tuple(rule(line) for line in lines or ()))
    return found


@cache
def codes() -> Mapping[str, Mapping[str, Any]]:
    """Concept maps by name: `system` of what they map to, `codes`, and `else` where there is one.

    A map with `keeps` (a table's number) also keeps the sender's own code beside ours.
    """
    return {
        name: {**each, "codes": {str(key): value for key, value in each["codes"].items()}}
        for name, each in _yaml(FOLDER / "codes.yaml").items()
    }


@cache
def systems() -> Mapping[str, Mapping[str, str]]:
    """`coding`: names of coding systems; `kinds`: of identifiers whose system is known."""
    return _yaml(FOLDER / "systems.yaml")


@cache
def unread() -> frozenset[str]:
    """Segments and fields whose loss is none."""
    return frozenset(_yaml(FOLDER / "unread.yaml"))


@cache
def recipes() -> Mapping[str, Recipe]:
    """All recipes by name."""
    return {name: _recipe(name, said) for name, said in _yaml(FOLDER / "recipes.yaml").items()}


def _recipe(name: str, said: Mapping[str, Any]) -> Recipe:
    fill = tuple(said["fill"])
    if strange := [each for each in fill if each not in tables()]:
        raise TableBroken(f"{name}: there is no table {strange[0]}")
    return Recipe(
        name,
        said.get("kind", name),
        said["each"],
        fill,
        tuple(tuple(way.split(" + ")) for way in said["key"]),
        said.get("rank", "moment"),
        _condition(said.get("when")),
        tuple(said.get("unites", ())),
        tuple(said.get("clears", ())),
        tuple(said.get("needs", ())),
    )


@cache
def triggers() -> Mapping[tuple[str, str], Trigger]:
    """What each trigger does, by code and event."""
    found = {}
    for each in _yaml(FOLDER / "messages.yaml"):
        trigger = _trigger(each)
        found.update({(trigger.code, event): trigger for event in trigger.events})
    return found


def _trigger(said: Mapping[str, Any]) -> Trigger:
    documents = tuple(said.get("documents", ()))
    if strange := [name for name in documents if name not in recipes()]:
        raise TableBroken(f"{said['code']}: there is no recipe {strange[0]}")
    return Trigger(
        said["code"],
        tuple(str(event) for event in said["events"]),
        said["does"],
        documents,
        bool(said.get("creates_person", False)),
        tuple(said.get("requires", ())),
        tuple(said.get("person", PERSON)),
    )


def every_rule() -> Iterator[tuple[Table, Rule]]:
    """All rules of segments, for those who count and check."""
    for table in tables().values():
        for each in table.rules:
            yield table, each

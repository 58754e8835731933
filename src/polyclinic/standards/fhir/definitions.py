"""What R4 defines: structures, required codes, search parameters and the patient compartment."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from types import MappingProxyType
from typing import Any

import zstandard


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a structure; a `types` entry with a dot is another structure's path."""

    types: tuple[str, ...]
    min: int = 0
    many: bool = False
    targets: tuple[str, ...] = ()  # of a Reference; ("Resource",) is any
    binding: str | None = None  # the value set, when required


@dataclass(frozen=True, slots=True)
class ValueSet:
    """The codes by system, or the name of the syntax that checks them."""

    codes: Mapping[str, frozenset[str]]
    syntax: str | None = None


@dataclass(frozen=True, slots=True)
class Component:
    """One part of a composite parameter: another parameter's code, read below `expression`."""

    code: str
    type: str
    expression: str


@dataclass(frozen=True, slots=True)
class SearchParameter:
    """A search parameter of one resource type; `expression` is already narrowed to that type."""

    code: str
    type: str  # token | reference | string | date | number | quantity | uri | composite | special
    expression: str
    target: tuple[str, ...] = ()
    components: tuple[Component, ...] = ()
    url: str = ""


# Types with a parameter for the patient that the published compartment leaves out.
COMPARTMENT_ADDED: Mapping[str, tuple[str, ...]] = {
    "Contract": ("patient",),
    "Device": ("patient",),
    "GuidanceResponse": ("patient",),
    "Task": ("patient",),  # Task.for; also stated by our source, but not in HL7's own page
    "VerificationResult": ("target",),
}
# Patient.link tells that two records are one person: it must not open one chart to the other's.
COMPARTMENT_LEFT_OUT: Mapping[str, frozenset[str]] = {"Patient": frozenset({"link"})}


def resource_types() -> tuple[str, ...]:
    """All concrete R4 resource types, in alphabetical order."""
    return _types()


def type_number(name: str) -> int:
    """A small number (from 1) that never changes for a type; KeyError when there is no such."""
    return _numbers()[name]


def type_name(number: int) -> str:
    if not 1 <= number <= len(_types()):
        raise KeyError(number)
    return _types()[number - 1]


@cache
def search_parameters(type_name: str) -> Mapping[str, SearchParameter]:
    """By code, with those of every resource (`_id`, `_lastUpdated`, `_tag`, `_profile`, …)."""
    stated = {**_data()["search"]["Resource"], **_data()["search"][type_name]}
    parameters = {code: _parameter(code, stated[code], type_name) for code in sorted(stated)}
    return MappingProxyType(parameters)


@cache
def in_patient_compartment(type_name: str) -> tuple[str, ...]:
    """The codes of the reference parameters that put a resource into a patient's compartment."""
    codes = {*_data()["compartment"].get(type_name, ()), *COMPARTMENT_ADDED.get(type_name, ())}
    return tuple(sorted(codes - COMPARTMENT_LEFT_OUT.get(type_name, frozenset())))


@cache
def structure(path: str) -> Mapping[str, Element]:
    """The elements of a type ("Patient", "HumanName") or backbone ("Patient.contact")."""
    return MappingProxyType(
        {name: _element(stated) for name, stated in sorted(_data()["structures"][path].items())}
    )


@lru_cache(4096)
def property_type(path: str, key: str) -> str | None:
    """The type of a JSON property of a structure; a choice counts under each of its names."""
    if not is_structure(path):
        return None
    for name, element in structure(path).items():
        if name == key:
            return element.types[0]
        if name.endswith("[x]") and key.startswith(name[:-3]):
            found = [t for t in element.types if choice_key(name[:-3], t) == key]
            if found:
                return found[0]
    return None


def choice_key(name: str, type_name: str) -> str:
    """The JSON property of a choice: value[x] as a Quantity is valueQuantity."""
    return name + type_name[0].upper() + type_name[1:]


def is_structure(path: str) -> bool:
    return path in _data()["structures"]


@cache
def summary_elements(type_name: str) -> frozenset[str]:
    """The elements that `_summary=true` shows; a choice is written `value[x]`."""
    return frozenset(_data()["summary"][type_name])


@cache
def value_set(url: str) -> ValueSet:
    stated = _data()["valueSets"][url]
    codes = {system: frozenset(these) for system, these in stated.get("codes", {}).items()}
    return ValueSet(MappingProxyType(codes), stated.get("syntax"))


@cache
def _data() -> dict[str, Any]:
    packed = (
        resources.files("polyclinic.standards.fhir").joinpath("data", "r4.json.zst").read_bytes()
    )
    return json.loads(zstandard.decompress(packed))


@cache
def _types() -> tuple[str, ...]:
    return tuple(_data()["resources"])


@cache
def _numbers() -> Mapping[str, int]:
    return MappingProxyType({name: number for number, name in enumerate(_types(), 1)})


def _parameter(code: str, stated: dict[str, Any], type_name: str) -> SearchParameter:
    expression: str = stated["expression"]
    if expression.startswith("Resource."):
        expression = type_name + expression.removeprefix("Resource")
    components = tuple(Component(**part) for part in stated.get("components", ()))
    target = tuple(stated.get("target", ()))
    url = "http://hl7.org/fhir/SearchParameter/" + stated["url"]
    return SearchParameter(code, stated["type"], expression, target, components, url)


def _element(stated: dict[str, Any]) -> Element:
    return Element(
        tuple(stated["types"]),
        stated.get("min", 0),
        stated.get("many", False),
        tuple(stated.get("targets", ())),
        stated.get("binding"),
    )

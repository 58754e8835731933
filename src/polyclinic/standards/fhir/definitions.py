"""What R4 defines: resource types, search parameters and the patient compartment."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Component:
    """One part of a composite search parameter: another parameter's code, read below `expression`."""

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


def resource_types() -> tuple[str, ...]:
    """All concrete R4 resource types, in alphabetical order."""
    raise NotImplementedError


def type_number(name: str) -> int:
    """A small number that never changes for a type; KeyError when there is no such type."""
    raise NotImplementedError


def type_name(number: int) -> str:
    raise NotImplementedError


def search_parameters(type_name: str) -> Mapping[str, SearchParameter]:
    """By code, with those of every resource (`_id`, `_lastUpdated`, `_tag`, `_profile`, …)."""
    raise NotImplementedError


def in_patient_compartment(type_name: str) -> tuple[str, ...]:
    """The codes of the reference parameters that put a resource into a patient's compartment."""
    raise NotImplementedError

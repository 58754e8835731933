"""The values by which a resource is found: what the R4 search parameters see in it.

All functions take a resource that `validate` finds nothing wrong with.
"""

from datetime import datetime
from functools import cache, lru_cache
from typing import Any

from polyclinic.standards.fhir.dates import date_range, instant
from polyclinic.standards.fhir.definitions import in_patient_compartment, search_parameters
from polyclinic.standards.fhir.paths import Unsupported
from polyclinic.standards.fhir.search_values.charts import CHART_DATES
from polyclinic.standards.fhir.search_values.composites import add_composite
from polyclinic.standards.fhir.search_values.plans import Node, add_parameter, walk
from polyclinic.standards.fhir.search_values.readers import literal, number_range
from polyclinic.standards.fhir.search_values.texts import normalise_text
from polyclinic.standards.fhir.search_values.values import (
    CompositeValue,
    DateValue,
    NumberValue,
    QuantityValue,
    ReferenceValue,
    SearchValue,
    StringValue,
    TokenValue,
    UriValue,
)

__all__ = [
    "CompositeValue",
    "DateValue",
    "NumberValue",
    "QuantityValue",
    "ReferenceValue",
    "SearchValue",
    "StringValue",
    "TokenValue",
    "UriValue",
    "clinical_date",
    "date_range",
    "extract",
    "literal",
    "normalise_text",
    "number_range",
    "patients_of",
    "unread_types",
    "unsupported_parameters",
]


def extract(resource: dict[str, Any], only: frozenset[str] | None = None) -> list[SearchValue]:
    """Every value of its type's search parameters, or of `only` some; unsupported ones excepted.

    Composites come only when they are named: no index keeps them, they follow from their parts.
    """
    found: list[SearchValue] = []
    type_name: str = resource["resourceType"]
    walk(_tree(type_name)[0] if only is None else _part(type_name, only), resource, found)
    if type_name == "Patient" and (only is None or "deceased" in only):
        found.append(_deceased(resource))
    return found


def patients_of(resource: dict[str, Any]) -> tuple[str, ...]:
    """The ids of the patients in whose compartment it lies, by literal `Patient/<id>` only."""
    type_name: str = resource["resourceType"]
    if type_name == "Patient":
        return (resource["id"],) if "id" in resource else ()
    found: list[SearchValue] = []
    walk(_compartment_tree(type_name), resource, found)
    ids: dict[str, None] = {}
    for value in found:
        if isinstance(value, ReferenceValue) and value.type == "Patient" and value.id:
            ids[value.id] = None
    return tuple(ids)


def clinical_date(resource: dict[str, Any]) -> datetime | None:
    """The date that orders it in a chart: the first instant of the first that it states."""
    for path in CHART_DATES.get(resource["resourceType"], ()):
        value: Any = resource
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
            if isinstance(value, list):
                value = value[0]
        if isinstance(value, str):
            return instant(value)
    return None


def unsupported_parameters(type_name: str) -> tuple[str, ...]:
    """The codes of the search parameters that `extract` does not read."""
    return _tree(type_name)[1]


def unread_types(type_name: str) -> tuple[tuple[str, str], ...]:
    """(parameter's type, element's type) where a parameter that is read passes something over."""
    return _tree(type_name)[2]


@cache
def _tree(type_name: str) -> tuple[Node, tuple[str, ...], tuple[tuple[str, str], ...]]:
    tree = Node()
    unsupported: list[str] = []
    unread: list[tuple[str, str]] = []
    for code, parameter in search_parameters(type_name).items():
        if (type_name, code) == ("Patient", "deceased"):
            continue
        try:
            if parameter.type == "composite":
                add_composite(Node(), type_name, parameter)
            else:
                unread += [(parameter.type, t) for t in add_parameter(tree, type_name, parameter)]
        except Unsupported:
            unsupported.append(code)
    return tree, tuple(unsupported), tuple(unread)


@lru_cache(1024)
def _part(type_name: str, only: frozenset[str]) -> Node:
    tree = Node()
    parameters = search_parameters(type_name)
    readable = only - {"deceased"} if type_name == "Patient" else only
    for code in sorted(readable & parameters.keys() - set(unsupported_parameters(type_name))):
        if parameters[code].type == "composite":
            add_composite(tree, type_name, parameters[code])
        else:
            add_parameter(tree, type_name, parameters[code])
    return tree


@cache
def _compartment_tree(type_name: str) -> Node:
    tree = Node()
    parameters = search_parameters(type_name)
    for code in in_patient_compartment(type_name):
        add_parameter(tree, type_name, parameters[code])
    return tree


def _deceased(patient: dict[str, Any]) -> TokenValue:
    """`deceased.exists() and deceased != false`: the one parameter that is no path."""
    dead = bool(patient.get("deceasedDateTime")) or patient.get("deceasedBoolean") is True
    return TokenValue("deceased", None, "true" if dead else "false", None)

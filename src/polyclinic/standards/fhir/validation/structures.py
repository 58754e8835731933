"""Each structure of R4 compiled, when first met, into one check for each of its properties."""

from difflib import get_close_matches
from functools import cache, partial
from typing import Any

from polyclinic.standards.fhir.definitions import Element, choice_key, resource_types, structure
from polyclinic.standards.fhir.validation.bindings import check_coding, check_concept, code_test
from polyclinic.standards.fhir.validation.contained import check_contained
from polyclinic.standards.fhir.validation.findings import Findings, Where, shortened
from polyclinic.standards.fhir.validation.invariants import RULES, Rule
from polyclinic.standards.fhir.validation.narrative import narrative_test
from polyclinic.standards.fhir.validation.primitives import PRIMITIVES, Test
from polyclinic.standards.fhir.validation.properties import (
    Check,
    PropertyCheck,
    many,
    many_companions,
    many_primitives,
    one,
    one_primitive,
)
from polyclinic.standards.fhir.validation.references import check_reference

# The check; the choice (value[x]) that the property belongs to, and under which name, or None.
Property = tuple[PropertyCheck, str | None, str]

HINT_CHARACTERS_MAX = 40
# What a primitive's "_name" holds.
_ELEMENT = {"id": Element(("raw-string",)), "extension": Element(("Extension",), many=True)}


class Structure:
    """The check of one type or backbone element."""

    __slots__ = ("_is_resource", "_properties", "_required", "_rules", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._is_resource = path in _RESOURCES
        self._properties: dict[str, Property] | None = None
        self._required: tuple[tuple[str, tuple[str, ...]], ...] = ()
        self._rules: tuple[Rule, ...] = ()

    def check(self, value: Any, where: Where, found: Findings) -> None:
        if type(value) is not dict:
            found.add("structure", where, "This is one JSON object.")
            return
        if not self._is_resource and not value.keys() - _ONLY_ID:
            found.add("invariant", where, "ele-1: An element has a value or children.")
        self._check_properties(value, where, found)
        for name, keys in self._required:
            if keys[0] not in value and not any(key in value for key in keys):
                found.add("required", (where, name, None), f"{name} is required.")
        for rule in self._rules:
            rule(value, where, found)

    def _check_properties(self, value: dict[str, Any], where: Where, found: Findings) -> None:
        properties = self._properties or self._compiled()
        chosen: dict[str, str] | None = None
        for key, inner in value.items():
            known = properties.get(key)
            if known is None:
                self._complain_unknown(key, where, found)
                continue
            check, choice, base = known
            check(inner, value, where, found)
            if choice is not None:
                chosen = chosen or {}
                if chosen.setdefault(choice, base) != base:
                    text = (
                        f"{choice}[x] has one type: {chosen[choice]} and {base} exclude each other."
                    )
                    found.add("structure", (where, choice, None), text)

    def _compiled(self) -> dict[str, Property]:
        elements = _ELEMENT if self.path == "Element" else structure(self.path)
        properties: dict[str, Property] = {}
        required: list[tuple[str, tuple[str, ...]]] = []
        for name, element in elements.items():
            keys: list[str] = []
            for key, display, type_ in _variants(name, element):
                choice = name.removesuffix("[x]") if name.endswith("[x]") else None
                properties[key] = (property_check(key, display, type_, element), choice, key)
                keys.append(key)
                if type_ in PRIMITIVES and not type_.startswith("raw-"):
                    companion = _companion_check(key, display, element)
                    properties["_" + key] = (companion, choice, key)
                    keys.append("_" + key)
            if element.min:
                required.append((name.removesuffix("[x]"), tuple(keys)))
        if self._is_resource:
            properties["resourceType"] = (_nothing_more, None, "resourceType")
        self._required = tuple(required)
        self._rules = RULES.get(self.path, ())
        self._properties = properties
        return properties

    def _complain_unknown(self, key: str, where: Where, found: Findings) -> None:
        text = f"{self.path} has no element {shortened(key)}."
        if len(key) <= HINT_CHARACTERS_MAX:
            close = get_close_matches(key, self._properties or (), n=1)
            text += f" Is {close[0]} meant?" if close else ""
        found.add("structure", (where, key, None), text)


_RESOURCES = frozenset(resource_types())
_ONLY_ID = frozenset({"id"})


@cache
def structure_check(path: str) -> Structure:
    return Structure(path)


def _variants(name: str, element: Element) -> list[tuple[str, str, str]]:
    """(JSON property, FHIRPath, type) of an element; a choice has one for each type."""
    if not name.endswith("[x]"):
        return [(name, name, element.types[0])]
    stem = name.removesuffix("[x]")
    return [(choice_key(stem, t), f"{stem}.ofType({t})", t) for t in element.types]


def _nothing_more(value: Any, holder: dict[str, Any], where: Where, found: Findings) -> None:
    """resourceType was looked at before its structure was chosen."""


# Properties --------------------------------------------------------------------------------------


def property_check(key: str, display: str, type_: str, element: Element) -> PropertyCheck:
    if type_ in PRIMITIVES or type_ == "xhtml":
        test, code = _primitive(type_, element)
        if element.many:
            return many_primitives(key, test, code)
        return one_primitive(display, test, code)
    check = _complex(type_, element)
    return many(display, check, element.min) if element.many else one(display, check)


def _companion_check(key: str, display: str, element: Element) -> PropertyCheck:
    check = structure_check("Element").check
    return many_companions(key, check) if element.many else one(display, check)


def _primitive(type_: str, element: Element) -> tuple[Test, str]:
    if type_ == "xhtml":
        return narrative_test, "value"
    if element.binding and type_ in ("code", "uri", "string"):
        return code_test(element.binding), "code-invalid"
    return PRIMITIVES[type_], "value"


# Values ------------------------------------------------------------------------------------------


def _complex(type_: str, element: Element) -> Check:
    if type_ == "Resource":
        return _check_held
    check = structure_check(type_).check
    if type_ == "Reference":
        return _then(check, _targets(element))
    if element.binding and type_ == "Coding":
        return _then(check, partial(check_coding, element.binding))
    if element.binding and type_ == "CodeableConcept":
        return _then(check, partial(check_concept, element.binding))
    return check


def _targets(element: Element) -> Check:
    targets = frozenset(element.targets) - {"Resource"}
    any_type = frozenset[str]() if "Resource" in element.targets else targets

    def check(value: Any, where: Where, found: Findings) -> None:
        check_reference(value, any_type, where, found)

    return check


def _then(first: Check, second: Check) -> Check:
    def check(value: Any, where: Where, found: Findings) -> None:
        first(value, where, found)
        second(value, where, found)

    return check


# Resources ---------------------------------------------------------------------------------------


def check_resource(resource: Any, where: Where, found: Findings) -> None:
    """A resource of its own, wherever it stands."""
    if not _has_type(resource, where, found):
        return
    outside, found.inward = found.inward, []
    structure_check(resource["resourceType"]).check(resource, where, found)
    inward, found.inward = found.inward, outside
    if inward or "contained" in resource:
        check_contained(resource, inward, where, found)


def _check_held(resource: Any, where: Where, found: Findings) -> None:
    """A resource inside another; a contained one shares its container's ids."""
    if where[1] != "contained":
        check_resource(resource, where, found)
    elif _has_type(resource, where, found):
        structure_check(resource["resourceType"]).check(resource, where, found)


def _has_type(resource: Any, where: Where, found: Findings) -> bool:
    if type(resource) is not dict:
        found.add("structure", where, "This is a resource: one JSON object.")
        return False
    name = resource.get("resourceType")
    if name is None:
        found.add("required", (where, "resourceType", None), "A resource states its resourceType.")
        return False
    if type(name) is not str or name not in _RESOURCES:
        text = "R4 has no resource type of that name."
        if type(name) is str:
            text = f"R4 has no resource type {shortened(name)}."
        found.add("structure", (where, "resourceType", None), text)
        return False
    return True

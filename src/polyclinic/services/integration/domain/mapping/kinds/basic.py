"""Identifiers, concepts, references, quantities and files."""

from collections.abc import Callable, Mapping
from typing import Any

from polyclinic.services.integration.domain.intents import Party
from polyclinic.services.integration.domain.mapping import (
    attachments,
    parties,
    primitives,
    quantities,
    tables,
    ucum,
)
from polyclinic.services.integration.domain.mapping.nodes import Node
from polyclinic.services.integration.domain.mapping.reading import Reading, Scope

_BIRTH_TIME = "http://hl7.org/fhir/StructureDefinition/patient-birthTime"

Kind = Callable[[Node, str, Scope], Any]


def period_of(node: Node, start: str, end: str, scope: Scope) -> dict[str, str] | None:
    """A period of two components; not one that ends before it begins."""
    found = {
        part: when
        for part, at in (("start", start), ("end", end))
        if (when := primitives.date_time(node.node(at), scope.reading))
    }
    if len(found) == 2 and found["start"][:10] > found["end"][:10]:
        scope.reading.note(node.place, "The period ends before it starts; its end is left out.")
        del found["end"]
    return found or None


def _identifier(node: Node, name: str, scope: Scope) -> Any:
    found = parties.identifier(node, name, scope.reading)
    if found is None:
        return None
    value = parties.as_fhir(found)
    period = period_of(node, "7", "8", scope)
    return {**value, "period": period} if period else value


def _entity(node: Node, name: str, scope: Scope) -> Any:
    found = parties.entity(node, name, scope.reading)
    return None if found is None else parties.as_fhir(found)


def naming(read: Callable[[Node, Reading], Party | None], kind: str) -> Kind:
    """References that name without pointing."""

    def named(node: Node, _: str, scope: Scope) -> Any:
        party = read(node, scope.reading)
        return None if party is None else parties.reference(party, kind)

    return named


def _ssn(node: Node, _: str, scope: Scope) -> Any:
    """PID-19 and NK1-37, which are bare numbers."""
    digits = "".join(each for each in node.text or "" if each.isdigit())
    if len(digits) != 9 or not parties.is_number(digits):
        scope.reading.note(node.place, "That is no social security number.")
        return None
    coding = {"system": parties.KINDS, "code": "SS"}
    return {
        "system": tables.systems()["kinds"]["SS"],
        "value": digits,
        "type": {"coding": [coding]},
    }


def _license(node: Node, _: str, __: Scope) -> Any:
    """DLN: the number and the state that gave it."""
    value, state = node.get("1"), node.get("2")
    if not parties.is_number(value):
        return None
    coding = {"system": parties.KINDS, "code": "DL"}
    found: dict[str, Any] = {"value": value, "type": {"coding": [coding]}}
    return {**found, "assigner": {"display": state}} if state else found


def _concept(node: Node, name: str, scope: Scope) -> Any:
    return primitives.concept(node, name, scope.reading)


def _coding(node: Node, name: str, scope: Scope) -> Any:
    if name:
        return primitives.coding_of_map(node, name, scope.reading)
    return primitives.coding(node, scope.reading)


def phrase(node: Node, _: str, scope: Scope) -> Any:
    """A text as a concept without a code; with one where it is a CWE after all."""
    if node.get("2") or node.get("3"):
        return primitives.concept(node, "", scope.reading)
    text = primitives.string(node, scope.reading)
    return {"text": text} if text else None


def _annotation(node: Node, _: str, scope: Scope) -> Any:
    text = primitives.string(node, scope.reading)
    return {"text": text} if text else None


def _days(node: Node, _: str, scope: Scope) -> Any:
    found = primitives.unsigned(node, scope.reading)
    return {"value": found, "unit": "d", "system": ucum.SYSTEM, "code": "d"} if found else None


def _phone(node: Node, _: str, __: Scope) -> Any:
    """Of the parts of XTN: country, area, number and extension."""
    country, area, local, extension = (node.get(each) for each in ("5", "6", "7", "8"))
    if not local:
        return None
    parts = (country and f"+{country.lstrip('+')}", area and f"({area})", local)
    number = " ".join(part for part in parts if part)
    return f"{number} x{extension}" if extension else number


def _day(node: Node, _: str, scope: Scope) -> Any:
    found = primitives.moment(node, scope.reading)
    return found.date if found else None


def _birth_time(node: Node, _: str, scope: Scope) -> Any:
    """The hour of birth, where more than a day was said."""
    if len(node.text or "") <= 8:
        return None
    found = primitives.moment(node, scope.reading)
    if found is None or found.at is None:
        return None
    return {"url": _BIRTH_TIME, "valueDateTime": found.date_time}


def _full_name(node: Node, _: str, __: Scope) -> Any:
    """XPN as one text."""
    parts = (node.get("5"), node.get("2"), node.get("3"), node.get("1"), node.get("4"))
    return " ".join(part for part in parts if part) or None


def _address_line(node: Node, _: str, __: Scope) -> Any:
    parts = (node.get(each) for each in ("1", "2", "3", "4", "5", "6"))
    return ", ".join(part for part in parts if part) or None


def code_of(node: Node, _: str, __: Scope) -> Any:
    """The bare code."""
    return node.text


KINDS: Mapping[str, Kind] = {
    "Identifier": _identifier,
    "Entity": _entity,
    "SSN": _ssn,
    "License": _license,
    "Concept": _concept,
    "Coding": _coding,
    "Phrase": phrase,
    "CodeOf": code_of,
    "Practitioner": naming(parties.practitioner, "Practitioner"),
    "Interpreter": lambda node, _, scope: KINDS["Practitioner"](node.node("1"), "", scope),
    "Location": naming(parties.place, "Location"),
    "Organization": naming(parties.organization, "Organization"),
    "Manufacturer": naming(parties.manufacturer, "Organization"),
    "Producer": naming(parties.manufacturer, "Organization"),
    "Period": lambda node, _, scope: period_of(node, "1", "2", scope),
    "Annotation": _annotation,
    "PhoneNumber": _phone,
    "Day": _day,
    "BirthTime": _birth_time,
    "FullName": _full_name,
    "AddressLine": _address_line,
    "Days": _days,
    "Quantity": lambda node, _, scope: quantities.quantity(node, scope.reading),
    "Unit": lambda node, _, __: quantities.unit_of(node) or None,
    "Attachment": lambda node, _, scope: attachments.encapsulated(node, scope.reading),
}

"""Times and takers-part of appointments."""

from collections.abc import Mapping
from typing import Any

from polyclinic.services.integration.domain.intents import PERSON
from polyclinic.services.integration.domain.mapping import parties, primitives, quantities
from polyclinic.services.integration.domain.mapping import times as clock
from polyclinic.services.integration.domain.mapping.kinds.basic import Kind
from polyclinic.services.integration.domain.mapping.nodes import Node
from polyclinic.services.integration.domain.mapping.reading import Scope

_STATUSES = {"Cancelled": "declined", "Pending": "tentative", "Waitlist": "tentative"}


def _minutes_of(node: Node, _: str, scope: Scope) -> Any:
    """SCH-9 in the units of SCH-10."""
    return quantities.minutes(node.text, scope.text("10")) or None


def _start_of(node: Node, _: str, scope: Scope) -> Any:
    """Where a resource is needed from; the appointment begins with its first service."""
    found = primitives.moment(node, scope.reading)
    if found is None or found.at is None:
        return None
    return clock.instant(found.at)


def _taking_part(actor: dict[str, Any], status: str, role: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {"actor": actor, "status": status}
    if role:
        system = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
        found["type"] = [{"coding": [{"system": system, "code": role}]}]
    return found


def _needed(scope: Scope, start: str, duration: str) -> dict[str, Any]:
    """When this resource is needed, where it says so; the unit stands after the duration."""
    found = next((primitives.moment(each, scope.reading) for each in scope.nodes(start)), None)
    if found is None or found.at is None:
        return {}
    period = {"start": clock.instant(found.at)}
    unit = scope.text(str(int(duration) + 1))
    if length := quantities.minutes(scope.text(duration), unit):
        period["end"] = clock.instant(clock.later(found.at, length))
    return {"period": period}


def _contact(node: Node, _: str, scope: Scope) -> Any:
    """SCH-12, 16 and 20: who asked, who answered and who typed are kept beside, not invited."""
    party = parties.practitioner(node, scope.reading)
    if party is None:
        return None
    actor = parties.reference(party, "Practitioner")
    return {**_taking_part(actor, "tentative", "CALLBCK"), "required": "information-only"}


def _practitioner_of(node: Node, _: str, scope: Scope) -> Any:
    party = parties.practitioner(node, scope.reading)
    if party is None:
        return None
    actor = parties.reference(party, "Practitioner")
    found = _taking_part(actor, _STATUSES.get(scope.text("12") or "", "accepted"), "PPRF")
    if role := next(
        (primitives.concept(each, "", scope.reading) for each in scope.nodes("4")), None
    ):
        found["type"].append(role)
    return {**found, **_needed(scope, "6", "9")}


def _place_of(node: Node, _: str, scope: Scope) -> Any:
    party = parties.place(node, scope.reading)
    if party is None:
        return None
    found = _taking_part(parties.reference(party, "Location"), "accepted")
    return {**found, **_needed(scope, "6", "9")}


def _resource_of(node: Node, _: str, scope: Scope) -> Any:
    """AIG-3: a device, a room or a person; AIG-4 says which."""
    kind = (scope.text("4") or scope.text("4.2") or "").upper()
    name, value = node.get("2") or node.get("1"), node.get("1")
    if not name:
        return None
    type_ = "Practitioner" if "P" in (kind[:1], kind) or "PROV" in kind else "Device"
    actor: dict[str, Any] = {"type": type_, "display": name}
    if parties.is_number(value):
        authority = Node(((node.get("3"),),), node.place)
        actor["identifier"] = {
            "system": parties.system_of(authority, "resource", scope.reading), "value": value,
        }  # fmt: skip
    found = _taking_part(actor, "accepted")
    if role := next(
        (primitives.concept(each, "", scope.reading) for each in scope.nodes("4")), None
    ):
        found["type"] = [role]
    return {**found, **_needed(scope, "8", "11")}


def _patient(_: Node, __: str, ___: Scope) -> Any:
    return {"reference": PERSON}


KINDS: Mapping[str, Kind] = {
    "MinutesOf": _minutes_of,
    "StartOf": _start_of,
    "AppointmentContact": _contact,
    "PractitionerOf": _practitioner_of,
    "PlaceOf": _place_of,
    "ResourceOf": _resource_of,
    "Patient": _patient,
}

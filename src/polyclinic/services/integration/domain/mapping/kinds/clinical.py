"""Diagnoses, procedures, vaccines, specimens and orders: what needs more than one value."""

from collections.abc import Mapping
from typing import Any

from polyclinic.services.integration.domain.mapping import keys, parties, primitives, quantities
from polyclinic.services.integration.domain.mapping import times as clock
from polyclinic.services.integration.domain.mapping.kinds.basic import Kind
from polyclinic.services.integration.domain.mapping.nodes import Node
from polyclinic.services.integration.domain.mapping.reading import Scope

_NOBODY_KNOWS = frozenset({"999", "9999"})  # RXA-6 where the amount is not known


def _diagnosis_of(_: Node, __: str, scope: Scope) -> Any:
    """An entry of Encounter.diagnosis that points to the Condition of the same DG1."""
    key = keys.first(keys.DIAGNOSIS, scope)
    if key is None or scope.text("21") == "D":
        return None
    found: dict[str, Any] = {"condition": {"reference": f"#Condition/{key}"}}
    kind = next(iter(scope.nodes("6")), None)
    if kind is not None and kind.text in ("A", "W", "F"):
        use = primitives.coding_of_map(kind, "DiagnosisRole", scope.reading)
        found["use"] = {"coding": [use]}
    rank = scope.text("15")
    if rank and rank.isdigit() and int(rank) > 0:
        found["rank"] = int(rank)
    return found


def _parent(kind: str) -> Kind:
    """A reference to another document of that kind by its sender's number."""

    def referring(node: Node, _: str, scope: Scope) -> Any:
        found = parties.entity(node, "", scope.reading)
        return {"reference": f"#{kind}/{parties.key_of(found)}"} if found else None

    return referring


def _order_reference(node: Node, _: str, scope: Scope) -> Any:
    """An order by its number alone: it may be known elsewhere only."""
    found = parties.entity(node, "", scope.reading)
    if found is None:
        return None
    number = {"system": found.system, "value": found.value}
    return {"type": "ServiceRequest", "identifier": number}


def _numbered(kind: str) -> Kind:
    def referring(node: Node, _: str, scope: Scope) -> Any:
        found = parties.entity(node, "", scope.reading)
        if found is None:
            return None
        return {"type": kind, "identifier": {"system": found.system, "value": found.value}}

    return referring


def _procedure_end(node: Node, _: str, scope: Scope) -> Any:
    """PR1-5 and the minutes of PR1-7."""
    length = quantities.minutes(node.text, "min")
    start = next((primitives.moment(each, scope.reading) for each in scope.nodes("5")), None)
    if not length or start is None or start.at is None:
        return None
    return clock.instant(clock.later(start.at, length))


def _dose_of(node: Node, _: str, scope: Scope) -> Any:
    if node.text in _NOBODY_KNOWS:
        return None
    value = primitives.decimal(node, scope.reading)
    return None if value is None else {"value": value}


def _primary_source(node: Node, _: str, __: Scope) -> Any:
    """RXA-9 of NIP001: 00 was given here, all others are told of."""
    return node.get("1") == "00"


def _report_origin(node: Node, _: str, scope: Scope) -> Any:
    if node.get("1") == "00":
        return None
    return primitives.concept(node, "", scope.reading)


def _location_old(node: Node, _: str, __: Scope) -> Any:
    """RXA-11 (LA2): facility, and what else was said of the place."""
    parts = (node.get("4"), node.get("1"), node.get("2"), node.get("3"))
    text = ", ".join(part for part in parts if part)
    return {"type": "Location", "display": text} if text else None


def _specimen_source(node: Node, _: str, scope: Scope) -> Any:
    """OBR-15.1, whose subcomponents are a CWE."""
    return primitives.concept(node.node("1"), "", scope.reading)


def _wording(node: Node, _: str, __: Scope) -> Any:
    return node.get("2") or node.get("1")


def _allowed(node: Node, _: str, __: Scope) -> Any:
    """RXO-9: N forbids to substitute."""
    return {"N": False, "G": True, "T": True, "Y": True}.get(node.text or "")


KINDS: Mapping[str, Kind] = {
    "DiagnosisOf": _diagnosis_of,
    "ParentCondition": _parent("Condition"),
    "ParentProcedure": _numbered("Procedure"),
    "OrderReference": _order_reference,
    "SpecimenReference": _numbered("Specimen"),
    "Instrument": _numbered("Device"),
    "ProcedureEnd": _procedure_end,
    "DoseOf": _dose_of,
    "PrimarySource": _primary_source,
    "ReportOrigin": _report_origin,
    "LocationOld": _location_old,
    "SpecimenSource": _specimen_source,
    "Wording": _wording,
    "Allowed": _allowed,
}

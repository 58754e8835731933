"""What is said of persons: race, language, insurance numbers, parts in a visit."""

from collections.abc import Mapping
from typing import Any

from polyclinic.services.integration.domain.mapping import parties, primitives
from polyclinic.services.integration.domain.mapping.kinds.basic import Kind
from polyclinic.services.integration.domain.mapping.nodes import Node
from polyclinic.services.integration.domain.mapping.reading import Scope

_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_CDC = "urn:oid:2.16.840.1.113883.6.238"
_OMB_RACES = {
    "1002-5": "American Indian or Alaska Native", "2028-9": "Asian",
    "2054-5": "Black or African American", "2076-8": "Native Hawaiian or Other Pacific Islander",
    "2106-3": "White",
}  # fmt: skip
_OMB_ETHNICITIES = {
    "2135-2": "Hispanic or Latino", "2186-5": "Not Hispanic or Latino",
    "H": "Hispanic or Latino", "N": "Not Hispanic or Latino",
}  # fmt: skip
_ETHNIC_CODES = {"H": "2135-2", "N": "2186-5"}


def _race(node: Node, name: str, _: Scope) -> Any:
    """An entry of US Core's extensions: one of the few categories; others are in its text."""
    code = node.get("1") or ""
    known = _OMB_RACES if name == "race" else _OMB_ETHNICITIES
    if code not in known:
        return None
    coding = {"system": _CDC, "code": _ETHNIC_CODES.get(code, code), "display": known[code]}
    return {"url": "ombCategory", "valueCoding": coding}


def _race_text(node: Node, name: str, _: Scope) -> Any:
    code = node.get("1") or ""
    known = _OMB_RACES if name == "race" else _OMB_ETHNICITIES
    return node.get("2") or known.get(code) or code or None


def _language(node: Node, _: str, scope: Scope) -> Any:
    return primitives.concept(node, "", scope.reading)


def _participant(node: Node, name: str, scope: Scope) -> Any:
    """A practitioner with a part in the visit."""
    party = parties.practitioner(node, scope.reading)
    if party is None:
        return None
    return {
        "type": [{"coding": [{"system": _PARTICIPATION, "code": name}]}],
        "individual": parties.reference(party, "Practitioner"),
    }


def _performer(node: Node, name: str, scope: Scope) -> Any:
    """A practitioner who did it; `name` is a SNOMED CT role, or one of table 0443."""
    party = parties.practitioner(node, scope.reading)
    if party is None:
        return None
    found: dict[str, Any] = {"actor": parties.reference(party, "Practitioner")}
    if name:
        system = "http://snomed.info/sct" if name.isdigit() else _V2_PROVIDER
        found["function"] = {"coding": [{"system": system, "code": name}]}
    return found


_V2_PROVIDER = "http://terminology.hl7.org/CodeSystem/v2-0443"


def _member(node: Node, _: str, scope: Scope) -> Any:
    """IN1-36: the number of the policy at this payer, or its member's."""
    value = node.get("1")
    if not parties.is_number(value):
        return None
    payer = scope.text("IN1-3") or "payer"
    authority = Node(((payer,),), node.place)
    system = parties.system_of(authority, "MB", scope.reading)
    return {"system": system, "value": value,
            "type": {"coding": [{"system": parties.KINDS, "code": "MB"}]}}  # fmt: skip


def _plan(node: Node, _: str, scope: Scope) -> Any:
    """IN1-2: the plan's code at this payer."""
    value = node.get("1")
    if not parties.is_number(value):
        return None
    authority = Node(((node.get("3") or "plan",),), node.place)
    return {"system": parties.system_of(authority, "XX", scope.reading), "value": value}


def _payer_number(node: Node, _: str, scope: Scope) -> Any:
    found = parties.identifier(node, "NIIP", scope.reading)
    return None if found is None else {"system": found.system, "value": found.value}


def _employer(node: Node, _: str, scope: Scope) -> Any:
    found = parties.identifier(node, "EI", scope.reading)
    if found is None:
        return None
    return {"type": "Organization",
            "identifier": {"system": found.system, "value": found.value}}  # fmt: skip


def _reporter(node: Node, _: str, __: Scope) -> Any:
    return "Patient" if node.text == "SEL" else "RelatedPerson"


def _protected(node: Node, _: str, __: Scope) -> Any:
    """PV2-22: the visit is to be protected."""
    if node.text != "Y":
        return None
    return {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}


def _destination(node: Node, _: str, __: Scope) -> Any:
    """DLD, and the code that senders write in its place."""
    text = node.get("1.2") or node.get("1")
    return {"type": "Location", "display": text} if text else None


def _episode(node: Node, _: str, scope: Scope) -> Any:
    found = parties.identifier(node, "", scope.reading)
    if found is None:
        return None
    return {"type": "EpisodeOfCare",
            "identifier": {"system": found.system, "value": found.value}}  # fmt: skip


KINDS: Mapping[str, Kind] = {
    "Race": _race,
    "RaceText": _race_text,
    "Language": _language,
    "Participant": _participant,
    "Performer": _performer,
    "Member": _member,
    "Plan": _plan,
    "PayerNumber": _payer_number,
    "Employer": _employer,
    "Reporter": _reporter,
    "Protected": _protected,
    "Destination": _destination,
    "Episode": _episode,
}

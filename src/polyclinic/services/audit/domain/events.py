"""Leaves as AuditEvents, in the shapes of IHE BALP: read, query, create, update, delete, denied.

https://profiles.ihe.net/ITI/BALP. The text of a query is not there: logs hold no addresses.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from polyclinic.standards.fhir.definitions import type_name

_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_PROFILE = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
_ENTITY = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
_BALP_ENTITY = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType"
# Letters of the access log → (AuditEvent.action, restful-interaction, the word in BALP's profiles).
_DEEDS: Mapping[str, tuple[str, str, str]] = {
    "r": ("R", "read", "Read"),
    "h": ("R", "history-instance", "Read"),
    "s": ("E", "search-type", "Query"),
    "c": ("C", "create", "Create"),
    "u": ("U", "update", "Update"),
    "d": ("D", "delete", "Delete"),
}
_OTHER = ("E", "operation", "")


class Said(msgspec.Struct, frozen=True):
    """What a leaf's bytes say; rows of identity have a kind, those of access logs an action."""

    source: str
    at: datetime
    request: str = ""
    request_id: str = ""
    patient: int | None = None
    count: int = 1
    type: int = 0
    action: str = ""
    outcome: int = 0
    actor: str = ""
    client: str = ""
    id: str | None = None
    kind: str = ""
    account_id: str | None = None
    client_id: str | None = None

    @property
    def who(self) -> str:
        return self.actor or self.account_id or self.client_id or ""

    @property
    def type_name(self) -> str:
        return type_name(self.type) if self.type else ""


@dataclass(frozen=True, slots=True)
class Person:
    """Who is behind an actor, as far as it may be told."""

    role: str
    name: str | None = None
    person: str | None = None


def said_by(body: bytes) -> Said:
    return msgspec.json.decode(body, type=Said)


def event_of(seq: int, said: Said, patient: str | None, person: Person | None) -> dict[str, Any]:
    """An AuditEvent; `patient` is the `Patient/<id>` that was asked for, when it was."""
    if said.kind:
        return _security_event(seq, said, person)
    action, interaction, word = _DEEDS.get(said.action, _OTHER)
    profile = f"{_PROFILE}{'Patient' if said.patient is not None else ''}{word}"
    return {
        "resourceType": "AuditEvent",
        "id": str(seq),
        "meta": {"profile": [profile]} if word else {},
        "type": {
            "system": "http://terminology.hl7.org/CodeSystem/audit-event-type",
            "code": "rest",
            "display": "RESTful Operation",
        },
        "subtype": [{"system": "http://hl7.org/fhir/restful-interaction", "code": interaction}],
        "action": action,
        "recorded": _instant(said.at),
        "outcome": str(said.outcome),
        "agent": _agents(said, action, person),
        "source": _source(said),
        "entity": _entities(said, patient),
    }


def _security_event(seq: int, said: Said, person: Person | None) -> dict[str, Any]:
    """A sign-in, a token, an account: DICOM's User Authentication, with identity's own word."""
    failed = said.kind.endswith(("-failed", "-locked", "-reused"))
    return {
        "resourceType": "AuditEvent",
        "id": str(seq),
        "type": {"system": _DCM, "code": "110114", "display": "User Authentication"},
        "subtype": [{"system": "urn:polyclinic:security-event", "code": said.kind}],
        "action": "E",
        "recorded": _instant(said.at),
        "outcome": "8" if failed else "0",
        "agent": _agents(said, "E", person),
        "source": _source(said),
    }


def _agents(said: Said, action: str, person: Person | None) -> list[dict[str, Any]]:
    """BALP: who reads is the destination of what is sent; who writes or asks is the source."""
    client, server = ("110152", "110153") if action == "R" else ("110153", "110152")
    user: dict[str, Any] = {
        "type": _coding("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP"),
        "who": {"identifier": {"value": said.who or "unknown"}},
        "requestor": True,
    }
    if person is not None:
        user["role"] = [_coding("urn:polyclinic:role", person.role)]
        if person.name:
            user["who"]["display"] = person.name
        if person.person:
            user["who"]["reference"] = person.person
    program = said.client or said.client_id or "unknown"
    return [
        user,
        {
            "type": _coding(_DCM, client),
            "who": {"identifier": {"value": program}},
            "requestor": False,
        },
        {
            "type": _coding(_DCM, server),
            "who": {"display": _service(said)},
            "requestor": False,
        },
    ]


def _entities(said: Said, patient: str | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    data: dict[str, Any] = {
        "type": {"system": _ENTITY, "code": "2"},
        "role": {"system": _ROLE, "code": "24" if said.action == "s" else "4"},
    }
    if said.id is not None:
        data["what"] = {"reference": f"{said.type_name}/{said.id}"}
    elif said.type_name:
        data["what"] = {"type": said.type_name, "display": f"{said.count} of {said.type_name}"}
    found.append(data)
    if said.patient is not None:
        key = {"system": f"urn:polyclinic:patient-number:{said.source}", "value": str(said.patient)}
        what = {"reference": patient} if patient else {"identifier": key}
        found.append(
            {
                "what": what,
                "type": {"system": _ENTITY, "code": "1"},
                "role": {"system": _ROLE, "code": "1"},
            }
        )
    request = {"identifier": {"value": said.request}}
    found.append({"what": request, "type": {"system": _BALP_ENTITY, "code": "XrequestId"}})
    return found


def _coding(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def _source(said: Said) -> dict[str, Any]:
    kind = {"system": "http://terminology.hl7.org/CodeSystem/security-source-type", "code": "4"}
    return {"observer": {"display": f"polyclinic {_service(said)}"}, "type": [kind]}


def _service(said: Said) -> str:
    return said.source.partition(".")[0]


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

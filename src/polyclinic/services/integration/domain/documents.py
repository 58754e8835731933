"""A C-CDA document as a message: who it is about, and what it asks to be kept."""

import base64
from datetime import UTC, datetime
from hashlib import sha1, sha256
from typing import Any

from polyclinic.services.integration.domain.channels import Channel
from polyclinic.services.integration.domain.intents import (
    PERSON,
    Document,
    Identifier,
    Keep,
    Note,
    Person,
    Step,
    Translation,
)
from polyclinic.standards.ccda import Converted

# A resource holds 1 MB; what is larger stays with the message, and its hash in the chart.
INLINE_MAX = 600_000
KIND = "CDA"


def translation(converted: Converted, raw: bytes, channel: Channel) -> Translation:
    """Everything in the document about one person, and the document itself beside it.

    Ranks are the document's time: an older document that comes late overwrites nothing.
    """
    person = Person(
        tuple(_identifiers(converted.patient, channel)),
        {**converted.patient, "identifier": _renamed(converted.patient, channel)},
        rank=(_moment(converted.at),),
    )
    rank = (_moment(converted.at),)
    kept = [Document(kind, key, resource, rank=rank) for kind, key, resource in converted.documents]
    name = f"ccda-{_name(converted.id)}"
    original = Document("DocumentReference", name, _original(converted, raw), rank=rank)
    return Translation(
        KIND,
        converted.at,
        person,
        (Keep(person, (*kept, original), create_person=channel.create_person),),
        notes=tuple(Note(each.place, each.severity, each.text) for each in converted.notes),
        trace=tuple(Step("ccda-to-fhir", "ClinicalDocument", f"{d.kind}/{d.key}") for d in kept),
        order_key_parts=tuple(f"{each.system}|{each.value}" for each in person.identifiers),
    )


def _identifiers(patient: dict[str, Any], channel: Channel) -> list[Identifier]:
    return [
        Identifier(each["system"], each["value"], _kind(each))
        for each in _renamed(patient, channel)
        if each.get("system") and each.get("value")
    ]


def _renamed(patient: dict[str, Any], channel: Channel) -> list[dict[str, Any]]:
    """The sender's number ranges (`1.2.3.9`) under the names that the channel gives them."""
    found: list[dict[str, Any]] = []
    for identifier in patient.get("identifier", ()):
        system = identifier.get("system", "")
        known = channel.systems.get(system.removeprefix("urn:oid:"), system)
        found.append({**identifier, "system": known} if known else identifier)
    return found


def _kind(identifier: dict[str, Any]) -> str:
    codings = identifier.get("type", {}).get("coding", ())
    return next((coding["code"] for coding in codings if coding.get("code")), "MR")


def _original(converted: Converted, raw: bytes) -> dict[str, Any]:
    attachment: dict[str, Any] = {
        "contentType": "text/xml",
        "size": len(raw),
        "hash": base64.b64encode(sha1(raw).digest()).decode(),  # noqa: S324 - R4 asks for SHA-1
    }
    if converted.title:
        attachment["title"] = converted.title
    if len(raw) <= INLINE_MAX:
        attachment["data"] = base64.b64encode(raw).decode()
    found: dict[str, Any] = {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": {"coding": [{"system": "http://loinc.org", "code": "34133-9"}],
                 "text": converted.title or "Clinical document"},
        "subject": {"reference": PERSON},
        "content": [{"attachment": attachment}],
    }  # fmt: skip
    if moment := instant(converted.at):
        found["date"] = moment
    return found


def instant(at: str) -> str:
    """An HL7 time (`20260101120000-0500`) as an instant; empty where it has no zone."""
    try:
        return datetime.strptime(at[:14] + at[-5:], "%Y%m%d%H%M%S%z").isoformat()
    except ValueError:
        return ""


def _moment(at: str) -> str:
    """As digits that sort by time: of the same zone, as far as the document says it."""
    try:
        found = datetime.fromisoformat(instant(at)).astimezone(UTC)
    except ValueError:
        return at[:14]
    return found.strftime("%Y%m%d%H%M%S")


def _name(identity: str) -> str:
    return sha256(identity.encode()).hexdigest()[:32]

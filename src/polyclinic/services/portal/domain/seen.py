"""Who saw a patient's record, in plain words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from polyclinic.services.portal.domain import times

ROLES: Mapping[str, str] = {
    "clinician": "Care team",
    "front-desk": "Front desk",
    "billing": "Billing",
    "administrator": "Administration",
    "patient": "Patient",
    "program": "Software",
}
_NAMELESS: Mapping[str, str] = {
    "clinician": "Somebody of your care team",
    "front-desk": "Somebody at the front desk",
    "billing": "Somebody in billing",
    "administrator": "Somebody in administration",
    "patient": "Another patient",
}
# The clinic's own services, as patients may call them.
_OWN: Mapping[str, str] = {
    "records": "The clinic's records",
    "appointments": "The clinic's calendar",
    "billing": "The clinic's billing",
    "integration": "The exchange with other systems",
    "insights": "The clinic's reminders and scores",
    "audit": "The clinic's access log",
    "migration": "The move from an older system",
    "portal": "These pages",
}
_DID: Mapping[str, str] = {
    "saw": "Looked at",
    "changed": "Changed",
    "created": "Added",
    "deleted": "Removed",
    "denied": "Asked for, and was refused:",
}
_KINDS: Mapping[str, str] = {
    "Patient": "your name and contact details",
    "Observation": "test results and measurements",
    "DiagnosticReport": "reports",
    "DocumentReference": "documents",
    "MedicationRequest": "medicines",
    "MedicationStatement": "medicines",
    "Condition": "conditions",
    "AllergyIntolerance": "allergies",
    "Immunization": "vaccinations",
    "Procedure": "procedures",
    "Encounter": "visits",
    "Appointment": "appointments",
    "CareTeam": "your care team",
    "CarePlan": "care plans",
    "Coverage": "insurance",
    "Claim": "insurance claims",
    "ClaimResponse": "insurance claims",
    "ExplanationOfBenefit": "insurance claims",
    "Account": "bills",
    "ChargeItem": "bills",
    "Invoice": "bills",
    "PaymentNotice": "payments",
    "RiskAssessment": "scores and reminders",
    "AuditEvent": "this list",
    "MessageHeader": "messages of other systems",
}
OTHER = "other parts of your record"


class Look(msgspec.Struct, frozen=True):
    """What audit says of one look."""

    first: datetime = msgspec.field(name="from")
    last: datetime = msgspec.field(name="to")
    role: str
    did: str
    kinds: dict[str, int]
    name: str | None = None
    program: str | None = None


class Seen(msgspec.Struct, frozen=True):
    """A page of looks, and where the next one begins."""

    looks: tuple[Look, ...]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A look in words."""

    who: str
    role: str
    did: str
    what: str
    time: str
    iso: str
    refused: bool


@dataclass(frozen=True, slots=True)
class Day:
    """The looks of one day, the newest first."""

    words: str
    rows: tuple[Row, ...]


def days_of(looks: Sequence[Look], zone: str) -> list[Day]:
    """By day of the clinic's clock."""
    found: dict[str, list[Row]] = {}
    for look in looks:
        day = times.local(look.last, zone)
        words = times.day_words(day.date()) + f" {day.year}"
        found.setdefault(words, []).append(_row(look, zone))
    return [Day(words, tuple(rows)) for words, rows in found.items()]


def _row(look: Look, zone: str) -> Row:
    first, last = times.hour(look.first, zone), times.hour(look.last, zone)
    return Row(
        who=_who(look),
        role=ROLES.get(look.role, "Clinic"),
        did=_DID.get(look.did, "Used"),
        what=_what(look.kinds),
        time=last if first == last else f"{first} to {last}",
        iso=look.last.isoformat(),
        refused=look.did == "denied",
    )


def _who(look: Look) -> str:
    if look.program is not None:
        return _OWN.get(look.program, f"A program of the clinic, {look.program}")
    return look.name or _NAMELESS.get(look.role, "Somebody of the clinic")


def _what(kinds: Mapping[str, int]) -> str:
    """`test results and measurements (12), medicines (3)`; one of a kind is not counted."""
    counts: dict[str, int] = {}
    for kind, count in kinds.items():
        words = _KINDS.get(kind, OTHER)
        counts[words] = counts.get(words, 0) + count
    parts = [
        words if count == 1 or words.startswith("your ") else f"{words} ({count:,})"
        for words, count in sorted(counts.items(), key=lambda each: (each[0] == OTHER, -each[1]))
    ]
    return ", ".join(parts)

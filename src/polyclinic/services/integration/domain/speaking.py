"""HL7 v2 as we speak it: a person, an appointment or a report of ours, as ADT, SIU or ORU.

Each message is a snapshot of what is kept: fields that we know nothing of stay empty, which leaves
the receiver's as they are. Only what a receiver needs to act is said.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from polyclinic.services.integration.domain.mapping import outward
from polyclinic.services.integration.domain.mapping.outward import Addressed
from polyclinic.standards.hl7v2 import Header, Message
from polyclinic.standards.hl7v2.moments import written

Resource = dict[str, Any]
SENDER = ("POLYCLINIC", "POLYCLINIC")
# Which events a receiver hears who wants messages of a kind.
EVENTS = {
    "ADT": ("ResourceCreated:Patient", "ResourceUpdated:Patient"),
    "SIU": ("ResourceCreated:Appointment", "ResourceUpdated:Appointment"),
    "ORU": ("ResourceCreated:DiagnosticReport", "ResourceUpdated:DiagnosticReport"),
}
_SCHEDULING = {"cancelled": "S15", "entered-in-error": "S17", "noshow": "S26"}
SPOKEN = frozenset(["final", "amended", "corrected", "appended", "preliminary", "cancelled"])


def header(receiver: tuple[str, str], control_id: str, now: datetime) -> Header:
    return Header(SENDER, receiver, control_id, written(now))


def person(patient: Resource, head: Header, *, is_new: bool) -> Message:
    """ADT^A28 of somebody new, A31 of somebody known."""
    return outward.admission(Addressed(head), "A28" if is_new else "A31", patient, None)


def appointment(
    found: Resource, patient: Resource | None, head: Header, *, is_new: bool
) -> Message:
    """SIU: S12 booked, S14 changed, S15 cancelled, S17 in error, S26 missed."""
    event = _SCHEDULING.get(found.get("status", ""), "S12" if is_new else "S14")
    return outward.scheduling(Addressed(head), event, found, patient)


def report(
    found: Resource, patient: Resource | None, results: Sequence[Resource], head: Header
) -> Message:
    """ORU^R01: one order with its results; OBX-11 tells a correction from a first result."""
    return outward.results(Addressed(head), found, results, patient)

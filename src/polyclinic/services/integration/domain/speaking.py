"""HL7 v2 as we speak it: a person, an appointment or a report of ours, as ADT, SIU or ORU.

Each message is a snapshot of what is kept: fields that we know nothing of stay empty, which leaves
the receiver's as they are. Only what a receiver needs to act is said.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from polyclinic.standards.hl7v2 import Header, Message, new_message
from polyclinic.standards.hl7v2.moments import from_fhir, written

Resource = dict[str, Any]
SENDER = ("POLYCLINIC", "POLYCLINIC")
# Which events a receiver hears who wants messages of a kind.
EVENTS = {
    "ADT": ("ResourceCreated:Patient", "ResourceUpdated:Patient"),
    "SIU": ("ResourceCreated:Appointment", "ResourceUpdated:Appointment"),
    "ORU": ("ResourceCreated:DiagnosticReport", "ResourceUpdated:DiagnosticReport"),
}
_GENDER = {"male": "M", "female": "F", "other": "O", "unknown": "U"}
_CODING = {
    "http://loinc.org": "LN",
    "http://snomed.info/sct": "SCT",
    "http://hl7.org/fhir/sid/icd-10-cm": "I10C",
    "http://unitsofmeasure.org": "UCUM",
}
_SCHEDULING = {"cancelled": "S15", "entered-in-error": "S17", "noshow": "S26"}
_FILLER = {
    "cancelled": "Cancelled", "noshow": "Noshow", "arrived": "Started", "checked-in": "Started",
    "fulfilled": "Complete", "entered-in-error": "Deleted", "pending": "Pending",
}  # fmt: skip
_RESULT = {
    "final": "F", "amended": "C", "corrected": "C", "appended": "C", "preliminary": "P",
    "partial": "P", "registered": "I", "cancelled": "X", "entered-in-error": "W",
}  # fmt: skip
SPOKEN = frozenset(["final", "amended", "corrected", "appended", "preliminary", "cancelled"])


def header(receiver: tuple[str, str], control_id: str, now: datetime) -> Header:
    return Header(SENDER, receiver, control_id, written(now))


def person(patient: Resource, head: Header, *, is_new: bool) -> Message:
    """ADT^A28 of somebody new, A31 of somebody known."""
    message = new_message("ADT", "A28" if is_new else "A31", "ADT_A05", head)
    message.set("EVN-2", head.at)
    _pid(message, patient)
    message.set("PV1-2", "N")
    return message


def appointment(
    found: Resource, patient: Resource | None, head: Header, *, is_new: bool
) -> Message:
    """SIU: S12 booked, S14 changed, S15 cancelled, S17 in error, S26 missed."""
    status = found.get("status", "")
    event = _SCHEDULING.get(status, "S12" if is_new else "S14")
    message = new_message("SIU", event, "SIU_S12", head)
    message.set("SCH-2", found["id"])
    _coded(message, "SCH-7", _first(found.get("reasonCode")))
    _coded(message, "SCH-8", _first(found.get("appointmentType")) or found.get("appointmentType"))
    message.set("SCH-11.4", _moment(found.get("start")))
    message.set("SCH-11.5", _moment(found.get("end")))
    message.set("SCH-25.1", _FILLER.get(status, "Booked"))
    if patient is not None:
        _pid(message, patient)
    message.set("RGS-1", "1")
    for who in found.get("participant") or ():
        reference = (who.get("actor") or {}).get("reference", "")
        if reference.startswith("Practitioner/"):
            message.add("AIP")
            count = len(message.segments("AIP"))
            message.set(f"AIP[{count}]-1", str(count))
            message.set(f"AIP[{count}]-3.1", reference.partition("/")[2])
    return message


def report(
    found: Resource, patient: Resource | None, results: Sequence[Resource], head: Header
) -> Message:
    """ORU^R01: one order with its results; OBX-11 tells a correction from a first result."""
    message = new_message("ORU", "R01", "ORU_R01", head)
    if patient is not None:
        _pid(message, patient)
    message.set("OBR-1", "1")
    message.set("OBR-3.1", found["id"])
    _coded(message, "OBR-4", found.get("code"))
    message.set("OBR-7", _moment(found.get("effectiveDateTime")))
    message.set("OBR-22", _moment(found.get("issued")))
    message.set("OBR-25", _RESULT.get(found.get("status", ""), ""))
    for number, each in enumerate(results, 1):
        message.add("OBX")
        _obx(message, f"OBX[{number}]", number, each)
    return message


def _pid(message: Message, patient: Resource) -> None:
    """Our own id stands last: a receiver looks for the number that it knows."""
    message.set("PID-1", "1")
    identifiers = [i for i in patient.get("identifier") or () if i.get("value")]
    for number, each in enumerate(identifiers, 1):
        place = f"PID-3[{number}]"
        message.set(f"{place}.1", each["value"])
        message.set(f"{place}.4.1", _authority(each.get("system", "")))
        kind = _first((each.get("type") or {}).get("coding"))
        message.set(f"{place}.5", kind.get("code") if kind else None)
    own = f"PID-3[{len(identifiers) + 1}]"
    message.set(f"{own}.1", patient["id"])
    message.set(f"{own}.4.1", SENDER[0])
    message.set(f"{own}.5", "PI")
    name = _first(patient.get("name")) or {}
    message.set("PID-5.1", name.get("family"))
    for part, given in zip(("2", "3"), name.get("given") or (), strict=False):
        message.set(f"PID-5.{part}", given)
    message.set("PID-7", _moment(patient.get("birthDate")))
    message.set("PID-8", _GENDER.get(patient.get("gender", "")))
    _address(message, _first(patient.get("address")) or {})
    phone = next((t for t in patient.get("telecom") or () if t.get("system") == "phone"), {})
    message.set("PID-13.1", phone.get("value"))
    if patient.get("deceasedDateTime"):
        message.set("PID-29", _moment(patient["deceasedDateTime"]))
    if patient.get("deceasedBoolean") or patient.get("deceasedDateTime"):
        message.set("PID-30", "Y")


def _address(message: Message, address: Resource) -> None:
    lines = address.get("line") or ()
    parts = [*lines[:2], *[None] * (2 - len(lines[:2]))]
    parts += [address.get(name) for name in ("city", "state", "postalCode", "country")]
    for number, text in enumerate(parts, 1):
        message.set(f"PID-11.{number}", text)


def _obx(message: Message, place: str, number: int, found: Resource) -> None:
    message.set(f"{place}-1", str(number))
    _coded(message, f"{place}-3", found.get("code"))
    message.set(f"{place}-11", _RESULT.get(found.get("status", ""), "F"))
    message.set(f"{place}-14", _moment(found.get("effectiveDateTime")))
    if "valueQuantity" in found:
        value = found["valueQuantity"]
        message.set(f"{place}-2", "NM")
        message.set(f"{place}-5", str(value.get("value", "")))
        message.set(f"{place}-6.1", value.get("code") or value.get("unit"))
    elif "valueCodeableConcept" in found:
        message.set(f"{place}-2", "CWE")
        _coded(message, f"{place}-5", found["valueCodeableConcept"])
    elif "valueString" in found:
        message.set(f"{place}-2", "ST")
        message.set(f"{place}-5", found["valueString"])
    flag = _first((_first(found.get("interpretation")) or {}).get("coding"))
    message.set(f"{place}-8", flag.get("code") if flag else None)


def _coded(message: Message, place: str, concept: Resource | None) -> None:
    if not concept:
        return
    coding = _first(concept.get("coding")) or {}
    system = coding.get("system", "")
    message.set(f"{place}.1", coding.get("code"))
    message.set(f"{place}.2", coding.get("display") or concept.get("text"))
    message.set(f"{place}.3", _CODING.get(system, system) or None)


def _authority(system: str) -> str | None:
    """The last part of a system: `urn:id:HOSPITAL` and an address end in what senders call it."""
    return system.rstrip("/").replace("/", ":").rpartition(":")[2] or None


def _moment(text: str | None) -> str | None:
    return from_fhir(text) if text else None


def _first(found: Any) -> Resource | None:
    return found[0] if isinstance(found, list) and found else None

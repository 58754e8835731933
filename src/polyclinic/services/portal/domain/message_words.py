"""States, reasons and events of messages in the words of those who see to them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from polyclinic.services.portal.domain.messages import Channel, Effect

# state → (word, tone, icon)
STATES: Mapping[str, tuple[str, str, str]] = {
    "received": ("Not worked on yet", "info", "clock"),
    "failed": ("Tried again soon", "info", "clock"),
    "waiting": ("Waits for a person", "warn", "people"),
    "parked": ("Stopped", "crit", "warning"),
    "done": ("Done", "ok", "check"),
    "ignored": ("Not for us", "", "dash"),
    "skipped": ("Set aside", "", "dash"),
    "replaced": ("Replaced by a copy", "", "dash"),
}
# Those that are counted: something is still to happen.
OPEN: tuple[str, ...] = ("parked", "waiting", "failed", "received")
ABOUT: Mapping[str, str] = {
    "parked": "they cannot succeed as they are",
    "waiting": "somebody has to say whose they are",
    "failed": "an owner did not answer",
    "received": "they are in the queue",
}
# What can be done in which state.
CAN: Mapping[str, tuple[str, ...]] = {
    "replay": ("failed", "waiting", "parked", "ignored", "skipped", "done"),
    "fix": ("failed", "waiting", "parked"),
    "skip": ("failed", "waiting", "parked"),
}
FINDS: Mapping[str, str] = {
    "mrn": "Record number (MRN)",
    "control": "Control id",
    "visit": "Visit number",
    "order": "Order number",
}
AGES: Mapping[str, tuple[str, timedelta]] = {
    "hour": ("The last hour", timedelta(hours=1)),
    "day": ("The last 24 hours", timedelta(days=1)),
    "week": ("The last 7 days", timedelta(days=7)),
}
# reason of waiting → (what is asked, what helps)
REASONS: Mapping[str, tuple[str, str]] = {
    "person": ("Who is meant?", "Compare the two and say."),
    "unknown person": ("Nobody here fits", "Register the person, or say that it is somebody new."),
    "order": ("The order is not known here", "Wait for the order, or file the result without it."),
    "wrong order": ("The order is another patient's", "Mend the message."),
    "directory": ("A name that we do not know", "Enter it in the directory, then try again."),
    "booking": ("The booking does not fit", "Move one of the two visits, then try again."),
    "charge": ("Billing does not take a line", "See to it in billing, then set it aside."),
    "money": ("A payment of other books", "See to it in billing, then set it aside."),
    "merge": ("Two charts cannot be united", "Merge by hand, then set it aside."),
    "no billing": ("Billing is not installed", "Add the service, then try again."),
    "no records": ("Records is not installed", "Add the service, then try again."),
    "block": ("Nobody keeps that calendar", "Enter closed times in the clinic's week."),
}
ASKS_WHO = ("person", "unknown person", "merge")
DOUBTS: Mapping[str, str] = {
    "identifier contradicted": "The number is known here, but name or birth date differ.",
    "identifiers of several": "The numbers belong to more than one chart.",
    "identifier alone": "Only the number fits; the message says too little else.",
    "details alike": "Name and birth date are alike, the number is new.",
    "unknown": "Nobody here fits, and this kind of message makes no new people.",
}
EVENTS: Mapping[str, str] = {
    "replayed": "Tried again",
    "skipped": "Set aside",
    "mended": "Mended by a copy",
    "decided": "Somebody said whose it is",
}
DID: Mapping[str, str] = {
    "created": "New",
    "updated": "Changed",
    "unchanged": "Already there",
    "deleted": "Taken away",
}
KINDS: Mapping[str, str] = {
    "ADT": "Patient and stay",
    "ORU": "Results",
    "ORM": "Order",
    "OML": "Laboratory order",
    "SIU": "Appointment",
    "DFT": "Charges",
    "VXU": "Vaccination",
    "MDM": "Document",
    "RDE": "Medicine order",
    "BAR": "Account",
    "MFN": "Master file",
}
SEGMENTS: Mapping[str, str] = {
    "MSH": "Message header", "EVN": "Event", "PID": "Patient", "PD1": "More on the patient",
    "NK1": "Next of kin", "PV1": "Visit", "PV2": "More on the visit", "OBR": "Ordered service",
    "OBX": "Result", "ORC": "Order", "NTE": "Note", "AL1": "Allergy", "DG1": "Diagnosis",
    "IN1": "Insurance", "GT1": "Who pays", "SCH": "Appointment", "AIS": "Service booked",
    "AIP": "Person booked", "AIL": "Place booked", "FT1": "Charge", "MRG": "Former number",
    "RXA": "Vaccine given", "TXA": "Document", "PR1": "Procedure", "SPM": "Specimen",
}  # fmt: skip
FIELDS: Mapping[str, str] = {
    "MSH-3": "Sending program", "MSH-4": "Sending place", "MSH-5": "Receiving program",
    "MSH-6": "Receiving place", "MSH-7": "Sent", "MSH-9": "Kind", "MSH-10": "Control id",
    "MSH-11": "Processing", "MSH-12": "Version", "MSH-18": "Characters",
    "EVN-2": "Recorded", "PID-3": "Record numbers", "PID-5": "Name", "PID-7": "Born",
    "PID-8": "Sex", "PID-11": "Address", "PID-13": "Phone", "PID-18": "Account",
    "PV1-2": "Class", "PV1-3": "Place", "PV1-7": "Attending", "PV1-19": "Visit number",
    "PV1-44": "Admitted", "PV1-45": "Discharged", "ORC-1": "What to do", "ORC-2": "Placer's order",
    "ORC-3": "Filler's order", "OBR-2": "Placer's order", "OBR-3": "Filler's order",
    "OBR-4": "Service", "OBR-7": "Taken", "OBR-16": "Ordered by", "OBR-22": "Reported",
    "OBR-25": "State", "OBX-2": "Kind of value", "OBX-3": "What was measured", "OBX-5": "Value",
    "OBX-6": "Unit", "OBX-7": "Range", "OBX-8": "Flag", "OBX-11": "State", "OBX-14": "Taken",
    "SCH-1": "Placer's number", "SCH-2": "Filler's number", "SCH-11": "Time", "NTE-3": "Text",
    "MRG-1": "Former number", "DG1-3": "Diagnosis", "AL1-3": "To what", "FT1-2": "Number",
    "FT1-4": "Day", "FT1-6": "Kind", "FT1-7": "Code", "FT1-10": "Units", "NK1-2": "Name",
    "NK1-3": "Relation",
}  # fmt: skip
LIKES: Mapping[str, tuple[str, str, str]] = {
    "same": ("Same", "ok", "check"),
    "another form": ("Another form", "ok", "check"),
    "alike": ("Alike", "warn", "warning"),
    "different": ("Different", "crit", "warning"),
}
# Where in a chart a kind of resource is shown.
_PLACES: Mapping[str, str] = {
    "Observation": "/results",
    "DiagnosticReport": "/results",
    "MedicationRequest": "/medicines",
    "MedicationStatement": "/medicines",
    "Condition": "/problems",
    "AllergyIntolerance": "/problems",
    "Appointment": "/visits",
    "Encounter": "/visits",
}


def kind_words(kind: str) -> str:
    """ADT^A08 → Patient and stay"""
    return KINDS.get(kind[:3], "Another kind") if kind else "Not readable"


def chart_address(effect: Effect, patients: list[str]) -> str:
    """Where the chart shows it; empty where no page does."""
    if effect.kind == "Patient":
        return f"/patients/{effect.name.partition('/')[2]}"
    place = _PLACES.get(effect.kind)
    if place is None or len(patients) != 1:
        return ""
    return f"/patients/{patients[0].partition('/')[2]}{place}"


def age_words(hours: float) -> str:
    """25 min; 5 h; 3 days"""
    if hours < 1:
        return f"{max(int(hours * 60), 1)} min"
    return f"{int(hours)} h" if hours < 48 else f"{int(hours / 24)} days"


def hours_since(at: datetime, now: datetime) -> float:
    return max((now - at).total_seconds() / 3600, 0)


def counted(channels: Iterable[Channel]) -> dict[str, int]:
    """How many messages of all channels are in each state that is not an end."""
    total: dict[str, int] = dict.fromkeys(OPEN, 0)
    for channel in channels:
        for state, queue in channel.queue.items():
            total[state] = total.get(state, 0) + queue.count
    return total


@dataclass(frozen=True, slots=True)
class Meant:
    """What was understood: one line for each thing that was asked of an owner."""

    word: str
    things: str


_INTENTS: Mapping[str, str] = {
    "Keep": "Keep in the chart",
    "Merge": "Unite two charts",
    "Unmerge": "Part two charts",
    "Book": "Book a visit",
    "Move": "Move a visit",
    "Cancel": "Cancel a visit",
    "Miss": "Note that nobody came",
    "Block": "Close or open a time",
    "Charge": "Charge a service",
    "Void": "Take something back",
}


def meant(translation: Mapping[str, Any]) -> list[Meant]:
    found: list[Meant] = []
    for intent in translation.get("intents") or ():
        kinds: dict[str, int] = {"Patient": 1} if intent.get("person") else {}
        for each in intent.get("documents") or ():
            kinds[each["kind"]] = kinds.get(each["kind"], 0) + 1
        things = ", ".join(f"{name} × {n}" if n > 1 else name for name, n in kinds.items())
        kind = str(intent.get("kind", ""))
        found.append(Meant(_INTENTS.get(kind, kind or "Keep"), things))
    return found

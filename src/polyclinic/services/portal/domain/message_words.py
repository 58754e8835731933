"""States, reasons and events of messages in the words of those who see to them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from polyclinic.services.portal.domain.messages import Channel, Effect, Message, Waiting
from polyclinic.services.portal.domain.steps import Step, stations

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
    "wrong patient": (
        "Its visit, booking or document is another patient's",
        "The front desk mends who is meant, or which visit.",
    ),
    "directory": (
        "A name that we do not know",
        "An administrator enters it in the directory, then tries it again.",
    ),
    "booking": ("The booking does not fit", "Move one of the two visits, then try again."),
    "charge": ("Billing does not take a line", "See to it in billing, then set it aside."),
    "money": ("A payment of other books", "See to it in billing, then set it aside."),
    "merge": ("Two charts cannot be united", "Merge by hand, then set it aside."),
    "no billing": ("Billing is not installed", "Add the service, then try again."),
    "no records": ("Records is not installed", "Add the service, then try again."),
    "block": ("Nobody keeps that calendar", "Enter closed times in the clinic's week."),
}
# reason of stopping → (what is wrong, what helps)
STOPS: Mapping[str, tuple[str, str]] = {
    "Refused": ("What it says makes no sense here", "Have the named field mended, or sent anew."),
    "malformed": ("It cannot be read", "Ask the sender to send it anew, then set this one aside."),
    "unreadable": ("It cannot be read", "Ask the sender to send it anew, then set this one aside."),
    "sealed": ("Its seal does not open", "Whoever keeps the key file has to see to it."),
    "control id": (
        "Its control id was used before, for something else",
        "Ask the sender to give each message an id of its own.",
    ),
}
_REFUSED = ("The part of the clinic that keeps it refused it", "Have it mended, then try again.")
# The way of a message, and the station at which a reason stops it; others stop at the last one.
WAY = ("Came in", "Read", "Understood", "Person found", "Taken over")
_STATION: Mapping[str, int] = {
    "malformed": 1, "unreadable": 1, "sealed": 1, "control id": 1,
    "Refused": 2, "unsupported": 2,
    "person": 3, "unknown person": 3, "merge": 3,
}  # fmt: skip
# What an alert says → (what is wrong, what to do)
ALERTS: Mapping[str, tuple[str, str]] = {
    "silent": (
        "It is silent: nothing comes although something should.",
        "Ask the sender whether it sends, and look at the network between you.",
    ),
    "folder stuck": (
        "A file in its folder cannot be moved or removed.",
        "Look at the rights and the space of the drop folder.",
    ),
    "control id used again": (
        "A control id was used again for something else.",
        "Look at what stopped, and ask the sender to give each message an id of its own.",
    ),
}
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
    "linked": "Somebody said whose it is, so that clinicians can open it",
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
_THINGS: Mapping[str, str] = {
    "Patient": "Person", "Encounter": "Stay", "Observation": "Result",
    "DiagnosticReport": "Report", "Appointment": "Appointment", "Slot": "Opening",
    "ServiceRequest": "Order", "AllergyIntolerance": "Allergy", "Condition": "Diagnosis",
    "Coverage": "Insurance", "RelatedPerson": "Next of kin", "ChargeItem": "Charge",
    "MedicationRequest": "Medicine", "Immunization": "Vaccination", "Specimen": "Specimen",
    "DocumentReference": "Document", "Binary": "File", "Procedure": "Procedure",
    "Provenance": "Where it is from",
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


def asks(waiting: Waiting) -> tuple[str, str]:
    """What is asked of a person, and what helps."""
    if waiting.state == "parked":
        return STOPS.get(waiting.reason, _REFUSED)
    return REASONS.get(waiting.reason, (waiting.reason.capitalize(), ""))


def is_for_the_desk(waiting: Waiting) -> bool:
    """Whether the desk may read and mend who is meant: it stopped before it was somebody's."""
    return waiting.state == "parked" or waiting.reason == "wrong patient"


def trouble(message: Message) -> tuple[str, str]:
    """What is wrong and what helps, in words; empty where nobody has to do anything."""
    if message.state == "waiting":
        return REASONS.get(message.reason, (message.reason.capitalize(), ""))
    if message.state != "parked":
        return "", ""
    return STOPS.get(message.reason, _REFUSED)


def way(message: Message) -> list[Step]:
    """How far a message came: all the way, or to the station that stopped it."""
    state = message.state
    if state == "done":
        return stations(WAY, len(WAY))
    tone = "warn" if state in ("waiting", "parked") else ""
    if state == "received":
        return stations(WAY, 1)
    return stations(WAY, _STATION.get(message.reason, len(WAY) - 1), tone)


def thing(kind: str) -> str:
    """Encounter → Stay"""
    return _THINGS.get(kind, kind)


def alert_words(kind: str) -> tuple[str, str]:
    return ALERTS.get(kind, (f"Look at this: {kind}.", ""))


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
    # A line of FT1 goes by its own kind.
    "CG": "Charge a service",
    "CD": "Give a charge back",
    "PY": "Take a payment",
    "AJ": "Adjust an amount",
    "Void": "Take something back",
}


def meant(translation: Mapping[str, Any]) -> list[Meant]:
    found: list[Meant] = []
    for intent in translation.get("intents") or ():
        kinds: dict[str, int] = {"Patient": 1} if intent.get("person") else {}
        for each in intent.get("documents") or ():
            kinds[each["kind"]] = kinds.get(each["kind"], 0) + 1
        told = [f"{thing(name)} × {n}" if n > 1 else thing(name) for name, n in kinds.items()]
        kind = str(intent.get("kind", ""))
        found.append(Meant(_INTENTS.get(kind, kind or "Keep"), ", ".join(told)))
    return found

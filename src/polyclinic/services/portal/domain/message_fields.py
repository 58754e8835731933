"""The segments and fields of a message in words, and how one of them is named to be mended."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from polyclinic.services.portal.domain.messages import Segment

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
    "NK1-3": "Relation", "MSH-1": "Separator", "MSH-2": "Other separators",
    "PID-1": "Place in the list", "PV1-1": "Place in the list", "PV1-8": "Referred by",
    "PV1-10": "Hospital service", "PV1-17": "Admitted by", "FT1-1": "Place in the list",
    "FT1-11": "Amount", "FT1-12": "Amount of one unit", "FT1-13": "Department", "FT1-16": "Place",
    "FT1-19": "Diagnosis", "FT1-20": "Done by", "FT1-21": "Ordered by", "FT1-25": "Procedure",
    "FT1-26": "Modifier", "OBR-1": "Place in the list", "OBX-1": "Place in the list",
    "SCH-7": "Reason", "SCH-8": "Type", "SCH-9": "Length", "SCH-10": "Unit of length",
    "SCH-25": "State", "AIP-1": "Place in the list", "AIP-3": "Who", "AIP-4": "Role",
    "AIP-6": "Begins", "AIP-9": "Length", "AIP-10": "Unit of length",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """A field as it is shown: its place in a message, its name in words, its text."""

    place: str
    word: str
    text: str


@dataclass(frozen=True, slots=True)
class Part:
    """A segment as it is shown, with its name in words."""

    name: str
    word: str
    lines: tuple[Line, ...]


def shown(parsed: Iterable[Segment]) -> list[Part]:
    """All segments; the second of a name and those behind it are numbered, as OBX[2]."""
    met: dict[str, int] = {}
    parts: list[Part] = []
    for segment in parsed:
        met[segment.name] = number = met.get(segment.name, 0) + 1
        name = segment.name if number == 1 else f"{segment.name}[{number}]"
        lines = tuple(
            Line(f"{name}-{f.field}", FIELDS.get(f"{segment.name}-{f.field}", ""), f.text)
            for f in segment.fields
        )
        parts.append(Part(name, SEGMENTS.get(segment.name, ""), lines))
    return parts


def first_part(parts: Iterable[Part], place: str) -> tuple[str, str]:
    """Where to write and what stands there: the field, or its first component where it has several.

    A whole field would be written as one text, with its separators escaped.
    """
    for line in (line for part in parts for line in part.lines if line.place == place):
        if "^" in line.text or "~" in line.text:
            return f"{place}.1", line.text.partition("~")[0].partition("^")[0]
        return place, line.text
    return "", ""

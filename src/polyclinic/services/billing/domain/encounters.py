"""What tells of a visit: an appointment that took place, a finished encounter, or a person."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

_REFERENCE = re.compile(r"([A-Z][A-Za-z]+)/[A-Za-z0-9.-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Came:
    """A visit as it came; `source` is `Appointment/<id>` wherever an appointment is known."""

    source: str
    patient: str
    practitioner: str
    day: date
    encounter: str | None = None

    @property
    def names(self) -> list[str]:
        """All that this visit may be known by."""
        return sorted({self.source, *([self.encounter] if self.encounter else [])})


def is_reference(text: str, kind: str = "Practitioner") -> bool:
    shape = _REFERENCE.fullmatch(text)
    return shape is not None and shape[1] == kind


def of_encounter(resource: dict[str, Any], zone: str) -> Came | None:
    """A finished encounter of a patient as a visit; none while it says too little.

    Its day is the clinic's own, of the moment at which it began.
    """
    patient = reference_of(resource.get("subject"), "Patient")
    period = resource.get("period")
    day = day_of(period.get("start") if isinstance(period, dict) else None, zone)
    if resource.get("status") != "finished" or not patient or day is None:
        return None
    name = f"Encounter/{resource.get('id')}"
    appointments = [
        reference_of(each, "Appointment") for each in _list(resource.get("appointment"))
    ]
    people = [
        reference_of(each.get("individual"), "Practitioner")
        for each in _list(resource.get("participant"))
        if isinstance(each, dict)
    ]
    source = next(filter(None, appointments), name)
    return Came(source, patient, next(filter(None, people), ""), day, name)


def reference_of(value: Any, kind: str) -> str:
    """`Patient/<id>` of a Reference, whatever stands before or after it; else an empty text."""
    text = value.get("reference") if isinstance(value, dict) else None
    if not isinstance(text, str):
        return ""
    found = re.search(rf"(?:^|/)({kind}/[A-Za-z0-9.-]{{1,64}})(?:/_history/\S+)?$", text)
    return found[1] if found else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def day_of(value: Any, zone: str) -> date | None:
    if not isinstance(value, str):
        return None
    try:
        if len(value) == 10:
            return date.fromisoformat(value)
        moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
        return moment.astimezone(ZoneInfo(zone)).date() if moment.tzinfo else None
    except ValueError:
        return None

"""Appointments, Schedules and Slots as FHIR R4 writes them: references only, nobody's name."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from polyclinic.services.appointments.domain.atoms import MINUTES, moment_of
from polyclinic.services.appointments.domain.lifecycle import CANCEL_SYSTEM, REASONS
from polyclinic.services.appointments.domain.openings import Opening
from polyclinic.services.appointments.domain.setup import Setup, VisitType
from polyclinic.services.appointments.domain.values import Appointment, Note

VISIT_SYSTEM = "urn:polyclinic:visit-type"
OVERBOOKED = "urn:polyclinic:overbooked"
_PLAIN = ":/?#[]@!$&'()*+,;=%"  # in addresses, which a system's name often is

Resource = dict[str, Any]


def instant(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def appointment(found: Appointment, note: Note, setup: Setup, made: datetime) -> Resource:
    """The Appointment of a row; what the visit is about stands in it, so it is kept sealed."""
    place = found.place
    resource: Resource = {
        "resourceType": "Appointment",
        "id": str(found.id),
        "status": found.status,
        "serviceType": [service_type(setup, place.visit_type)],
        "start": instant(moment_of(place.start)),
        "end": instant(moment_of(place.end)),
        "minutesDuration": (place.end - place.start) * MINUTES,
        "created": instant(found.made or made),
        "participant": [
            _participant(found.patient),
            _participant(place.practitioner),
            *(_participant(where) for where in _location(setup, place.site)),
        ],
    }
    if note.elsewhere:
        resource["identifier"] = [
            {"system": quote(source, safe=_PLAIN), "value": key}
            for source, key in sorted(note.elsewhere.items())
        ]
    if note.reason:
        resource["reasonCode"] = [{"text": note.reason}]
    if note.comment:
        resource["comment"] = note.comment
    if found.reason_code:
        code = found.reason_code
        resource["cancelationReason"] = {
            "coding": [{"system": CANCEL_SYSTEM, "code": code, "display": REASONS[code]}]
        }
    if found.overbooked:
        said = {"url": OVERBOOKED, "valueString": note.overbooking or "said elsewhere"}
        resource["extension"] = [said]
    return resource


def service_type(setup: Setup, visit_type: str) -> Resource:
    coding = [{"system": VISIT_SYSTEM, "code": visit_type}]
    for each in setup.visit_types:
        if each.id == visit_type:
            return {"coding": coding, "text": each.name}
    return {"coding": coding}


def schedule(setup: Setup, number: int) -> Resource:
    """The Schedule of one clinician of the set-up."""
    clinician = setup.clinicians[number]
    offered = {kind for rule in clinician.rules for kind in rule.visit_types}
    sites = dict.fromkeys(rule.site for rule in clinician.rules)
    places = [where for site in sites for where in _location(setup, site)]
    resource: Resource = {
        "resourceType": "Schedule",
        "id": schedule_id(clinician.practitioner),
        "active": bool(clinician.rules or clinician.exceptions),
        "actor": [{"reference": who} for who in (clinician.practitioner, *places)],
    }
    types = [service_type(setup, each.id) for each in setup.visit_types if each.id in offered]
    if types:
        resource["serviceType"] = types
    return resource


def schedule_id(practitioner: str) -> str:
    return practitioner.partition("/")[2]


def slot(setup: Setup, visit: VisitType, opening: Opening, number: int) -> Resource:
    """A computed Slot; its id says whose and when, so it can be read again."""
    length = -(-visit.minutes // MINUTES)
    whose = schedule_id(opening.practitioner)
    return {
        "resourceType": "Slot",
        "id": slot_id(number, visit.id, opening.start),
        "serviceType": [service_type(setup, visit.id)],
        "schedule": {"reference": f"Schedule/{whose}"},
        "status": "free",
        "start": instant(moment_of(opening.start)),
        "end": instant(moment_of(opening.start + length)),
    }


def slot_id(number: int, visit_type: str, start: int) -> str:
    return f"{number}.{start}.{visit_type}"


def bundle(found: Sequence[Resource]) -> Resource:
    """A searchset of computed resources."""
    value: Resource = {"resourceType": "Bundle", "type": "searchset", "total": len(found)}
    if found:
        value["entry"] = [{"resource": each, "search": {"mode": "match"}} for each in found]
    return value


def outcome_text(problem: str, nearest: Sequence[Opening]) -> str:
    times = ", ".join(instant(moment_of(each.start)) for each in nearest)
    return f"{problem} Nearest: {times}." if times else problem


def _participant(reference: str) -> Resource:
    return {"actor": {"reference": reference}, "status": "accepted"}


def _location(setup: Setup, site: str) -> list[str]:
    return [each.location for each in setup.sites if each.id == site and each.location]

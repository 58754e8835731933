"""Reads what FHIR clients ask: an Appointment to book, Parameters of an operation."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from polyclinic.foundation.errors import Invalid
from polyclinic.services.appointments.domain.atoms import Range, atom_from, atom_of, begins_atom
from polyclinic.services.appointments.domain.problems import NotYours
from polyclinic.services.appointments.domain.resources import VISIT_SYSTEM
from polyclinic.services.appointments.domain.values import Note

Resource = Mapping[str, Any]
DAYS_MAX, LIMIT_MAX = 366, 500
MINUTES_MAX, NAME_MAX = 12 * 60, 200


def uuid_of(text: str | None) -> UUID:
    """An appointment's id; anything else names none."""
    try:
        return UUID(text or "")
    except ValueError as none:
        raise NotYours from none


def moment(text: str, place: str) -> datetime:
    """An instant with its offset; a local time would be somebody's guess."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as bad:
        raise Invalid("A time is written 2026-11-23T09:00:00-05:00.", place=place) from bad
    if found.tzinfo is None or not 1971 < found.year < 2200:
        raise Invalid("A time here has its offset from UTC, and is of our days.", place=place)
    return found.astimezone(UTC)


def start(text: str, place: str = "start") -> int:
    """The atom that begins at this moment."""
    found = moment(text, place)
    if not begins_atom(found):
        raise Invalid("Appointments begin on a multiple of five minutes.", place=place)
    return atom_of(found)


def span(text: str, minutes: int) -> Range:
    """The atoms that a booking of another system touches: its grid need not be ours."""
    if not 1 <= minutes <= MINUTES_MAX:
        raise Invalid(f"A visit has 1 to {MINUTES_MAX} minutes.", place="minutes")
    begins = moment(text, "start")
    return Range(atom_of(begins), atom_from(begins + timedelta(minutes=minutes)))


def name(text: str, place: str) -> str:
    """What another system calls itself, or a booking of its own."""
    if not text or len(text) > NAME_MAX or not text.isprintable():
        raise Invalid(f"A name has 1 to {NAME_MAX} characters.", place=place)
    return text


def request(resource: Resource) -> dict[str, Any]:
    """What an Appointment resource asks to be booked; displays and all else are dropped."""
    people = [_reference(each) for each in resource.get("participant", ())]
    return {
        "visit_type": coded(resource.get("serviceType", ()), VISIT_SYSTEM, "serviceType"),
        "practitioner": _one(people, "Practitioner/"),
        "patient": _one(people, "Patient/"),
        "start": start(resource.get("start") or "", "Appointment.start"),
        "note": Note(_text(resource.get("reasonCode", ())), resource.get("comment")),
    }


def asked(parameters: Resource | None) -> dict[str, Any]:
    """The request in the Parameters of $hold and $book: an `appointment`, or its parts."""
    for each in (parameters or {}).get("parameter", ()):
        if each.get("name") == "appointment" and "resource" in each:
            hold = values((), parameters).get("hold")
            found = request(each["resource"])
            return found | ({"hold": uuid_of(hold)} if hold else {})
    given = values((), parameters)
    return {
        "visit_type": given.get("visit-type", ""),
        "practitioner": given.get("practitioner", ""),
        "start": _start_or_hold(given),
        "patient": given.get("patient"),
        "hold": uuid_of(given["hold"]) if "hold" in given else None,
        "note": Note(given.get("reason"), given.get("comment"), given.get("overbooking")),
    }


def _start_or_hold(given: dict[str, Any]) -> int:
    if "start" in given:
        return start(given["start"])
    if "hold" not in given:
        raise Invalid("Say which start, or which hold.", place="start")
    return 0


def search(pairs: Iterable[tuple[str, str]], parameters: Resource | None) -> dict[str, Any]:
    """What $find looks for."""
    listed = [*pairs, *_pairs(parameters)]
    given = dict(listed)
    if "visit-type" not in given:
        raise Invalid("Say for which visit-type.", place="visit-type")
    return {
        "visit_type": given["visit-type"],
        "practitioners": tuple(value for name, value in listed if name == "practitioner"),
        "site": given.get("site"),
        "mode": given.get("mode"),
        "first": moment(given["start"], "start") if "start" in given else None,
        "days": number(given.get("days"), 28, DAYS_MAX, "days"),
        "limit": number(given.get("_count"), 20, LIMIT_MAX, "_count"),
    }


def number(text: str | None, default: int, most: int, place: str) -> int:
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) <= most):
        raise Invalid(f"This is a number from 1 to {most}.", place=place)
    return int(text)


def values(pairs: Iterable[tuple[str, str]], parameters: Resource | None) -> dict[str, str]:
    return dict([*pairs, *_pairs(parameters)])


def _pairs(parameters: Resource | None) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for each in (parameters or {}).get("parameter", ()):
        for name, value in each.items():
            if name == "valueReference":
                found.append((each["name"], str(value.get("reference", ""))))
            elif name.startswith("value"):
                found.append((each["name"], str(value)))
    return found


def _reference(participant: Resource) -> str:
    return str(participant.get("actor", {}).get("reference", ""))


def _one(people: list[str], start: str) -> str:
    found = [each for each in people if each.startswith(start)]
    if len(found) != 1:
        kind = start.rstrip("/")
        raise Invalid(f"An appointment has one {kind}.", place="Appointment.participant")
    return found[0]


def coded(concepts: Iterable[Resource], system: str, place: str) -> str:
    for concept in concepts:
        for coding in concept.get("coding", ()):
            if coding.get("system") == system and coding.get("code"):
                return coding["code"]
    raise Invalid(f"A code of {system} is needed.", place=f"Appointment.{place}")


def _text(concepts: Iterable[Resource]) -> str | None:
    for concept in concepts:
        if concept.get("text"):
            return concept["text"]
        for coding in concept.get("coding", ()):
            if coding.get("display") or coding.get("code"):
                return coding.get("display") or coding["code"]
    return None

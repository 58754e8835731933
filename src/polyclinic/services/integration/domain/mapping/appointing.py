"""Appointments of SIU: one Visit in our words, one Appointment in FHIR's."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from polyclinic.services.integration.domain.intents import (
    Block,
    Book,
    Cancel,
    Identifier,
    Intent,
    Keep,
    Miss,
    Move,
    Party,
    Person,
    Refused,
    Resource,
    Visit,
)
from polyclinic.services.integration.domain.mapping import keys, quantities, tables, times
from polyclinic.services.integration.domain.mapping.documents import Making, filled_by
from polyclinic.services.integration.domain.mapping.filling import Filled
from polyclinic.services.integration.domain.mapping.kinds.results import notes_of
from polyclinic.services.integration.domain.mapping.persons import (
    identifiers_of,
    known_person,
    need_person,
)
from polyclinic.services.integration.domain.mapping.primitives import moment
from polyclinic.services.integration.domain.mapping.reading import Scope
from polyclinic.services.integration.domain.mapping.tables import Trigger

MINUTES = 30  # where neither an end nor a duration is said: every booking has an end
MINUTES_MAX = 24 * 60
FILL = (
    "SCH[Appointment]", "PID[Appointment]", "AIS[Appointment]", "AIG[Appointment]",
    "AIL[Appointment]", "AIP[Appointment]",
)  # fmt: skip
_BEGINS = (("AIS", "4", "5", "6"), ("AIP", "6", "7", "8"), ("AIL", "6", "7", "8"),
           ("AIG", "8", "9", "10"))  # fmt: skip
_LASTS = (("AIS", "7", "8"), ("AIP", "9", "10"), ("AIL", "9", "10"), ("AIG", "11", "12"))
_ENDED = frozenset({"S15", "S16", "S17", "S26"})


def appointment(trigger: Trigger, making: Making) -> tuple[Intent, ...]:
    """Raises Refused where a booking has no time that exists, or nobody whose it is."""
    event = making.reading.message.event
    is_ended = event in _ENDED
    person = (known_person if is_ended else need_person)(trigger.person, making)
    visit, resource = _visit(making, needs_time=not is_ended)
    creates = trigger.creates_person and making.reading.channel.create_person
    found = _intent(event, visit, person, resource, creates=creates)
    return (*_beside(trigger, making, person), found)


def _intent(
    event: str, visit: Visit, person: Person | None, resource: Resource, *, creates: bool
) -> Intent:
    if event == "S12":
        return Book(visit, person, resource, creates)
    if event in ("S15", "S16"):
        return Cancel(visit, person, resource)
    if event == "S17":
        return Cancel(visit, person, resource, in_error=True)
    if event == "S26" or visit.status == "noshow":
        return Miss(visit, person, resource)
    if visit.status == "cancelled":
        return Cancel(visit, person, resource)
    return Move(visit, person, resource, creates)


def _beside(trigger: Trigger, making: Making, person: Person | None) -> tuple[Intent, ...]:
    """Diagnoses that come with a booking are kept as well."""
    if person is None:
        return ()
    for name in trigger.documents:
        making.make(tables.recipes()[name])
    documents = tuple(making.made.values())
    return (Keep(person, documents),) if documents else ()


def block(_: Trigger, making: Making) -> tuple[Intent, ...]:
    """S23 and S24. Raises Refused."""
    visit, _resource = _visit(making, needs_time=True)
    return (Block(visit, free=making.reading.message.event == "S24"),)


def _visit(making: Making, *, needs_time: bool) -> tuple[Visit, Resource]:
    reading = making.reading
    scope = Scope(reading, reading.message.segments(), reading.message.segments("SCH")[0])
    key = keys.first((("entity:SCH-2",), ("entity:SCH-1",)), scope)
    if key is None:
        raise Refused("Neither SCH-1 nor SCH-2 is a usable number.", place="SCH-1")
    filled = filled_by(FILL, scope, "Appointment")
    resource: Resource = {"resourceType": "Appointment", **filled.resource}
    _time(resource, scope, needs_time=needs_time)
    if text := "\n".join(each for each in notes_of(scope) if each).strip():
        resource["comment"] = text
    resource["participant"] = _participants(filled)
    status = str(resource.setdefault("status", "booked"))
    return (
        Visit(
            key,
            tuple(identifiers_of(resource.get("identifier", []))),
            status,
            resource.get("start", ""),
            resource.get("end", ""),
            resource.get("minutesDuration", 0),
            _code(resource.get("serviceType")) or _code([resource.get("appointmentType", {})]),
            _text(resource.get("reasonCode")),
            resource.get("comment", ""),
            tuple(_parties(resource, "Practitioner")),
            tuple(_parties(resource, "Location")),
            making.moment,
        ),
        resource,
    )


def _participants(filled: Filled) -> list[dict[str, Any]]:
    """FHIR wants at least one; nobody named is somebody unknown."""
    found = [each for each in filled.resource.get("participant", []) if each.get("actor")]
    return found or [{"actor": {"display": "unknown"}, "status": "needs-action"}]


def _time(resource: Resource, scope: Scope, *, needs_time: bool) -> None:
    """Start, end and length agree; one that is skipped by the clock is nobody's appointment."""
    start = _instant(resource.get("start")) or _offset_start(scope)
    if start is None:
        for name in ("start", "end", "minutesDuration"):
            resource.pop(name, None)
        if needs_time:
            raise Refused("No start is said that exists.", place="SCH-11")
        return
    end = _instant(resource.get("end"))
    if end is not None and end > start:
        length = round((end - start).total_seconds() / 60)
    else:
        length = resource.get("minutesDuration") or _longest(scope) or MINUTES
    if not 0 < length <= MINUTES_MAX:
        raise Refused("The appointment would last longer than a day.", place="SCH-9")
    resource["start"] = times.instant(start)
    resource["end"] = times.instant(times.later(start, length))
    resource["minutesDuration"] = length


def _instant(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None


def _offset_start(scope: Scope) -> datetime | None:
    """Where resources only say how long after the appointment they are needed, nothing begins."""
    for name, start, _, _ in _BEGINS:
        for segment in scope.named(name):
            for node in scope.at(segment).nodes(start):
                found = moment(node, scope.reading)
                if found is not None and found.at is not None:
                    return found.at
    return None


def _longest(scope: Scope) -> int:
    found = [0]
    for name, amount, unit in _LASTS:
        for segment in scope.named(name):
            at = scope.at(segment)
            found.append(quantities.minutes(at.text(amount), at.text(unit)))
    return max(found)


def _code(concepts: Any) -> str:
    """The first code of the first concept, else its text."""
    for concept in concepts or ():
        for coding in concept.get("coding", ()):
            return str(coding.get("code", ""))
        if text := concept.get("text"):
            return str(text)
    return ""


def _text(concepts: Any) -> str:
    for concept in concepts or ():
        if text := concept.get("text"):
            return str(text)
    return _code(concepts)


def _parties(resource: Resource, kind: str) -> Iterator[Party]:
    """Those who take part; contacts, who only asked or typed, do not."""
    for each in resource["participant"]:
        actor = each["actor"]
        if actor.get("type") != kind or each.get("required") == "information-only":
            continue
        number = actor.get("identifier")
        found = (Identifier(number["system"], number["value"]),) if number else ()
        yield Party(str(actor.get("display", "")), found)

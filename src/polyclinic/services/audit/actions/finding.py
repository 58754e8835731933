"""Finds what was done, for whoever may see it; each look at it is logged."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from polyclinic.fhirserver.store.log import Released
from polyclinic.fhirserver.store.read import ABSENT, ALLOWED, DENIED
from polyclinic.foundation.database import Row
from polyclinic.foundation.errors import NotFound, Unavailable
from polyclinic.services.audit.actions.state import Asker, Engine
from polyclinic.services.audit.domain.access import check_scope, own_record, reach_of
from polyclinic.services.audit.domain.events import Person, Said, event_of, said_by
from polyclinic.services.audit.domain.seeing import Look, looks_of
from polyclinic.services.audit.store import finding
from polyclinic.services.audit.store.finding import Span
from polyclinic.standards.fhir.definitions import type_number

KIND = "AuditEvent"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A search: one patient's, one agent's, within a time."""

    span: Span
    patient: str | None = None
    agent: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Events of a page, and where the next one begins."""

    events: list[dict[str, Any]]
    next: tuple[datetime, int] | None


@dataclass(frozen=True, slots=True)
class Seen:
    """Looks of a page with who did each, and where the next one begins."""

    looks: list[tuple[Look, Person]] = field(default_factory=list[tuple[Look, Person]])
    next: tuple[datetime, int] | None = None


class NoSuchEvent(NotFound):
    """There is no such AuditEvent, or it is not yours to see."""


async def search(engine: Engine, asker: Asker, wanted: Wanted) -> Found:
    """What the caller may see of it. A patient who asks for another one's finds nothing."""
    reach = reach_of(asker.caller, "s")
    own = [reach.patient, *await aliases(engine, reach.patient)] if reach.patient else []
    patient = wanted.patient or reach.patient
    denied = (bool(own) and patient not in own) or (
        reach.actor is not None and wanted.agent not in (None, reach.actor)
    )
    rows: list[Row] = []
    if not denied:
        rows = await _rows(engine, wanted, patient, reach.actor or wanted.agent)
    await log(engine, asker, patient, len(rows), DENIED if denied else ALLOWED)
    said = [(row["seq"], said_by(row["body"])) for row in rows]
    people = await _people(engine, [each for _, each in said])
    events = [event_of(seq, each, patient, people.get(each.who)) for seq, each in said]
    return Found(events, _next(rows, wanted.span))


async def read(engine: Engine, asker: Asker, seq: int) -> dict[str, Any]:
    """One event by its number; raises NoSuchEvent for what is not there and not the caller's."""
    reach = reach_of(asker.caller, "r")
    row = await finding.find_entry(engine.database, seq)
    allowed = row is not None and (
        (reach.patient is None or row["patient"] in await _numbers(engine, reach.patient))
        and reach.actor in (None, row["actor"])
    )
    outcome = ALLOWED if allowed else ABSENT if row is None else DENIED
    await log(engine, asker, reach.patient, int(allowed), outcome, str(seq))
    if row is None or not allowed:
        raise NoSuchEvent(place=f"{KIND}/{seq}")
    said = said_by(row["body"])
    people = await _people(engine, [said])
    return event_of(seq, said, reach.patient, people.get(said.who))


async def looks(engine: Engine, asker: Asker, span: Span) -> Seen:
    """Who saw the caller's own record; what the patient did is left out of it."""
    check_scope(asker.caller, "s")
    patient = own_record(asker.caller)
    rows = await finding.list_of_patient(
        engine.database, await _numbers(engine, patient), None, span
    )
    await log(engine, asker, patient, len(rows), ALLOWED)
    found = looks_of([said_by(row["body"]) for row in rows])
    people = await engine.people.named({each.actor for each in found})
    told = [(each, _told(engine, people[each.actor])) for each in found]
    return Seen(told, _next(rows, span))


async def log(
    engine: Engine, asker: Asker, patient: str | None, count: int, outcome: int, name: str = ""
) -> None:
    """Reading the audit log is itself in the audit log, before the answer leaves."""
    errand = engine.server.errand(asker.caller, asker.token)
    person = engine.server.store.terms.person
    row = Released(
        errand, person(patient) if patient else None, type_number(KIND), count,
        "r" if name else "s", outcome, name or None,
    )  # fmt: skip
    await engine.server.store.released([row])


async def aliases(engine: Engine, patient: str) -> list[str]:
    others = await finding.list_aliases(engine.database, patient.removeprefix("Patient/"))
    return [f"Patient/{other}" for other in others]


async def _rows(
    engine: Engine, wanted: Wanted, patient: str | None, actor: str | None
) -> list[Row]:
    if patient is not None:
        numbers = await _numbers(engine, patient)
        return await finding.list_of_patient(engine.database, numbers, actor, wanted.span)
    if actor is not None:
        return await finding.list_of_actor(engine.database, actor, wanted.span)
    return await finding.list_all(engine.database, wanted.span)


async def _numbers(engine: Engine, patient: str) -> list[int]:
    """The keyed numbers under which each service's log knows a person: another one in each."""
    found: list[int] = []
    for name in (patient, *await aliases(engine, patient)):
        found += [terms.person(name) for terms in engine.terms_of_all()]
    return found


async def _people(engine: Engine, said: Sequence[Said]) -> dict[str, Person]:
    """Names are an addition: without identity events still say which account it was."""
    try:
        found = await engine.people.named({each.who for each in said if each.who})
    except Unavailable:
        return {}
    return {actor: _told(engine, person) for actor, person in found.items()}


def _told(engine: Engine, person: Person) -> Person:
    """As the clinic decided: with names or with roles only."""
    return person if engine.settings.staff_names else Person(person.role)


def _next(rows: list[Row], span: Span) -> tuple[datetime, int] | None:
    return (rows[-1]["at"], rows[-1]["seq"]) if len(rows) == span.limit else None

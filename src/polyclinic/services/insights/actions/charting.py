"""A chart's risks as whoever asks may see it; nothing but the exposure is kept."""

from typing import Any
from uuid import UUID

import msgspec

from polyclinic.foundation import clock, ids
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Invalid, NotFound, Unavailable
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.insights.actions import following, respecting
from polyclinic.services.insights.actions.reading import Read, read
from polyclinic.services.insights.actions.state import Asker, Engine
from polyclinic.services.insights.domain import access, asking, assessments, panel, plain
from polyclinic.services.insights.domain.calculators import Chart, Scored, answer, registry
from polyclinic.services.insights.domain.consents import SCORING
from polyclinic.services.insights.domain.life.answering import as_calculator, as_scored
from polyclinic.services.insights.domain.panel import Entry
from polyclinic.services.insights.gateways import charts
from polyclinic.services.insights.gateways.charts import Put, Refused
from polyclinic.services.insights.store import exposures
from polyclinic.services.insights.store.exposures import Exposure

Json = dict[str, Any]
SHOWN_MAX = 200


class NoPatient(NotFound):
    """There is no such patient, or you do not care for them."""


class NoScore(NotFound):
    """There is no such score of a patient whom you care for."""


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose risks: the id travels in the body, never in an address."""

    patient: str


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A score that the patient may read from now on, or (`withdraw`) no longer."""

    assessment: UUID
    withdraw: bool = False


async def show(engine: Engine, asker: Asker, asked: Asked) -> Json:
    """The whole panel, made at this moment under the reader's own token."""
    access.check_clinician(asker.caller)
    patient = asked.patient if "/" in asked.patient else f"Patient/{asked.patient}"
    if not asking.is_patient(patient):
        raise Invalid("`Patient/<id>`, or the id alone.", place="patient")
    now = clock.now()
    known = registry().values()
    found = await read(engine, patient, known, now, asker.token)
    if found.patient is None:
        raise NoPatient(place="patient")
    if SCORING in await respecting.objected(engine, patient):
        return {"patient": patient, "at": now, "empty": False, "objected": True, **panel.drawn([])}
    chart = Chart.of(found.patient, found.resources)
    entries = [_entry(engine, found, each.id, answer(each, chart, now)) for each in known]
    entries += await _learned(engine, asker, found, patient)
    await _note(engine, asker, patient, entries)
    return {
        "patient": patient,
        "at": now,
        # A chart that is closed to the reader looks empty: scores would be blamed for it.
        "empty": not found.resources,
        **panel.drawn(entries),
    }


async def _learned(engine: Engine, asker: Asker, found: Read, patient: str) -> list[Entry]:
    """What models that may speak say at this moment, a canary to its team alone."""
    entries: list[Entry] = []
    for said in await following.live(engine, patient, asker.token):
        if said.team and asker.name not in said.team:
            continue
        number = str(engine.assessment_id(patient, said.model.model))
        former = found.former.get(number)
        kept = former is not None and former.get("status") == "final"
        released = kept and assessments.is_released(former or {})
        made = as_calculator(said), as_scored(said)
        entries.append(Entry(*made, number if kept else None, released))
    return entries


def _entry(engine: Engine, found: Read, method: str, answered: Any) -> Entry:
    assert found.patient is not None
    number = str(engine.assessment_id(f"Patient/{found.patient['id']}", method))
    former = found.former.get(number)
    kept = former is not None and former.get("status") == "final"
    released = kept and assessments.is_released(former or {})
    return Entry(registry()[method], answered, number if kept else None, released)


async def _note(engine: Engine, asker: Asker, patient: str, entries: list[Entry]) -> None:
    viewer, subject = engine.viewer(asker.name), engine.pseudonym(patient)
    seen = [
        Exposure(
            ids.new_uuid(), viewer, subject, each.calculator.id, each.calculator.version,
            each.answered.band.name if each.answered.band else "", "chart",
        )
        for each in entries
        if isinstance(each.answered, Scored)
    ]  # fmt: skip
    await exposures.add_daily(engine.database, seen)


async def release(engine: Engine, asker: Asker, asked: Release, key: Once) -> Stored:
    """Whoever sees a score may let its patient see it; a new score has to be released anew."""
    access.check_clinician(asker.caller, "u")
    if asker.caller.person is None:
        raise Invalid("Only a person lets somebody see something.", place="token")
    name = f"RiskAssessment/{asked.assessment}"
    [former] = await charts.look(engine.running, [name], asker.token)
    if former is None or former.get("status") != "final" or not _is_ours(former):
        raise NoScore(place="assessment")
    new = (
        assessments.withheld(former)
        if asked.withdraw
        else assessments.released(former, asker.caller.person, clock.now())
    )
    if assessments.is_released(former) is asked.withdraw:
        try:
            await charts.keep(engine.running, [Put(new, charts.version_of(former))])
        except Refused as refused:
            raise Unavailable("Records did not take it.", place="records") from refused

    async def act(_: Transaction) -> tuple[int, object]:
        return 200, {"assessment": str(asked.assessment), "released": not asked.withdraw}

    return await engine.carried(key, act)


def _is_ours(assessment: Json) -> bool:
    identifiers = assessment.get("identifier") or []
    return any(each.get("system") == asking.IDENTIFIER for each in identifiers)


async def mine(engine: Engine, asker: Asker) -> Json:
    """What was released to the patient who asks, in plain words; records decides what that is."""
    patient = access.check_patient(asker.caller)
    form = {"identifier": f"{asking.IDENTIFIER}|", "_count": str(SHOWN_MAX)}
    found = await charts.search(engine.running, "RiskAssessment", form, asker.token)
    shown = [
        each
        for each in found
        if each.get("status") == "final"
        and assessments.is_released(each)
        and asking.patient_of(each) == patient
    ]
    viewer, subject = engine.viewer(asker.name), engine.pseudonym(patient)
    seen = [
        Exposure(ids.new_uuid(), viewer, subject, each["identifier"][0]["value"], "", "", "patient")
        for each in shown
    ]
    await exposures.add_daily(engine.database, seen)
    return {"scores": [plain.told(each) for each in shown]}

"""Answers an EHR's call with cards, within budgets; what was shown and held back is kept."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from polyclinic.foundation import clock, ids
from polyclinic.services.insights.actions import following, respecting
from polyclinic.services.insights.actions.state import Engine
from polyclinic.services.insights.domain import alerts, asking, cards, cds
from polyclinic.services.insights.domain.alerts import Budget
from polyclinic.services.insights.domain.calculators import (
    Chart,
    answer,
    registry,
)
from polyclinic.services.insights.domain.cards import Candidate
from polyclinic.services.insights.domain.cds import Asked, Call, NotHad
from polyclinic.services.insights.domain.consents import SCORING
from polyclinic.services.insights.domain.life.answering import as_calculator, as_scored
from polyclinic.services.insights.domain.life.scored import ModelScore
from polyclinic.services.insights.gateways import charts
from polyclinic.services.insights.store import exposures
from polyclinic.services.insights.store.exposures import Exposure

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ehr:
    """Who calls: an EHR by its issuer, or a caller of our own (`account`)."""

    issuer: str
    account: str = ""


async def respond(engine: Engine, ehr: Ehr, name: str, call: Call) -> list[Json]:
    """The cards; none is a good answer. Raises Invalid, NoService, or NotHad (412)."""
    asked = cds.checked(name, call)
    patient, resources = await _data(engine, asked, call)
    if (ehr.account or is_ours(engine, call.fhirServer)) and SCORING in await respecting.objected(
        engine, f"Patient/{asked.patient}"
    ):
        return []
    chart = Chart.of(patient, resources)
    now = clock.now()
    answers = {each.id: (each, answer(each, chart, now)) for each in registry().values()}
    said = await _foretold(engine, asked, call, now)
    answers |= {each.model.model: (as_calculator(each), as_scored(each)) for each in said}
    learned = frozenset(e.model.model for e in said if e.model.task in asked.service.tasks)
    found = cards.candidates(asked, answers, learned)
    return await _within_budgets(engine, ehr, asked, found, now) if found else []


async def _foretold(engine: Engine, asked: Asked, call: Call, now: datetime) -> list[ModelScore]:
    """What champions say, of charts of this platform only; a canary's team looks at the panel."""
    token = _token(engine, call)
    if token is None:
        return []
    drafted = cds.planned(asked.visits, now)
    said = await following.live(engine, f"Patient/{asked.patient}", token, drafted)
    return [each for each in said if not each.team and each.chance is not None]


def _token(engine: Engine, call: Call) -> str | None:
    """The token for this platform's own door; none where a call names another, or brings none."""
    token = (call.fhirAuthorization or {}).get("access_token")
    usable = is_ours(engine, call.fhirServer) and isinstance(token, str) and bool(token)
    return str(token) if usable else None


async def _data(engine: Engine, asked: Asked, call: Call) -> tuple[Json, list[Json]]:
    """What was sent along, and of the rest what this platform's own door gives for the token."""
    brought, lacking = cds.sent(call)
    cds.patient_in(brought, asked.patient)
    if lacking:
        brought |= await _read(engine, asked, call, lacking)
    patient = cds.patient_in(brought, asked.patient)
    if patient is None:
        raise NotHad(place="prefetch.patient")
    others = [each for key, found in brought.items() if key != "patient" for each in found]
    return patient, others


async def _read(
    engine: Engine, asked: Asked, call: Call, lacking: list[str]
) -> dict[str, list[Json]]:
    token = _token(engine, call)
    if token is None:
        needed = [key for key in lacking if not cds.may_lack(key, call)]
        if needed:
            raise NotHad(place=f"prefetch.{needed[0]}")
        return {}
    urls = [cds.url_of(key, asked.patient) for key in lacking]
    looked = await charts.look(engine.running, urls, token)
    found: dict[str, list[Json]] = {}
    for key, each in zip(lacking, looked, strict=True):
        if each is None and cds.may_lack(key, call):
            continue
        if each is None or cds.is_cut(key, each):
            raise NotHad(place=f"prefetch.{key}")
        same = [each] if key == "patient" else charts.matches(each)
        found[key] = asking.as_one_persons(f"Patient/{asked.patient}", same)
    return found


def is_ours(engine: Engine, server: str) -> bool:
    """Never an address that a caller chooses: it would have us ask anybody, token in hand."""
    ours = engine.running.platform.public_url
    return ours is not None and server.rstrip("/") == f"{ours}/fhir"


async def _within_budgets(
    engine: Engine, ehr: Ehr, asked: Asked, found: list[Candidate], now: datetime
) -> list[Json]:
    settings = engine.settings
    viewer = engine.viewer(ehr.account) if ehr.account else engine.viewer(ehr.issuer, asked.user)
    name = f"Patient/{asked.patient}"
    subject = engine.pseudonym(name if ehr.account else f"{ehr.issuer}|{name}")
    percent = await exposures.hold_out(engine.database)
    held_out = alerts.is_held_out(engine.digest(subject), percent)
    day = now.astimezone(ZoneInfo(settings.time_zone)).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    shown: list[Json] = []
    kept: list[Exposure] = []
    async with engine.database.transaction() as tx:
        await exposures.lock_viewer(tx, viewer)
        today = settings.alerts_a_day - await exposures.shown_since(tx, viewer, day)
        seen = await exposures.repeated(tx, subject, viewer, settings.repeat_days)
        for each in found:
            left = Budget(today - len(shown), settings.cards_a_call - len(shown))
            basis = engine.digest(each.basis.encode())
            repeat = alerts.is_repeat(each.urgency, (each.calculator.id, each.band, basis), seen)
            held = alerts.held(each.urgency, left, is_held_out=held_out, is_repeat=repeat)
            number = ids.new_uuid()
            kept.append(
                Exposure(
                    number, viewer, subject, each.calculator.id, each.calculator.version,
                    each.band, "card", held, basis,
                )
            )  # fmt: skip
            engine.meters.card(each.calculator.id, held)
            if held == alerts.SHOWN:
                shown.append(cards.card(each, asked.patient, str(number)))
        await exposures.add(tx, kept)
    return shown

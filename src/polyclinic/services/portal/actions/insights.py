"""What people see of risks: the panel of a chart, the worklist, what was shared, and models."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from polyclinic.foundation.errors import Forbidden, NotFound, Problem, Unavailable
from polyclinic.services.portal.actions.charts import Chart, check_relation, open_chart
from polyclinic.services.portal.actions.state import Portal, answered
from polyclinic.services.portal.domain.insight_words import BEHIND
from polyclinic.services.portal.domain.reading import Resource, inner
from polyclinic.services.portal.domain.session import Session
from polyclinic.services.portal.gateways.insights import NAME, Body

Listed = list[dict[str, Any]]


@dataclass(frozen=True)
class Risks:
    """A chart with its risks; without them, why."""

    chart: Chart
    panel: Body | None
    silence: str = ""
    since: datetime | None = None


@dataclass(frozen=True)
class Shared:
    """What a care team let a patient read; None: it cannot be said at the moment."""

    scores: Listed | None
    since: datetime | None = None


@dataclass(frozen=True)
class OneModel:
    """A model: its state and steps, its card, the numbers of its pictures."""

    head: Body
    card: Body
    pictures: Body


async def get(portal: Portal, session: Session, *path: str) -> Body:
    return await answered(portal, NAME, portal.insights.get(session.tokens.access, *path))


async def post(portal: Portal, session: Session, turn: str, body: Body, *path: str) -> Body:
    """A change that is made once, however often its button is pressed."""
    key = f"{'-'.join(path)}-{turn}"
    return await answered(
        portal, NAME, portal.insights.post(session.tokens.access, key, body, *path)
    )


async def open_risks(portal: Portal, session: Session, patient_id: str) -> Risks:
    """The chart stands whether insights answers or not."""
    token = session.tokens.access
    await check_relation(portal, token, patient_id)
    work = portal.insights.ask(token, {"patient": f"Patient/{patient_id}"}, "chart")
    chart, found = await asyncio.gather(
        open_chart(portal, token, patient_id, ("allergies",)),
        answered(portal, NAME, work),
        return_exceptions=True,
    )
    if isinstance(chart, BaseException):
        raise chart
    if isinstance(found, Unavailable | Forbidden):
        return Risks(chart, None, found.message, portal.outages.since(NAME))
    if isinstance(found, BaseException):
        raise found
    return Risks(chart, found)


async def open_source(
    portal: Portal, session: Session, patient_id: str, kind: str, key: str
) -> Resource:
    """What a score rests on, as it is in the record; only of this patient."""
    if kind not in BEHIND:
        raise NotFound("There is no such page.")
    found = await portal.records.read(session.tokens.access, kind, key)
    whose = inner(found, "subject", "reference") or inner(found, "patient", "reference")
    if whose != f"Patient/{patient_id}":
        raise NotFound("This is not in this patient's record.")
    return found


async def shared(portal: Portal, session: Session) -> Shared:
    """What a patient may read of their own risks; a page of theirs never fails because of it."""
    try:
        found = await get(portal, session, "mine")
    except Problem as problem:
        if not isinstance(problem, Unavailable | Forbidden):
            raise
        return Shared(None, portal.outages.since(NAME))
    return Shared(found["scores"])


async def open_model(portal: Portal, session: Session, model: str, version: str) -> OneModel:
    path = ("models", model, version)
    head, card, pictures = await asyncio.gather(
        get(portal, session, *path),
        get(portal, session, *path, "card"),
        get(portal, session, *path, "pictures"),
    )
    return OneModel(head, card, pictures)

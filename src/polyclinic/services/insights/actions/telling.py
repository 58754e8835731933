"""Tells records and the worklist what a champion says, and takes back what nobody says any more."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from polyclinic.services.insights.actions.state import Engine
from polyclinic.services.insights.domain import assessments, ranking
from polyclinic.services.insights.domain.assessments import Titled
from polyclinic.services.insights.domain.life.answering import as_calculator, as_scored
from polyclinic.services.insights.domain.life.scored import ModelScore
from polyclinic.services.insights.gateways import charts
from polyclinic.services.insights.gateways.charts import Put
from polyclinic.services.insights.store import assessments as rows
from polyclinic.services.insights.store import models, work
from polyclinic.services.insights.store.assessments import Kept

Json = dict[str, Any]


async def tell(
    engine: Engine,
    patient: str,
    said: Sequence[ModelScore],
    when: tuple[datetime, frozenset[str], frozenset[str]],
) -> None:
    """What a champion says becomes a RiskAssessment; what a canary says is seen by its team only,
    in the panel. `when`: the time, references that are gone for good, and tasks that could not be
    asked: what was said of these stands.

    Raises Changed where somebody else was faster: the chart is read again then.
    """
    now, gone, unread = when
    heard = {each.model.model: each for each in said if each.model.state == "champion"}
    known = await models.list_models(engine.database)
    methods = sorted({row["model"] for row in known if row["task"] not in unread})
    numbers = {method: engine.assessment_id(patient, method) for method in methods}
    names = [f"RiskAssessment/{number}" for number in numbers.values()]
    formers = dict(zip(methods, await charts.look(engine.running, names), strict=True))
    puts: list[Put] = []
    kept: list[Kept] = []
    over: list[UUID] = []
    for method, number in numbers.items():
        former = formers[method]
        if method in heard:
            puts += await _said(engine, Titled(str(number), patient, as_calculator(heard[method])),
                                heard[method], (former, now))  # fmt: skip
            kept.append(_kept(engine, patient, number, heard[method]))
        elif former is not None:
            ended = assessments.ended(former, gone)
            puts += [Put(ended, charts.version_of(former))] if ended else []
            over.append(number)
    await charts.keep(engine.running, puts)
    async with engine.turn, engine.database.transaction() as tx:
        await rows.keep(tx, kept)
        await rows.end(tx, over)
        await work.set_expiry(tx, [_until(each) for each in heard.values()])


async def _said(
    engine: Engine, titled: Titled, said: ModelScore, seen: tuple[Json | None, datetime]
) -> list[Put]:
    former, now = seen
    new = assessments.drafted(titled, as_scored(said), now)
    if former is not None and assessments.is_same(former, new):
        return []
    if titled.device not in engine.devices:
        [known] = await charts.look(engine.running, [f"Device/{titled.device}"])
        if known is None:
            made = assessments.device(titled.calculator, titled.device)
            await charts.keep(engine.running, [Put({**made, "type": {"text": "Learned model"}})])
        engine.devices.add(titled.device)
    version = charts.version_of(former) if former else 0
    return [Put(new, version), Put(assessments.provenance(titled, new))]


def _until(said: ModelScore) -> tuple[str, int, datetime]:
    """What it foretells is over with its horizon: then its occasion is looked at again."""
    return said.trigger, 1, said.index + timedelta(days=said.horizon_days)


def _kept(engine: Engine, patient: str, number: UUID, said: ModelScore) -> Kept:
    calculator, scored = as_calculator(said), as_scored(said)
    action = assessments.proposed(scored)
    return Kept(
        number,
        engine.pseudonym(patient),
        calculator.id,
        calculator.version,
        scored.band.name if scored.band else "",
        action.id if action else "",
        assessments.urgency(action) if action else 0,
        ranking.benefit(calculator, scored),
    )

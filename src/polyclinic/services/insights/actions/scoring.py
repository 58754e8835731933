"""Scores one person by every model that is at work; only champions and canaries are heard.

What a model is made of stays in memory: kept are the chance, coarse groups and counts in bins.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

from polyclinic.foundation import telemetry
from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.foundation.errors import Problem
from polyclinic.services.insights.actions import drifting, signing
from polyclinic.services.insights.actions.remembering import keyed, score_subject
from polyclinic.services.insights.actions.state import Engine
from polyclinic.services.insights.domain import models as foretelling
from polyclinic.services.insights.domain.events import Fact, facts_of
from polyclinic.services.insights.domain.life import guarding, scored
from polyclinic.services.insights.domain.life.drift import SCORE, bin_of
from polyclinic.services.insights.domain.life.scored import ModelScore, Part
from polyclinic.services.insights.domain.life.states import SCORED
from polyclinic.services.insights.domain.tasks import (
    Task,
    Timeline,
    asked,
    basis,
    features,
    opening,
    tasks,
)
from polyclinic.services.insights.store import models, scores

Json = Mapping[str, Any]
_OF_TRIGGER = ("lead_days", "discharge")
_EACH_MAX = 20  # resources behind one number


@dataclass(frozen=True, slots=True)
class _Occasion:
    """What is asked of one person: a task at its index, and all that was known then."""

    name: bytes
    subject: bytes
    task: Task
    trigger: Fact
    at: datetime
    index: datetime
    row: dict[str, float | str | None]
    sources: dict[str, tuple[str, ...]]


async def score(
    engine: Engine, patient: str, resources: Sequence[Json], at: datetime
) -> tuple[ModelScore, ...]:
    """What may be shown of `Patient/<id>` at a moment: nothing, where no question is open.

    `resources` are the Patient and all that is known. A repeat counts nobody twice. A drift that
    this very person brings to light silences the model before it answers.
    """
    facts = list(facts_of(resources))
    found: list[ModelScore] = []
    for task in tasks().values():
        trigger = asked(task, facts, at)
        if trigger is None:
            continue
        occasion = _occasion(engine, patient, task, (facts, cast("Fact", trigger), at))
        async with engine.turn, engine.database.transaction() as tx:
            found += await _by_all(engine, tx, occasion)
    return tuple(found)


async def peek(
    engine: Engine,
    patient: str,
    resources: Sequence[Json],
    at: datetime,
    drafted: Sequence[Json] = (),
) -> tuple[ModelScore, ...]:
    """The same as `score` for somebody who looks: nothing is counted, only who may speak speaks.

    Of `drafted` visits it is told what would be said in time, by all that is known today.
    """
    facts = list(facts_of([*resources, *drafted]))
    found: list[ModelScore] = []
    rows = await models.list_models(engine.database)
    for task in tasks().values():
        for when in _moments(task, drafted, at):
            trigger = asked(task, facts, when)
            if trigger is None:
                continue
            occasion = _occasion(engine, patient, task, (facts, cast("Fact", trigger), when))
            found += await _heard(engine, occasion, rows, at)
            break
    return tuple(found)


def _moments(task: Task, drafted: Sequence[Json], at: datetime) -> list[datetime]:
    """When to ask: as the questions about what is drafted open, else now."""
    opens = (opening(task, list(facts_of([each])), at) for each in drafted)
    return [*(each for each in opens if each is not None), at]


async def _heard(
    engine: Engine, occasion: _Occasion, rows: Sequence[Row], at: datetime
) -> list[ModelScore]:
    found: list[ModelScore] = []
    for row in rows:
        model = signing.registered(row)
        if model.task == occasion.task.id and model.speaks(at):
            made = await _foretold(engine, engine.database, occasion, row)
            if made is not None and not made.strange:
                found.append(replace(made, shown=True))
    return found


def _occasion(
    engine: Engine, patient: str, task: Task, known: tuple[list[Fact], Fact, datetime]
) -> _Occasion:
    facts, trigger, at = known
    index, timeline = trigger.time + task.index_offset, Timeline(facts)
    return _Occasion(
        keyed(engine, "occasions", f"{task.id}|{trigger.reference}"),
        score_subject(engine, patient),
        task,
        trigger,
        at,
        index,
        features(task, timeline, index, trigger),
        # How long ahead it was made, and where somebody went, says what the question is about.
        {**basis(task, timeline, index), **dict.fromkeys(_OF_TRIGGER, (trigger.reference,))},
    )


async def _by_all(engine: Engine, tx: Transaction, occasion: _Occasion) -> list[ModelScore]:
    """By every model of the task, beside each other; then those that still may speak."""
    said: dict[str, ModelScore] = {}
    for row in await models.list_models(tx):
        if row["task"] == occasion.task.id and row["state"] in SCORED:
            made = await _by_one(engine, tx, occasion, row)
            if made is not None:
                said[made.model.name] = made
    heard: list[ModelScore] = []
    for row in await models.list_models(tx):  # read again: one may have been withdrawn just now
        model = signing.registered(row)
        made = said.get(model.name)
        if made is None:
            continue
        speaks = model.speaks(occasion.at) and not made.strange
        answer = "shown" if speaks else ("strange" if made.strange else "silent")
        engine.model_meters.answered(model.model, answer)
        if speaks:
            await scores.set_shown(tx, model.model, model.version, occasion.name)
            heard.append(replace(made, model=model, shown=True))
    return heard


async def _by_one(
    engine: Engine, tx: Transaction, occasion: _Occasion, row: Row
) -> ModelScore | None:
    made = await _foretold(engine, tx, occasion, row)
    if made is not None:
        await _keep(engine, tx, occasion, made)
    return made


async def _foretold(
    engine: Engine, tx: Database | Transaction, occasion: _Occasion, row: Row
) -> ModelScore | None:
    """By one model; None where it cannot be used: then it is as if it were not there."""
    try:
        model = await _loaded(engine, tx, row)
        row_of_it = {name: occasion.row.get(name) for name in row["features"]}
        usual = await drifting.baseline(tx, row)
        usual.pop(SCORE, None)
        strange = guarding.strange(row_of_it, usual)
        foretold = None if strange else foretelling.predict(model, row_of_it)
    except Problem as unusable:
        telemetry.log("model not used", service="insights", kind=row["model"],
                      error=type(unusable).__name__)  # fmt: skip
        engine.model_meters.answered(row["model"], "unusable")
        return None
    return _made(occasion, row, row_of_it, (strange, foretold, model.features))


async def _loaded(engine: Engine, tx: Database | Transaction, row: Row) -> foretelling.Model:
    """The model, checked and read once for each process."""
    known = engine.loaded.get(row["digest"])
    if known is None:
        content = await models.content(tx, row["model"], row["version"])
        signing.check(engine, row, content)
        known = engine.loaded[row["digest"]] = foretelling.load(content)
    return known


def _made(
    occasion: _Occasion,
    row: Row,
    values: Mapping[str, float | str | None],
    said: tuple[
        tuple[guarding.Strange, ...],
        foretelling.Predicted | None,
        tuple[foretelling.Feature, ...],
    ],
) -> ModelScore:
    strange, foretold, features_of = said
    weights = foretold.contributions if foretold else {}
    parts = tuple(
        Part(
            each.name,
            values.get(each.name),
            weights[each.name],
            each.words,
            each.unit,
            occasion.sources.get(each.name, ())[:_EACH_MAX],
        )
        for each in (features_of if foretold else ())
    )
    names = scored.behind(parts)
    return ModelScore(
        model=signing.registered(row),
        title=occasion.task.title,
        index=occasion.index,
        horizon_days=occasion.task.horizon.total_seconds() / 86_400,
        trigger=occasion.trigger.reference,
        chance=foretold.probability if foretold else None,
        base=foretold.base if foretold else 0.0,
        parts=parts,
        basis=tuple(dict.fromkeys((occasion.trigger.reference, *names))),
        strange=strange,
        shown=False,
        action=occasion.task.action,
        action_source=occasion.task.action_source,
    )


async def _keep(engine: Engine, tx: Transaction, occasion: _Occasion, made: ModelScore) -> None:
    """Once an occasion: the chance, and the bins of what it was made of."""
    name, task = (made.model.model, made.model.version), occasion.task
    delay = timedelta(days=engine.settings.label_delay_days)
    matures = occasion.index + task.horizon + delay
    groups = scored.groups_of(occasion.row)
    head = (*name, occasion.name, occasion.subject, task.id, occasion.index, matures)
    if not await scores.add_score(tx, (*head, made.chance, False, groups)):
        return
    number = await models.add_scored(tx, *name)
    row = await models.find_model(tx, *name)
    assert row is not None
    bins = {feature: bin_of(occasion.row.get(feature)) for feature in row["features"]}
    if made.chance is not None:
        bins[SCORE] = bin_of(made.chance)
    await scores.add_sketch(tx, *name, (number - 1) // drifting.CHUNK, bins)
    if number % drifting.CHUNK == 0:
        await drifting.look(engine, tx, name)

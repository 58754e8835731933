"""Scores one person's chart anew and tells records what has changed: a repeat writes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from polyclinic.foundation import clock, telemetry
from polyclinic.foundation.errors import Problem
from polyclinic.services.insights.actions import remembering, respecting
from polyclinic.services.insights.actions.reading import Read, read
from polyclinic.services.insights.actions.state import Engine
from polyclinic.services.insights.domain import asking, assessments, expiring, ranking
from polyclinic.services.insights.domain.assessments import Titled
from polyclinic.services.insights.domain.calculators import (
    Action,
    Calculator,
    Chart,
    Scored,
    answer,
    registry,
)
from polyclinic.services.insights.domain.consents import SCORING
from polyclinic.services.insights.domain.expiring import Due
from polyclinic.services.insights.gateways import charts
from polyclinic.services.insights.gateways.charts import Changed, Put
from polyclinic.services.insights.store import assessments as rows
from polyclinic.services.insights.store import work
from polyclinic.services.insights.store.assessments import Kept

Json = dict[str, Any]
# Another process may score the same chart at the same moment; both read again then.
ATTEMPTS = 4


class NotAllScored(Problem):
    """Some calculators failed on this chart."""


@dataclass(frozen=True, slots=True)
class Task:
    """A person, what of their chart changed, which references are gone for good, and what of it
    (as it is now) is about nobody else."""

    patient: str
    changed: tuple[Json, ...]
    gone: frozenset[str] = frozenset()
    current: tuple[Json, ...] = ()


@dataclass(slots=True)
class _Done:
    """What is to be told to records and kept here."""

    puts: list[Put] = field(default_factory=list[Put])
    kept: list[Kept] = field(default_factory=list[Kept])
    over: list[UUID] = field(default_factory=list[UUID])
    failed: list[str] = field(default_factory=list[str])
    # When what was said has to be looked at though nothing will have changed.
    expiries: list[Due] = field(default_factory=list[Due])
    proposals: dict[str, tuple[Calculator, Action]] = field(
        default_factory=dict[str, tuple[Calculator, Action]]
    )


async def assess(engine: Engine, task: Task) -> None:
    """Scores what is due; raises NotAllScored, or Unavailable when records does not answer."""
    done = await _told(engine, task, ATTEMPTS)
    if done.kept or done.over or done.expiries:
        async with engine.database.transaction() as tx:
            await rows.keep(tx, done.kept)
            await rows.end(tx, done.over)
            await work.set_expiry(tx, done.expiries)
    if done.failed:
        raise NotAllScored(place=done.failed[0])


async def _told(engine: Engine, task: Task, attempts: int) -> _Done:
    """What records knows now; read again when somebody else was faster."""
    done = await _assess(engine, task)
    try:
        await charts.keep(engine.running, done.puts)
    except Changed:
        if attempts == 1:
            raise
        return await _told(engine, task, attempts - 1)
    return done


async def _assess(engine: Engine, task: Task) -> _Done:
    due, now = asking.due(task.changed), clock.now()
    found = await read(engine, task.patient, due, now)
    said, before = await respecting.heed(engine, task.patient, found.consents, now)
    if SCORING in before - said:
        # Whoever may be scored again is scored by everything, whatever it was that changed.
        due = tuple(registry().values())
        found = await read(engine, task.patient, due, now)
    done = _Done()
    if found.patient is None or asking.is_gone(found.patient) or SCORING in said:
        _end_all(done, found.former.values(), task)
        await _set_aside(engine, task, found)
        return done
    for each in engine.followers:
        known = [*task.current, *found.resources]
        await each(task.patient, found.patient, known, task.gone)
    chart = Chart.of(found.patient, found.resources)
    await _score(engine, done, _Scene(task, chart, found.former, now), due)
    return done


async def _set_aside(engine: Engine, task: Task, found: Read) -> None:
    """Nobody is scored: erased, given up for another record, or by their own wish."""
    if found.patient is None:
        await respecting.forget(engine, task.patient)
    elif (goes_on := asking.successor(found.patient)) is not None:
        await respecting.join(engine, task.patient, goes_on)
    elif not asking.is_gone(found.patient):
        known = [found.patient, *task.current, *found.resources]
        async with engine.turn, engine.database.transaction() as tx:
            await remembering.remember(engine, tx, task.patient, known, task.gone)


@dataclass(frozen=True, slots=True)
class _Scene:
    task: Task
    chart: Chart
    former: dict[str, Json]
    now: datetime


async def _score(engine: Engine, done: _Done, scene: _Scene, due: Sequence[Calculator]) -> None:
    for calculator in due:
        number = engine.assessment_id(scene.task.patient, calculator.id)
        former = scene.former.get(str(number))
        try:
            answered = answer(calculator, scene.chart, scene.now)
        except Exception as bug:  # noqa: BLE001 - one formula's fault keeps no other from its answer
            telemetry.log_bug("not scored", bug, service="insights", kind=calculator.id)
            engine.meters.scored(calculator.id, "failed")
            done.failed.append(calculator.id)
            continue
        engine.meters.scored(calculator.id, type(answered).__name__)
        told = answered if isinstance(answered, Scored) else assessments.for_safety(answered)
        if told is not None and not calculator.comparison_only:
            await _tell(engine, done, scene, (calculator, told, number, former))
        elif former is not None:
            _end(done, former, scene.task)
    silent = ranking.gives_way(done.proposals)
    done.kept = [_unlisted(each) if each.method in silent else each for each in done.kept]


def _unlisted(kept: Kept) -> Kept:
    """The score stands; another line proposes the same step."""
    return replace(kept, action="", urgency=0, benefit=0.0)


async def _tell(
    engine: Engine,
    done: _Done,
    scene: _Scene,
    said: tuple[Calculator, Scored, UUID, Json | None],
) -> None:
    calculator, scored, number, former = said
    titled = Titled(str(number), scene.task.patient, calculator)
    new = assessments.drafted(titled, scored, scene.now)
    if former is None or not assessments.is_same(former, new):
        await _name_device(engine, titled)
        done.puts.append(Put(new, charts.version_of(former) if former else 0))
        done.puts.append(Put(assessments.provenance(titled, new)))
    ends = expiring.expiry(calculator, scored, scene.now)
    done.expiries += [ends] if ends else []
    action = assessments.proposed(scored)
    if action is not None:
        done.proposals[calculator.id] = calculator, action
    done.kept.append(
        Kept(
            number,
            engine.pseudonym(scene.task.patient),
            calculator.id,
            calculator.version,
            scored.band.name if scored.band else "",
            action.id if action else "",
            assessments.urgency(action) if action else 0,
            ranking.benefit(calculator, scored),
        )
    )


async def _name_device(engine: Engine, titled: Titled) -> None:
    """Each version of a calculator is a Device, made before anything names it."""
    if titled.device in engine.devices:
        return
    made = assessments.device(titled.calculator, titled.device)
    [former] = await charts.look(engine.running, [f"Device/{titled.device}"])
    if former is None:
        await charts.keep(engine.running, [Put(made)])
    engine.devices.add(titled.device)


def _end_all(done: _Done, former: Any, task: Task) -> None:
    """By calculators and by models."""
    for each in former:
        _end(done, each, task)


def _end(done: _Done, former: Json, task: Task) -> None:
    over = assessments.ended(former, task.gone)
    if over is not None:
        done.puts.append(Put(over, charts.version_of(former)))
    done.over.append(UUID(former["id"]))

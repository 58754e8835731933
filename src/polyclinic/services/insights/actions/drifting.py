"""Watches what models are fed and what became of it; takes out of sight what no longer holds."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from polyclinic.foundation import clock
from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.services.insights.actions import stepping
from polyclinic.services.insights.actions.proving import settled
from polyclinic.services.insights.actions.signing import registered
from polyclinic.services.insights.actions.state import Engine
from polyclinic.services.insights.domain.life.drift import (
    WINDOWS,
    Cusum,
    Drift,
    Sketch,
    looked_at,
)
from polyclinic.services.insights.domain.life.guarding import BASELINE_MIN
from polyclinic.services.insights.domain.life.states import SEEN
from polyclinic.services.insights.store import models, scores

CHUNK = 25
Where = Database | Transaction
Sketches = dict[str, dict[str, int]]


async def baseline(where: Where, row: Row) -> Sketches:
    """By feature, what was usual before people saw the model; empty while it is not settled."""
    if row["baseline"] is None or row["baseline"] < BASELINE_MIN:
        return {}
    return await _sketches(where, row, 0, row["baseline"] // CHUNK)


async def _sketches(where: Where, row: Row, first: int, last: int) -> Sketches:
    found: Sketches = defaultdict(dict)
    for each in await scores.sketches(where, row["model"], row["version"], first, last):
        found[each["feature"]][each["bin"]] = each["count"]
    return dict(found)


async def drifts(where: Where, row: Row) -> list[Drift]:
    """What moved, looked at in the last 50, 100 and 200 people; the strongest of each kind."""
    usual = await baseline(where, row)
    if not usual:
        return []
    last = row["scored"] // CHUNK
    first_new = -(-row["baseline"] // CHUNK)
    found: dict[tuple[str, str], Drift] = {}
    for size in WINDOWS:
        first = last - size // CHUNK
        if first < first_new:
            continue
        for drift in _compared(usual, await _sketches(where, row, first, last)):
            key = (drift.feature, drift.kind)
            if key not in found or found[key].value < drift.value:
                found[key] = drift
    return list(found.values())


def _compared(usual: Mapping[str, Sketch], now: Mapping[str, Sketch]) -> list[Drift]:
    return [
        drift
        for feature, sketch in sorted(usual.items())
        for drift in looked_at(feature, sketch, now.get(feature, {}))
    ]


async def look(engine: Engine, tx: Transaction, name: tuple[str, str]) -> None:
    """After every 25 people: an alarm takes the model out of sight in the same transaction."""
    row = await models.find_model(tx, *name)
    if row is None or row["state"] not in (*SEEN, "former"):
        return
    found = await drifts(tx, row)
    engine.model_meters.drifted(row["model"], found)
    broken = [(each.feature, facts_of(each)) for each in found if each.level == "act"]
    if broken:
        _, model = await stepping.locked(tx, name)
        names = ", ".join(sorted({feature for feature, _ in broken}))
        await stepping.withdraw(tx, model, stepping.ITSELF, f"drift of {names}"[:500], broken)


def facts_of(drift: Drift) -> dict[str, Any]:
    return {
        "feature": drift.feature,
        "kind": drift.kind,
        "value": round(drift.value, 4),
        "level": drift.level,
    }


async def cusum(where: Where, row: Row) -> Cusum:
    """Outcomes against what was expected, in order, since the model is in its present state."""
    chart = Cusum()
    for each in await settled(where, row):
        if each["at"] >= row["since"] and not chart.signals:
            chart = chart.then(each["chance"], each["outcome"])
    return chart


async def mature(engine: Engine) -> None:
    """What had its time and did not come is known now; who is wrong too often falls silent."""
    now = clock.now()
    async with engine.turn, engine.database.transaction() as tx:
        await stepping.expire(tx, now)
        await scores.mature(tx, now)
    for row in await models.list_models(engine.database):
        if row["state"] in SEEN:
            async with engine.turn, engine.database.transaction() as tx:
                await _judge(engine, tx, (row["model"], row["version"]))


async def _judge(engine: Engine, tx: Transaction, name: tuple[str, str]) -> None:
    row, model = await stepping.locked(tx, name)
    if model.state not in SEEN:
        return
    chart = await cusum(tx, row)
    engine.model_meters.came(model.model, chart)
    if chart.signals:
        facts = {"observed": chart.observed, "expected": round(chart.expected, 2)}
        reason = "outcomes are not what was foretold"
        await stepping.withdraw(tx, model, stepping.ITSELF, reason, [("", facts)])


async def measure(engine: Engine) -> None:
    """States and counts of models for Prometheus."""
    for row in await models.list_models(engine.database):
        engine.model_meters.stands(registered(row), row["scored"])

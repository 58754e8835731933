"""Goes along with the worker: what was read is remembered, and a discharge is scored."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from polyclinic.foundation import clock
from polyclinic.foundation.errors import Forbidden, Unavailable
from polyclinic.services.insights.actions import (
    remembering,
    scoring,
    signing,
    telling,
)
from polyclinic.services.insights.actions.state import Engine
from polyclinic.services.insights.domain import asking
from polyclinic.services.insights.domain.calculators import Wanted
from polyclinic.services.insights.domain.events import facts_of
from polyclinic.services.insights.domain.life.scored import ModelScore
from polyclinic.services.insights.domain.tasks import Task, opening, tasks
from polyclinic.services.insights.gateways import charts
from polyclinic.services.insights.store import models, work

Json = dict[str, Any]
VISIT = "Appointment"
# How soon visits are asked for again where they could not be read.
AGAIN = timedelta(minutes=1)
_TYPES = ("Encounter", "Condition", "Procedure", "MedicationRequest", "Observation")


class Follower:
    """One process's; `Engine.followers` calls it with each chart that was just read."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def follow(
        self, patient: str, who: Json, resources: Sequence[Json], gone: frozenset[str]
    ) -> None:
        """Remembers what was read; what models at work ask about is read on and scored. What no
        model says any more, or what nobody asks any more, is taken back."""
        engine, now = self._engine, clock.now()
        rows = await models.list_models(engine.database)
        at_work = {row["task"] for row in rows if row["state"] in scoring.SCORED}
        due = [task for task in tasks().values() if task.id in at_work]
        seen, read = await _readable(engine, patient, due)
        known = _joined([*seen, who, *resources])
        async with engine.turn, engine.database.transaction() as tx:
            await remembering.remember(engine, tx, patient, known, gone)
            await work.set_due(tx, _later(known, now, is_away=len(read) < len(due)))
        said = await scoring.score(engine, patient, known, now) if seen else ()
        # A draft never said anything that could be taken back.
        if any(row["state"] != "draft" for row in rows):
            unread = frozenset(task.id for task in due if task not in read)
            await telling.tell(engine, patient, said, (now, gone, unread))


async def live(
    engine: Engine, patient: str, token: str, drafted: Sequence[Json] = ()
) -> tuple[ModelScore, ...]:
    """What models say of somebody now, of what the holder of the token may see; counts nobody.

    `drafted` are appointments that are about to be booked.
    """
    now = clock.now()
    rows = await models.list_models(engine.database)
    heard = {row["task"] for row in rows if signing.registered(row).speaks(now)}
    if not heard:
        return ()
    known, _ = await _readable(engine, patient, [tasks()[each] for each in heard], token)
    return await scoring.peek(engine, patient, known, now, drafted) if known else ()


def _joined(resources: Sequence[Json]) -> list[Json]:
    """Each once: what was read first counts."""
    named = {(each.get("resourceType"), each.get("id")): each for each in reversed(resources)}
    return list(reversed(named.values()))


def _later(
    known: Sequence[Json], now: datetime, *, is_away: bool
) -> list[tuple[str, int, datetime | None]]:
    """When visits are to be looked at again: name, version, and the time at which a question about
    them opens; none where there is nothing to ask. Of a service that is away soon again."""
    ahead = [task for task in tasks().values() if task.index_offset < timedelta(0)]
    found: list[tuple[str, int, datetime | None]] = []
    for each in known:
        if each.get("resourceType") != VISIT:
            continue
        facts = list(facts_of([each]))
        opens = [at for task in ahead if (at := opening(task, facts, now)) is not None]
        if not opens and is_away:
            opens = [now + AGAIN]
        version = int(each.get("meta", {}).get("versionId", 1))
        found.append((f"{VISIT}/{each['id']}", version, min(opens, default=None)))
    return found


async def _readable(
    engine: Engine, patient: str, due: Sequence[Task], token: str = ""
) -> tuple[list[Json], list[Task]]:
    """What these tasks look at, and those that can be asked: where visits cannot be read, the
    others are asked all the same."""
    if not due:
        return [], []
    try:
        return await _read(engine, patient, due, token), list(due)
    except (Unavailable, Forbidden):
        rest = [task for task in due if not _looks_at_visits(task)]
        if len(rest) == len(due):
            raise
        return (await _read(engine, patient, rest, token) if rest else []), rest


async def _read(engine: Engine, patient: str, due: Sequence[Task], token: str = "") -> list[Json]:
    """The Patient, and all of the chart that these tasks look at; nothing where there is nobody."""
    urls = asking.urls_of(patient, wanted(due), clock.now().date())
    who, *found = await charts.look(engine.running, urls, token)
    if who is None or asking.is_gone(who):
        return []
    resources = [each for bundle in found for each in charts.matches(bundle)]
    return [who, *asking.as_one_persons(patient, resources)]


def wanted(due: Sequence[Task]) -> Wanted:
    """What tasks look at, in the words in which charts are asked for it."""
    codes = [code for task in due for code in _codes(task)]
    loinc = dict.fromkeys(code.split("//")[1] for code in codes if code.startswith("LOINC//"))
    days = [each.days for task in due for each in task.features if _is_lab(each.codes)]
    longest = None if None in days else max((day for day in days if day), default=365)
    types = [each for each in _TYPES if loinc or each != "Observation"]
    types += [VISIT] if any(map(_looks_at_visits, due)) else []
    return Wanted(tuple(types), tuple(loinc), longest)


def _looks_at_visits(task: Task) -> bool:
    return any(code.startswith("APPOINTMENT//") for code in _codes(task))


def _codes(task: Task) -> list[str]:
    criteria = (task.trigger, *task.outcome, *task.competing)
    criteria += tuple(each.criterion for each in task.exclusions)
    of_features = (code for each in task.features for code in each.codes)
    return [*(code for each in criteria for code in each.codes), *of_features]


def _is_lab(codes: Sequence[str]) -> bool:
    return any(code.startswith("LOINC//") for code in codes)

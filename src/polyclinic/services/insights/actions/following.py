"""Goes along with the worker: what was read is remembered, and a discharge is scored."""

from collections.abc import Iterable, Sequence
from typing import Any

from polyclinic.foundation import clock
from polyclinic.services.insights.actions import remembering, scoring, signing, telling
from polyclinic.services.insights.actions.state import Engine
from polyclinic.services.insights.domain import asking
from polyclinic.services.insights.domain.calculators import Wanted
from polyclinic.services.insights.domain.events import facts_of
from polyclinic.services.insights.domain.life.scored import ModelScore
from polyclinic.services.insights.domain.tasks import Task, asked, tasks
from polyclinic.services.insights.gateways import charts
from polyclinic.services.insights.store import models

Json = dict[str, Any]
_TYPES = ("Encounter", "Condition", "Procedure", "MedicationRequest", "Observation")


class Follower:
    """One process's; `Engine.followers` calls it with each chart that was just read."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def follow(
        self, patient: str, who: Json, resources: Sequence[Json], gone: frozenset[str]
    ) -> None:
        """Remembers what was read; where a model's question is open, reads on and scores. What no
        model says any more, or what nobody asks any more, is taken back."""
        engine, now = self._engine, clock.now()
        rows = await models.list_models(engine.database)
        known = [who, *resources]
        facts = list(facts_of(known))
        at_work = {row["task"] for row in rows if row["state"] in scoring.SCORED}
        due = [task for task in tasks().values() if task.id in at_work and asked(task, facts, now)]
        if due:
            known = await _read(engine, patient, due)
        async with engine.turn, engine.database.transaction() as tx:
            await remembering.remember(engine, tx, patient, known, gone)
        said = await scoring.score(engine, patient, known, now) if due else ()
        if rows:
            await telling.tell(engine, patient, said, (now, gone))


async def live(engine: Engine, patient: str, token: str) -> tuple[ModelScore, ...]:
    """What models say of somebody now, of what the holder of the token may see; counts nobody."""
    now = clock.now()
    rows = await models.list_models(engine.database)
    heard = {row["task"] for row in rows if signing.registered(row).speaks(now)}
    if not heard:
        return ()
    known = await _read(engine, patient, [tasks()[each] for each in heard], token)
    return await scoring.peek(engine, patient, known, now) if known else ()


async def _read(engine: Engine, patient: str, due: Sequence[Task], token: str = "") -> list[Json]:
    """The Patient, and all of the chart that these tasks look at; nothing where there is nobody."""
    urls = asking.urls_of(patient, wanted(due), clock.now().date())
    who, *found = await charts.look(engine.running, urls, token)
    if who is None or asking.is_gone(who):
        return []
    resources = [each for bundle in found for each in charts.matches(bundle)]
    return [who, *asking.as_one_persons(patient, resources)]


def wanted(due: Iterable[Task]) -> Wanted:
    """What tasks look at, in the words in which charts are asked for it."""
    codes = [code for task in due for code in _codes(task)]
    loinc = dict.fromkeys(code.split("//")[1] for code in codes if code.startswith("LOINC//"))
    days = [each.days for task in due for each in task.features if _is_lab(each.codes)]
    longest = None if None in days else max((day for day in days if day), default=365)
    return Wanted(_TYPES, tuple(loinc), longest)


def _codes(task: Task) -> list[str]:
    criteria = (task.trigger, *task.outcome, *task.competing)
    criteria += tuple(each.criterion for each in task.exclusions)
    of_features = (code for each in task.features for code in each.codes)
    return [*(code for each in criteria for code in each.codes), *of_features]


def _is_lab(codes: Sequence[str]) -> bool:
    return any(code.startswith("LOINC//") for code in codes)

"""Has a model learned from the clinic's own events, beside the platform: it becomes a draft."""

import msgspec

from polyclinic.foundation.aside import aside
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Invalid, NotProcessable, TooCostly
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.insights.actions import modelling
from polyclinic.services.insights.actions.modelling import Draft
from polyclinic.services.insights.actions.state import Asker, Engine
from polyclinic.services.insights.domain import access
from polyclinic.services.insights.domain.tasks import tasks
from polyclinic.services.insights.domain.tasks.teaching import Learnt, Lesson, Said
from polyclinic.services.insights.store import events

# A few minutes on one core; beyond it a person is asked for another way.
EVENTS_MAX, SECONDS, PAGE = 2_000_000, 1800.0, 500
_WORK = "polyclinic.services.insights.domain.tasks.teaching:work"


class NotLearned(NotProcessable):
    """There is nothing to learn this from."""


class Train(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be learned, and under which name and version the draft is kept."""

    task: str
    model: str
    version: str
    fallback: str = ""


async def train(engine: Engine, asker: Asker, asked: Train, key: Once) -> Stored:
    """Answers when it is done, which takes minutes; raises NotLearned with the reason."""
    access.check_operator(asker.caller, "u")
    if asked.task not in tasks():
        raise Invalid("There is no such task.", place="task")
    lesson = Lesson(asked.task, asked.model, asked.version, await _events(engine))
    async with aside(_WORK, 1, SECONDS) as teaching:
        answer = await teaching.ask(msgspec.json.encode(lesson))
    learnt = msgspec.json.decode(answer, type=Learnt)
    if not learnt.model:
        raise NotLearned(learnt.refused, place="task")
    draft = Draft(
        msgspec.Raw(learnt.model.encode()), learnt.record, learnt.threshold, asked.fallback
    )

    async def act(tx: Transaction) -> tuple[int, object]:
        model = await modelling.add(engine, tx, draft, asker.name)
        return 201, {"model": model.id, "version": model.version, "state": "draft"}

    return await engine.carried(key, act)


async def _events(engine: Engine) -> list[Said]:
    """All that is remembered; subjects become numbers on the way."""
    found: list[Said] = []
    last, number = b"", 0
    while rows := await events.list_events(engine.database, last, PAGE):
        for row in rows:
            number += row["subject"] != last
            last = row["subject"]
            said = (row["time"], row["known_at"], row["code"], row["numeric_value"], row["unit"])
            found.append(Said(number, *said))
        if len(found) > EVENTS_MAX:
            raise TooCostly(f"More than {EVENTS_MAX} events are not learned here.", place="task")
    return found

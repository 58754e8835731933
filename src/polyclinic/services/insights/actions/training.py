"""Has a model learned from the clinic's own events: asked for here, done by `learning.Teacher`."""

from typing import Any
from uuid import UUID

import msgspec

from polyclinic.foundation.database import Row, Transaction
from polyclinic.foundation.errors import Conflict, Invalid, NotFound
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.insights.actions.modelling import KnownAlready, check_name
from polyclinic.services.insights.actions.state import Asker, Engine
from polyclinic.services.insights.domain import access
from polyclinic.services.insights.domain.calculators import registry
from polyclinic.services.insights.domain.tasks import tasks
from polyclinic.services.insights.store import lessons, models

SHOWN_MAX = 20


class NoLesson(NotFound):
    """Nothing was asked to be learned under this id."""


class LearningAlready(Conflict):
    """This version of the model is being learned at the moment."""


class Train(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be learned, and under which name and version the draft is kept."""

    task: str
    model: str
    version: str
    fallback: str = ""


async def train(engine: Engine, asker: Asker, asked: Train, key: Once) -> Stored:
    """Answers at once with the id under which it can be followed; learning takes minutes."""
    access.check_operator(asker.caller, "u")
    if asked.task not in tasks():
        raise Invalid("There is no such task.", place="task")
    if asked.fallback and asked.fallback not in registry():
        raise Invalid("There is no such calculator.", place="fallback")
    for name, text in (("model", asked.model), ("version", asked.version)):
        check_name(text, name)

    async def act(tx: Transaction) -> tuple[int, object]:
        if await models.find_model(tx, asked.model, asked.version) is not None:
            raise KnownAlready(place="version")
        row = (asked.task, asked.model, asked.version, asked.fallback, asker.name)
        made = await lessons.add(tx, row)
        if made is None:
            raise LearningAlready(place="version")
        return 202, {"training": str(made), "state": "waiting", "percent": 0}

    stored = await engine.carried(key, act)
    engine.lessons.set()
    return stored


async def followed(engine: Engine, asker: Asker, lesson: UUID) -> dict[str, Any]:
    """How far something is that was asked to be learned."""
    access.check_staff(asker.caller)
    found = await lessons.find(engine.database, lesson)
    if found is None:
        raise NoLesson(place="training")
    return told(found)


async def all_of_late(engine: Engine, asker: Asker) -> list[dict[str, Any]]:
    """What is being learned, and what was of late."""
    access.check_staff(asker.caller)
    return [told(row) for row in await lessons.newest(engine.database, SHOWN_MAX)]


def told(row: Row) -> dict[str, Any]:
    return {"training": str(row["id"]), **{n: v for n, v in dict(row).items() if n != "id"}}

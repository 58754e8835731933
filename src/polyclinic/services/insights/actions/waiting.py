"""Shows what waits to be scored, and has what is parked tried once more."""

from typing import Any

import msgspec

from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import NotFound
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.insights.actions.state import Asker, Engine
from polyclinic.services.insights.domain import access
from polyclinic.services.insights.store import work

SHOWN_MAX = 200


class Parked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that is parked, by the name that the list gives it."""

    name: str


class NotParked(NotFound):
    """Nothing of this name is parked."""


async def shown(engine: Engine, asker: Asker) -> dict[str, Any]:
    """Counts, and the oldest parked ones: ids of resources and reasons of ours."""
    access.check_operator(asker.caller)
    counts = await work.waiting(engine.database)
    parked = await work.parked(engine.database, SHOWN_MAX)
    return {**dict(counts), "items": [dict(row) for row in parked]}


async def again(engine: Engine, asker: Asker, asked: Parked, key: Once) -> Stored:
    access.check_operator(asker.caller, "u")

    async def act(tx: Transaction) -> tuple[int, object]:
        if not await work.unpark(tx, asked.name):
            raise NotParked(place="name")
        return 200, {"name": asked.name, "status": "waiting"}

    stored = await engine.carried(key, act)
    engine.more.set()
    return stored

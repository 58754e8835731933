"""What is remembered of nobody in particular: counts of people by code, and a new generation."""

from typing import Any

from polyclinic.foundation.database import Transaction
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.insights.actions.state import Asker, Engine
from polyclinic.services.insights.domain import access
from polyclinic.services.insights.domain.events import SHOWN_MIN
from polyclinic.services.insights.store import events

CODES_MAX = 500


async def counted(engine: Engine, asker: Asker) -> dict[str, Any]:
    """The codes that are known of at least 11 people, and of how many."""
    access.check_operator(asker.caller)
    rows = await events.count_subjects(engine.database, SHOWN_MIN, CODES_MAX)
    return {"atLeast": SHOWN_MIN, "codes": [dict(row) for row in rows]}


async def rotate(engine: Engine, asker: Asker, key: Once) -> Stored:
    """Whoever's chart is read from now on gets another pseudonym and other dates."""
    access.check_operator(asker.caller, "u")

    async def act(tx: Transaction) -> tuple[int, object]:
        return 201, {"generation": await events.add_generation(tx, asker.name)}

    return await engine.carried(key, act)

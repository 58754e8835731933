"""Decides about lines of the worklist, keeps what became of them, and sets who is shown nothing."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from polyclinic.foundation import clock
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Invalid, NotFound
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.insights.actions import listing
from polyclinic.services.insights.actions.state import Asker, Engine
from polyclinic.services.insights.domain import access, worklist
from polyclinic.services.insights.domain.worklist import Decision
from polyclinic.services.insights.store import exposures
from polyclinic.services.insights.store import worklist as rows

# Smaller groups could be told apart (reference: CMS cell size suppression policy).
GROUP_MIN = 11
PERCENT_MAX = 50


class NoLine(NotFound):
    """There is no such line, or it is about somebody whom you do not care for."""


class NoLongerTrue(NotFound):
    """The score behind this line no longer holds."""


class HoldOut(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many of 100 are shown no cards and no lines, and why."""

    percent: int
    reason: str


async def decide(engine: Engine, asker: Asker, asked: Decision, key: Once) -> Stored:
    """Whoever decides must be shown the score by records itself."""
    access.check_clinician(asker.caller, "u")
    now = clock.now()
    worklist.check(asked, now.date())
    if not await listing.is_visible(engine, asker, asked.assessment):
        raise NoLine(place="assessment")
    method = ""

    async def act(tx: Transaction) -> tuple[int, object]:
        nonlocal method
        await _decide(tx, asker, asked, worklist.at_rest_until(asked, now))
        words = (asked.reason, asked.outcome)
        method = await rows.remember(tx, asked.assessment, asked.decision, asker.name, words)
        return 200, {"assessment": str(asked.assessment), "state": asked.decision}

    stored = await engine.carried(key, act)
    if method:
        engine.meters.decided(method, asked.decision)
    return stored


async def _decide(tx: Transaction, asker: Asker, asked: Decision, until: Any) -> None:
    if asked.decision == "reopened":
        if not await rows.reopen(tx, asked.assessment):
            raise NoLine(place="assessment")
        return
    times, words = (asked.due, until), (asked.reason, asked.outcome)
    if not await rows.decide(tx, asked.assessment, asked.decision, asker.name, times, words):
        raise NoLongerTrue(place="assessment")


async def history(engine: Engine, asker: Asker, assessment: UUID) -> dict[str, Any]:
    """Who decided what about a line, from the first on."""
    access.check_clinician(asker.caller)
    if not await listing.is_visible(engine, asker, assessment):
        raise NoLine(place="assessment")
    found = await rows.events_of(engine.database, [assessment])
    return {"events": [dict(row) for row in found]}


async def outcomes(engine: Engine, asker: Asker, days: int) -> dict[str, Any]:
    """What was decided and shown in these days, counted; groups under 11 are not told."""
    if asker.caller.role != "clinician":
        access.check_operator(asker.caller)
    if not 1 <= days <= engine.settings.keep_days:
        raise Invalid(f"1 to {engine.settings.keep_days}.", place="days")
    since = clock.now() - timedelta(days=days)
    decided = await rows.outcomes(engine.database, since)
    shown = await exposures.counts(engine.database, since)
    return {
        "days": days,
        "decided": [_large_enough(dict(row), "count") for row in decided],
        "shown": [_large_enough(dict(row), "people") for row in shown],
    }


def _large_enough(row: dict[str, Any], size: str) -> dict[str, Any]:
    """Counts of a group that is too small are left out, and it is said that they are."""
    if row[size] >= GROUP_MIN:
        return row
    numbers = ("count", "people", "viewers")
    return {n: v for n, v in row.items() if n not in numbers} | {"fewer_than": GROUP_MIN}


async def hold_outs(engine: Engine, asker: Asker) -> dict[str, Any]:
    access.check_operator(asker.caller)
    found = await exposures.hold_outs(engine.database)
    percent = found[0]["percent"] if found else 0
    return {"percent": percent, "changes": [dict(row) for row in found]}


async def set_hold_out(engine: Engine, asker: Asker, asked: HoldOut, key: Once) -> Stored:
    """Growing the group only adds people; what is critical is shown to everybody."""
    access.check_operator(asker.caller, "u")
    if not 0 <= asked.percent <= PERCENT_MAX:
        raise Invalid(f"0 to {PERCENT_MAX} of 100.", place="percent")
    if not 3 <= len(asked.reason) <= 500:
        raise Invalid("A sentence that says why.", place="reason")

    async def act(tx: Transaction) -> tuple[int, object]:
        await exposures.set_hold_out(tx, asked.percent, asker.name, asked.reason)
        return 200, {"percent": asked.percent}

    return await engine.carried(key, act)

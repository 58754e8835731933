"""What is shown beside a rollout: both sides' counts, what it waits for, who still uses what."""

from datetime import datetime
from typing import Any

import msgspec

from polyclinic.foundation.service import Running
from polyclinic.services.migration.actions import gating, rolling
from polyclinic.services.migration.domain.burn import events_needed, usual_rate
from polyclinic.services.migration.domain.ladder import next_percent, reasons_to_wait
from polyclinic.services.migration.store import counts, rollouts, rules
from polyclinic.services.migration.store.rules import Kept


def shown(kept: Kept) -> dict[str, Any]:
    """A rule without the keyed names of who opted in."""
    rule = msgspec.to_builtins(kept.rule)
    rule["members"] = len(kept.rule.members)
    return {
        **rule,
        "author": kept.author,
        "reason": kept.reason,
        "made": kept.made,
        "since": kept.since,
    }


async def overview(running: Running) -> list[dict[str, Any]]:
    return [shown(kept) for kept in await rules.current(running.database)]


async def numbers(running: Running, capability: str, now: datetime) -> dict[str, Any]:
    """Since the step began; `waits_for` says in sentences why the next step is not due."""
    kept, where = await rolling.standing(running.database, capability, now)
    sides = await counts.totals(running.database, capability, kept.since)
    legacy = sides.get("legacy", counts.Counted())
    budget = kept.rule.slo.unavailable
    usual = usual_rate((legacy.failed, legacy.requests), budget)
    gates = await gating.open_gates(running.database, capability, gating.side_of(kept.rule.mode))
    said = await rollouts.feedback(running.database, capability)
    return {
        "capability": capability,
        "mode": kept.rule.mode,
        "percent": kept.rule.percent,
        "since": kept.since,
        "sides": {side: counted._asdict() for side, counted in sides.items()},
        "events_needed": events_needed(usual, budget),
        "open_differences": where.open_differences,
        "next_percent": next_percent(kept.rule.ladder, kept.rule.percent),
        "waits_for": [
            *reasons_to_wait(kept.rule.ladder, where, now),
            *(gate.sentence for gate in gates),
        ],
        "gates": [gate._asdict() for gate in gates],
        "feedback": [dict(row) for row in said],
        "burn_down": await burn_down(running, capability, now),
    }


async def burn_down(running: Running, capability: str, now: datetime) -> dict[str, Any]:
    """How far the old side is from being left: used within 30 days, and by day for 90."""
    uses = await counts.uses(running.database, capability, now)
    days = await counts.burn_down(running.database, capability, now)
    return {
        "used": [dict(row) for row in uses],
        "days": [{"day": row["day"], "count": row["count"]} for row in days],
        "may_retire": not uses,
    }

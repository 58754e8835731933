"""Rollouts: each move is a new version of the rule and a decision, felt everywhere in seconds."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from polyclinic.foundation import ids, telemetry
from polyclinic.foundation.database import Database, Transaction
from polyclinic.foundation.errors import NotFound
from polyclinic.foundation.service import Running
from polyclinic.services.migration.actions.deciding import decide
from polyclinic.services.migration.actions.gating import open_gates
from polyclinic.services.migration.domain import burn, moving
from polyclinic.services.migration.domain.diffing.rules import Difference
from polyclinic.services.migration.domain.ladder import Standing, next_percent, reasons_to_wait
from polyclinic.services.migration.domain.routing import Match, RouteRule
from polyclinic.services.migration.store import counts, differences, rollouts, rules
from polyclinic.services.migration.store.rules import Kept

ITSELF = "migration"
LOOK_BACK = timedelta(hours=6)


class Unknown(NotFound):
    """No rule says anything of this capability."""


Change = Callable[[RouteRule], RouteRule]


async def change(
    tx: Transaction, capability: str, act: Change, why: tuple[str, str], now: datetime
) -> RouteRule:
    """The next version of a rule, kept with the decision; `why` is who and the reason."""
    kept = await rules.lock(tx, capability)
    before = kept.rule if kept else RouteRule(capability=capability, routes=())
    after = msgspec.structs.replace(act(before), version=before.version + 1)
    since = kept.since if kept and _same_place(before, after) else now
    await rules.add(tx, Kept(after, why[0], why[1], now, since))
    value = {name: getattr(after, name) for name in ("version", "mode", "percent", "held", "epoch")}
    await decide(tx, why[0], "rollout", capability, value, why[1])
    return after


def _same_place(one: RouteRule, other: RouteRule) -> bool:
    return (one.mode, one.percent, one.epoch) == (other.mode, other.percent, other.epoch)


async def standing(
    where: Database | Transaction, capability: str, now: datetime
) -> tuple[Kept, Standing]:
    """Where a rollout stands; raises Unknown."""
    found = await rules.versions(where, capability, 1)
    if not found:
        raise Unknown(place="capability")
    kept = found[0]
    seen = await counts.totals(where, capability, kept.since)
    mine = seen.get("candidate", counts.Counted())
    sample = mine.compared if kept.rule.mode == "shadow" else mine.requests
    left = await differences.open_count(where, capability, kept.since, now)
    return kept, Standing(kept.rule.percent, kept.since, sample, kept.rule.held, left)


def because_of(match: Match, found: Sequence[Difference]) -> dict[str, Any]:
    """Evidence without a value: where the two sides differ, and how seriously."""
    places = sorted({(d.path, d.kind, d.severity) for d in found})
    shown = [{"path": p, "kind": k, "severity": s} for p, k, s in places]
    return {"signal": "difference", "route": match.route.name, "differences": shown}


async def send_back(
    running: Running, rule: RouteRule, evidence: dict[str, Any], now: datetime
) -> bool:
    """Everybody back to the old side at once; False when somebody was quicker."""
    return await _stop(running, rule, ("sent back", evidence), now)


async def hold_back(
    running: Running, rule: RouteRule, evidence: dict[str, Any], now: datetime
) -> bool:
    """Nobody more on the new side until a person has looked."""
    return await _stop(running, rule, ("held", evidence), now)


async def _stop(
    running: Running, seen: RouteRule, what: tuple[str, dict[str, Any]], now: datetime
) -> bool:
    kind, evidence = what
    async with running.database.transaction() as tx:
        kept = await rules.lock(tx, seen.capability)
        if kept is None or kept.rule.epoch != seen.epoch or kept.rule.mode != "canary":
            return False
        if kind == "held" and kept.rule.held:
            return False

        def act(rule: RouteRule) -> RouteRule:
            if kind == "held":
                return msgspec.structs.replace(rule, held=True)
            return moving.back(rule, "shadow", held=True)

        encoded = msgspec.json.encode(evidence)
        await rollouts.add_incident(tx, ids.new_uuid(), kind, now, kept.rule, encoded)
        reason = f"The rollout was {kind}: {evidence['signal']}."
        await change(tx, seen.capability, act, (ITSELF, reason), now)
    telemetry.log("rollout stopped", service=ITSELF, kind=kind, reason=str(evidence["signal"]))
    return True


async def watch(running: Running, now: datetime) -> None:
    """Looks at every canary: what burns its budget goes back, what is due and automatic goes on."""
    for kept in await rules.current(running.database):
        if kept.rule.mode == "canary":
            await _watch(running, kept, now)


async def _watch(running: Running, kept: Kept, now: datetime) -> None:
    rule = kept.rule
    tallies = await counts.tallies(running.database, rule.capability, now - LOOK_BACK)
    # What the new side did on an earlier step or before an earlier rollback is not held against it.
    first = kept.since - timedelta(seconds=counts.SLOT_SECONDS)
    seen = [t for t in tallies if t.side == "legacy" or t.at > first]
    trip = burn.tripped(rule.slo, seen, now)
    if trip is not None:
        await send_back(running, rule, trip._asdict(), now)
    elif rule.automatic and next_percent(rule.ladder, rule.percent) is not None:
        await _climb(running, rule, now)


async def _climb(running: Running, rule: RouteRule, now: datetime) -> None:
    _, here = await standing(running.database, rule.capability, now)
    if reasons_to_wait(rule.ladder, here, now):
        return
    if await open_gates(running.database, rule.capability, "entry"):
        return
    async with running.database.transaction() as tx:
        kept = await rules.lock(tx, rule.capability)
        if kept is None or kept.rule.version != rule.version:
            return

        def act(at: RouteRule) -> RouteRule:
            return moving.stepped(at, None, here, now)

        reason = "The step had its time and its sample."
        await change(tx, rule.capability, act, (ITSELF, reason), now)

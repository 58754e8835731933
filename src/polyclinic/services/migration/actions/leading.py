"""What an administrator does with a rollout: declare, move, step, hold, kill, opt in."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from polyclinic.foundation.caller import Caller
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.service import Running
from polyclinic.services.migration.actions import gating, rolling
from polyclinic.services.migration.actions.plane import keyed_name
from polyclinic.services.migration.domain import moving
from polyclinic.services.migration.domain.burn import Slo
from polyclinic.services.migration.domain.ladder import LADDER, Step
from polyclinic.services.migration.domain.routing import MODES, Mode, Route, RouteRule, Table, Unit
from polyclinic.services.migration.store import counts, rules


class Declared(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be said of a capability without moving it."""

    routes: tuple[Route, ...]
    reason: str
    unit: Unit = "patient"
    writer: Literal["legacy", "side"] = "legacy"
    who: tuple[str, ...] = ()
    visit: tuple[str, ...] = ()
    shadow_percent: int = 100
    automatic: bool = False
    ladder: tuple[Step, ...] = LADDER
    slo: Slo = Slo()
    moved_to: str = ""


async def declare(
    running: Running, caller: Caller, capability: str, said: Declared, now: datetime
) -> RouteRule:
    """Says which requests are a capability's and how they are compared; it stays where it is."""
    fields = {name: getattr(said, name) for name in said.__struct_fields__ if name != "reason"}
    rule = RouteRule(capability=capability, **fields)
    if any(route.candidate.own and not route.candidate.guard for route in said.routes):
        raise Invalid("A route that asks in our own name needs a guard.", place="routes")
    reading = {route.name for route in said.routes if not route.changes}
    if any(route.kept and route.kept.read not in reading for route in said.routes):
        raise Invalid(
            "What shows a change is read at a route of the same capability.", place="routes"
        )
    try:
        Table([rule])
    except Exception as wrong:
        raise Invalid("A route's path cannot be read.", place="routes") from wrong

    def act(before: RouteRule) -> RouteRule:
        if before.mode == "canary" and before.unit != said.unit:
            raise moving.NoSuchMove("A canary keeps its unit: patients would be dealt anew.")
        return msgspec.structs.replace(before, **fields)

    async with running.database.transaction() as tx:
        return await rolling.change(tx, capability, act, (caller.subject, said.reason), now)


async def move(
    tx: Transaction, why: tuple[str, str], at: tuple[str, Mode], now: datetime, override: str = ""
) -> RouteRule:
    """To another mode; what goes forward must be due, and what is retired must be out of use.

    Towards patients and into retirement also the plan's gates must be passed, or overridden.
    """
    capability, mode = at
    kept, where = await rolling.standing(tx, capability, now)
    if MODES.index(mode) > MODES.index(kept.rule.mode):
        await gating.ask_gates(tx, capability, gating.side_of(kept.rule.mode), why, override)
    if mode == "retired":
        used = await counts.uses(tx, capability, now)
        if used:
            names = ", ".join(f"{row['kind']} {row['name']} ({row['last']})" for row in used[:5])
            raise moving.StillUsed(f"{moving.StillUsed.__doc__} Last: {names}.", place="mode")

    def act(rule: RouteRule) -> RouteRule:
        return moving.moved(rule, mode, where, now)

    return await rolling.change(tx, capability, act, why, now)


async def step(
    tx: Transaction,
    why: tuple[str, str],
    at: tuple[str, int | None],
    now: datetime,
    override: str = "",
) -> RouteRule:
    """Up when it is due and the plan's gates are passed, or overridden; down at any time."""
    capability, percent = at
    kept, where = await rolling.standing(tx, capability, now)
    if percent is None or percent > kept.rule.percent:
        await gating.ask_gates(tx, capability, gating.side_of(kept.rule.mode), why, override)

    def act(rule: RouteRule) -> RouteRule:
        return moving.stepped(rule, percent, where, now)

    return await rolling.change(tx, capability, act, why, now)


async def hold(
    tx: Transaction, why: tuple[str, str], at: tuple[str, bool], now: datetime
) -> RouteRule:
    def act(rule: RouteRule) -> RouteRule:
        if not rule.version:
            raise rolling.Unknown(place="capability")
        return msgspec.structs.replace(rule, held=at[1])

    return await rolling.change(tx, at[0], act, why, now)


async def kill(
    tx: Transaction, why: tuple[str, str], capability: str | None, now: datetime
) -> list[dict[str, Any]]:
    """Everything, or one capability, back to the old side; a retired one has no old side."""
    found = await rules.current(tx)
    names = [k.rule.capability for k in found if capability in (None, k.rule.capability)]
    if capability is not None and not names:
        raise rolling.Unknown(place="capability")

    def act(rule: RouteRule) -> RouteRule:
        return rule if rule.mode == "retired" else moving.back(rule, "off", held=True)

    killed = [await rolling.change(tx, name, act, why, now) for name in sorted(names)]
    return [{"capability": r.capability, "version": r.version, "mode": r.mode} for r in killed]


async def member(
    running: Running, tx: Transaction, capability: str, asked: tuple[str, bool]
) -> str:
    """The keyed name of somebody (and whether it is a unit); the plain one is kept nowhere."""
    kept = await rules.versions(tx, capability, 1)
    if not kept:
        raise rolling.Unknown(place="capability")
    who, is_unit = asked
    return keyed_name(running, "unit", kept[0].rule.unit if is_unit else "who", who).hex()


async def opt_in(
    tx: Transaction, why: tuple[str, str], at: tuple[str, str, bool], now: datetime
) -> RouteRule:
    """Takes somebody's keyed name into those who go first, or out of them."""
    capability, name, is_in = at

    def act(rule: RouteRule) -> RouteRule:
        if not rule.version:
            raise rolling.Unknown(place="capability")
        members = {*rule.members, name} if is_in else set(rule.members) - {name}
        return msgspec.structs.replace(rule, members=tuple(sorted(members)))

    return await rolling.change(tx, capability, act, why, now)

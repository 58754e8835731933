"""Which side a request goes to: by rule, by what its visit was promised, by its key."""

from dataclasses import dataclass

from polyclinic.foundation import telemetry
from polyclinic.foundation.errors import Problem
from polyclinic.services.migration.actions.plane import Plane
from polyclinic.services.migration.domain.routing import (
    Asked,
    Asker,
    Match,
    RouteRule,
    Side,
    bucket,
    choose,
    find,
    writer,
)
from polyclinic.services.migration.store import rules

_PROMISING = ("shadow", "canary")


@dataclass(frozen=True, slots=True)
class Chosen:
    """Where a request goes; `key` is set while a change's Idempotency-Key is bound to that side.

    `repeated`: that key came before.
    """

    side: Side
    unit: bytes | None = None
    key: bytes | None = None
    repeated: bool = False


async def choose_side(plane: Plane, match: Match, asked: Asked) -> Chosen:
    """The side, the same for the whole of a visit; a repeated change goes where it went first."""
    rule, route = match.rule, match.route
    # What was never anywhere else asks nothing of our database.
    if rule.mode == "off" and not (route.changes and rule.epoch):
        return Chosen("legacy")
    text = find(route.unit, asked)
    unit = plane.name("unit", rule.unit, text) if text else None
    side = await _side(plane, match, asked, unit)
    if not route.changes:
        return Chosen(side, unit)
    side = writer(rule, side)
    key = asked.headers.get("idempotency-key")
    if not key:
        return Chosen(side, unit)
    name = plane.name("key", asked.headers.get("authorization", ""), rule.capability, key)
    try:
        first, repeated = await rules.sent(plane.running.database, name, side)
        return Chosen(first, unit, name, repeated)
    except Problem:
        telemetry.log("key not kept", service="migration")
        return Chosen(side, unit)


async def _side(plane: Plane, match: Match, asked: Asked, unit: bytes | None) -> Side:
    rule = match.rule
    place = bucket(plane.running.vault.secret("gateway bucket"), rule.salt, unit) if unit else None
    asker = Asker(place, _opted_in(plane, rule, asked, unit))
    side = choose(rule, asker)
    if unit is None or rule.mode not in _PROMISING:
        return side
    visit = plane.name(
        "visit", rule.capability, str(rule.epoch), unit.hex(), find(rule.visit, asked) or ""
    )
    promise = rules.Promise(visit, unit, side, match.route.changes)
    return choose(rule, asker._replace(promised=await _promised(plane, promise)))


async def _promised(plane: Plane, promise: rules.Promise) -> Side:
    known = plane.recall(promise.visit)
    if known is not None and not promise.wrote:
        return known
    try:
        side = await plane.promises.ask(promise)
    except Problem:
        # Nobody can change a rule while the database is down, so the hash alone stays the same.
        return known or promise.side
    plane.remember(promise.visit, side)
    return side


def _opted_in(plane: Plane, rule: RouteRule, asked: Asked, unit: bytes | None) -> bool:
    if not rule.members:
        return False
    who = find(rule.who, asked)
    names = [plane.name("unit", "who", who).hex()] if who else []
    return not {*names, *([unit.hex()] if unit else [])}.isdisjoint(rule.members)


async def never_sent(plane: Plane, chosen: Chosen) -> None:
    """The side was not reached at all: the key is free to go elsewhere."""
    if chosen.key is not None:
        try:
            await rules.never_sent(plane.running.database, chosen.key)
        except Problem:
            telemetry.log("key not freed", service="migration")

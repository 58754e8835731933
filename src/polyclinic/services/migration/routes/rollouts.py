"""Rollouts: the rules in force, their moves, the kill switch, and the numbers beside them."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import clock, http
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.once import Once, Stored, carried
from polyclinic.services.migration.actions import leading, numbers
from polyclinic.services.migration.actions.leading import Declared
from polyclinic.services.migration.actions.state import Passage
from polyclinic.services.migration.domain.routing import Mode, RouteRule
from polyclinic.services.migration.routes.answers import administrator, once, passage_of
from polyclinic.services.migration.store import counts, rollouts, rules


class MoveAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another mode, and why; `override` says why gates of the plan may be open all the same."""

    mode: Mode
    reason: str
    override: str = ""


class StepAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The next step, or a lower percentage; `override` as above."""

    reason: str
    percent: int | None = None
    override: str = ""


class ReasonAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing but why."""

    reason: str


class KillAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One capability, or all of them."""

    reason: str
    capability: str | None = None


class MemberAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody as the rule's `who` (or, for a unit, its `unit`) will find them."""

    reason: str
    who: str
    is_unit: bool = False
    leaves: bool = False


class UseAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A feed or a credential of the old side that was used today."""

    kind: Literal["feed", "credential"]
    name: str
    count: int = 1


Act = Callable[[Transaction, tuple[str, str], datetime], Awaitable[object]]


async def _done(passage: Passage, caller: Caller, reason: str, key: Once, act: Act) -> Stored:
    async def whole(tx: Transaction) -> tuple[int, object]:
        made = await act(tx, (caller.subject, reason), clock.now())
        return 200, _said(made) if isinstance(made, RouteRule) else made

    return await carried(passage.database, key, whole)


def _said(rule: RouteRule) -> dict[str, object]:
    names = ("capability", "version", "mode", "percent", "held", "epoch")
    return {name: getattr(rule, name) for name in names}


def _capability(request: Request) -> str:
    return request.path_params["capability"]


async def get_rules(request: Request) -> Response:
    await administrator(request, "r")
    return http.json({"routes": await numbers.overview(passage_of(request).running)})


async def get_rule(request: Request) -> Response:
    """The rule in force and the numbers since its step began."""
    await administrator(request, "r")
    running = passage_of(request).running
    shown = await numbers.numbers(running, _capability(request), clock.now())
    kept = await rules.versions(running.database, _capability(request), 1)
    return http.json({"rule": numbers.shown(kept[0]), "numbers": shown})


async def get_versions(request: Request) -> Response:
    await administrator(request, "r")
    found = await rules.versions(passage_of(request).database, _capability(request), 200)
    return http.json({"versions": [numbers.shown(kept) for kept in found]})


async def put_rule(request: Request) -> Response:
    """Declares routes and comparisons; a new capability begins as off."""
    caller = await administrator(request, "u")
    said = await http.read(request, Declared)
    running = passage_of(request).running
    made = await leading.declare(running, caller, _capability(request), said, clock.now())
    return http.json(_said(made))


async def post_mode(request: Request) -> Response:
    async def act(passage: Passage, caller: Caller, asked: MoveAsk, key: Once) -> Stored:
        async def move(tx: Transaction, why: tuple[str, str], now: datetime) -> RouteRule:
            at = (_capability(request), asked.mode)
            return await leading.move(tx, why, at, now, asked.override)

        return await _done(passage, caller, asked.reason, key, move)

    return await once(request, MoveAsk, act)


async def post_step(request: Request) -> Response:
    async def act(passage: Passage, caller: Caller, asked: StepAsk, key: Once) -> Stored:
        async def step(tx: Transaction, why: tuple[str, str], now: datetime) -> RouteRule:
            at = (_capability(request), asked.percent)
            return await leading.step(tx, why, at, now, asked.override)

        return await _done(passage, caller, asked.reason, key, step)

    return await once(request, StepAsk, act)


async def _hold(request: Request, *, held: bool) -> Response:
    async def act(passage: Passage, caller: Caller, asked: ReasonAsk, key: Once) -> Stored:
        async def hold(tx: Transaction, why: tuple[str, str], now: datetime) -> RouteRule:
            return await leading.hold(tx, why, (_capability(request), held), now)

        return await _done(passage, caller, asked.reason, key, hold)

    return await once(request, ReasonAsk, act)


async def post_hold(request: Request) -> Response:
    return await _hold(request, held=True)


async def post_release(request: Request) -> Response:
    return await _hold(request, held=False)


async def post_kill(request: Request) -> Response:
    """All replicas answer from the old side within five seconds."""

    async def act(passage: Passage, caller: Caller, asked: KillAsk, key: Once) -> Stored:
        async def kill(tx: Transaction, why: tuple[str, str], now: datetime) -> object:
            return {"killed": await leading.kill(tx, why, asked.capability, now)}

        return await _done(passage, caller, asked.reason, key, kill)

    return await once(request, KillAsk, act)


async def post_member(request: Request) -> Response:
    async def act(passage: Passage, caller: Caller, asked: MemberAsk, key: Once) -> Stored:
        async def opt_in(tx: Transaction, why: tuple[str, str], now: datetime) -> RouteRule:
            said = (asked.who, asked.is_unit)
            name = await leading.member(passage.running, tx, _capability(request), said)
            at = (_capability(request), name, not asked.leaves)
            return await leading.opt_in(tx, why, at, now)

        return await _done(passage, caller, asked.reason, key, opt_in)

    return await once(request, MemberAsk, act)


async def post_use(request: Request) -> Response:
    """Feeds and credentials do not pass the gateway: whoever sees their use says so here."""
    await administrator(request, "u")
    asked = await http.read(request, UseAsk)
    used = {(_capability(request), asked.kind, asked.name): max(asked.count, 1)}
    await counts.add_uses(passage_of(request).database, clock.now(), used)
    return Response(status_code=204)


async def get_incidents(request: Request) -> Response:
    await administrator(request, "r")
    asked = request.query_params.get("capability")
    found = await rollouts.incidents(passage_of(request).database, asked)
    shown = [{**dict(row), "evidence": msgspec.Raw(row["evidence"])} for row in found]
    return http.json({"incidents": shown})


_ONE = "/migration/routes/{capability}"
rollout_routes = (
    Route("/migration/routes", get_rules),
    Route(_ONE, get_rule),
    Route(_ONE, put_rule, methods=["PUT"]),
    Route(f"{_ONE}/versions", get_versions),
    Route(f"{_ONE}/mode", post_mode, methods=["POST"]),
    Route(f"{_ONE}/step", post_step, methods=["POST"]),
    Route(f"{_ONE}/hold", post_hold, methods=["POST"]),
    Route(f"{_ONE}/release", post_release, methods=["POST"]),
    Route(f"{_ONE}/members", post_member, methods=["POST"]),
    Route(f"{_ONE}/uses", post_use, methods=["POST"]),
    Route("/migration/kill", post_kill, methods=["POST"]),
    Route("/migration/incidents", get_incidents),
)

"""Webhooks at /integration/webhooks: for administrators and operators."""

import uuid
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import http
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.errors import Forbidden, Invalid
from polyclinic.foundation.once import door
from polyclinic.services.integration.actions import webhooks
from polyclinic.services.integration.routes.answers import engine_of

T = TypeVar("T")
OPERATOR_SCOPE = "system/*.cruds"
_BODY_MAX = 64 * 1024


class NotAdministrator(Forbidden):
    """Who is told of events is for administrators and operators to decide."""


async def administrator(request: Request) -> Caller:
    """The caller; raises NotAdministrator for everybody else."""
    caller = await http.caller(request)
    operates = caller.role == "system" and OPERATOR_SCOPE in caller.scopes
    if caller.role != "administrator" and not operates:
        raise NotAdministrator
    return caller


async def post_webhook(request: Request) -> Response:
    caller = await administrator(request)
    asked = await _read(request, webhooks.NewWebhook)
    return http.json(await webhooks.create(engine_of(request), caller, asked), 201)


async def get_webhooks(request: Request) -> Response:
    await administrator(request)
    return http.json({"webhooks": await webhooks.listed(engine_of(request))})


async def get_webhook(request: Request) -> Response:
    await administrator(request)
    return http.json(await webhooks.shown(engine_of(request), an_id(request)))


async def delete_webhook(request: Request) -> Response:
    await administrator(request)
    await webhooks.remove(engine_of(request), an_id(request))
    return Response(status_code=204)


async def post_ping(request: Request) -> Response:
    await administrator(request)
    return http.json(await webhooks.ping(engine_of(request), an_id(request)), 202)


async def post_rotate(request: Request) -> Response:
    await administrator(request)
    asked = await _read(request, webhooks.Rotation)
    return http.json(await webhooks.rotate(engine_of(request), an_id(request), asked))


async def post_disable(request: Request) -> Response:
    await administrator(request)
    return http.json(await webhooks.disable(engine_of(request), an_id(request)))


async def post_enable(request: Request) -> Response:
    await administrator(request)
    return http.json(await webhooks.enable(engine_of(request), an_id(request)))


async def get_deliveries(request: Request) -> Response:
    await administrator(request)
    before, limit = _number(request, "before", 0), _number(request, "limit", 50)
    state = request.query_params.get("state", "")
    return http.json(await webhooks.log(engine_of(request), an_id(request), state, before, limit))


async def post_replay(request: Request) -> Response:
    await administrator(request)
    asked = await _read(request, webhooks.Replay)
    return http.json(await webhooks.replay(engine_of(request), an_id(request), asked))


async def post_replay_one(request: Request) -> Response:
    await administrator(request)
    delivery = an_id(request, "delivery")
    return http.json(await webhooks.replay_one(engine_of(request), an_id(request), delivery))


async def _read(request: Request, kind: type[T]) -> T:
    """A body whose parts all have a default may be left out."""
    return door.read(await http.body(request, _BODY_MAX), kind)


def an_id(request: Request, name: str = "webhook") -> uuid.UUID:
    try:
        return uuid.UUID(request.path_params[name])
    except ValueError as bad:
        raise Invalid(f"The id of a {name} is a UUID.", place=name) from bad


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Invalid(f"{name} is a number.", place=name)
    return int(text)


def common_routes(one: str) -> tuple[Route, ...]:
    """What can be done with any receiver."""
    return (
        Route(one, delete_webhook, methods=["DELETE"]),
        Route(f"{one}/disable", post_disable, methods=["POST"]),
        Route(f"{one}/enable", post_enable, methods=["POST"]),
        Route(f"{one}/deliveries", get_deliveries),
        Route(f"{one}/deliveries/replay", post_replay, methods=["POST"]),
        Route(f"{one}/deliveries/{{delivery}}/replay", post_replay_one, methods=["POST"]),
    )


_BASE = "/integration/webhooks"
_ONE = f"{_BASE}/{{webhook}}"
webhook_routes = (
    Route(_BASE, post_webhook, methods=["POST"]),
    Route(_BASE, get_webhooks),
    Route(_ONE, get_webhook),
    Route(f"{_ONE}/ping", post_ping, methods=["POST"]),
    Route(f"{_ONE}/rotate", post_rotate, methods=["POST"]),
    *common_routes(_ONE),
)

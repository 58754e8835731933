"""Channels: deployed from YAML, opened and closed, looked at; and what is wrong with them."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import http
from polyclinic.foundation.once import Nothing, Once, Stored, once_of
from polyclinic.services.integration.actions import channels, watching
from polyclinic.services.integration.actions.channels import Switch
from polyclinic.services.integration.actions.state import Asker, Engine
from polyclinic.services.integration.domain.channels import YAML_MAX
from polyclinic.services.integration.routes.answers import (
    asker_of,
    engine_of,
    number,
    once,
    query,
    uuid_of,
)

YAML = "application/yaml"


async def post_channel(request: Request) -> Response:
    """The body is the YAML. 201 with the new version, 200 where that text is at work already."""
    engine, asker = engine_of(request), await asker_of(request)
    text = await http.body(request, YAML_MAX)
    key = once_of(asker.caller, request.headers.get("idempotency-key"), "POST channel", text)
    stored = await channels.deploy(engine, asker, text, key)
    return Response(stored.body, stored.status, media_type="application/json")


async def post_check(request: Request) -> Response:
    """Reads a channel and tries its fixtures; deploys nothing."""
    engine, asker = engine_of(request), await asker_of(request)
    text = await http.body(request, YAML_MAX)
    return http.json(await channels.check(engine, asker, text))


async def get_channels(request: Request) -> Response:
    return http.json(await watching.health(engine_of(request), await asker_of(request)))


async def get_channel(request: Request) -> Response:
    """The YAML, of `version` or the one at work."""
    given = query(request, "version")
    version = number(given["version"], "version") if "version" in given else None
    name, asker = request.path_params["channel"], await asker_of(request)
    text = await channels.text_of(engine_of(request), asker, name, version)
    headers = {"cache-control": "private, no-store"}
    return Response(text, headers=headers, media_type=YAML)


async def get_versions(request: Request) -> Response:
    name, asker = request.path_params["channel"], await asker_of(request)
    found: list[dict[str, Any]] = await channels.versions(engine_of(request), asker, name)
    return http.json({"channel": name, "versions": found})


async def post_status(request: Request) -> Response:
    name = request.path_params["channel"]

    async def act(engine: Engine, asker: Asker, asked: Switch, key: Once) -> Stored:
        return await channels.switch(engine, asker, name, asked, key)

    return await once(request, Switch, act)


async def post_alert_end(request: Request) -> Response:
    alert = uuid_of(request, "alert")

    async def act(engine: Engine, asker: Asker, _: Nothing, key: Once) -> Stored:
        return await watching.end_alert(engine, asker, alert, key)

    return await once(request, Nothing, act)


channel_routes = (
    Route("/integration/channels", get_channels, methods=["GET"]),
    Route("/integration/channels", post_channel, methods=["POST"]),
    Route("/integration/channels/check", post_check, methods=["POST"]),
    Route("/integration/channels/{channel}", get_channel, methods=["GET"]),
    Route("/integration/channels/{channel}/versions", get_versions, methods=["GET"]),
    Route("/integration/channels/{channel}/status", post_status, methods=["POST"]),
    Route("/integration/alerts/{alert}/end", post_alert_end, methods=["POST"]),
)

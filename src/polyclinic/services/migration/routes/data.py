"""Data on the move: sources, pairs with their direction, what was put aside, reconciliation."""

from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import http
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.once import Nothing, Once, Stored
from polyclinic.services.migration.actions import data
from polyclinic.services.migration.actions.state import Passage
from polyclinic.services.migration.routes.answers import administrator, once, passage_of


class SourceAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`document` is the YAML of pairs, `url` the old system's database."""

    document: str
    url: str


class DirectionAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which way a pair is moved."""

    direction: Literal["off", "forward", "both"]


async def post_source(request: Request) -> Response:
    async def act(passage: Passage, caller: Caller, asked: SourceAsk, key: Once) -> Stored:
        return await data.set_up(passage, caller, asked.document, asked.url, key)

    return await once(request, SourceAsk, act)


async def get_sources(request: Request) -> Response:
    """The old databases by name."""
    await administrator(request, "r")
    return http.json({"sources": await data.listed(passage_of(request))})


async def get_source(request: Request) -> Response:
    await administrator(request, "r")
    return http.json(await data.shown(passage_of(request), request.path_params["system"]))


async def post_direction(request: Request) -> Response:
    name = f"{request.path_params['system']}/{request.path_params['pair']}"

    async def act(passage: Passage, caller: Caller, asked: DirectionAsk, key: Once) -> Stored:
        return await data.direct(passage, caller, name, asked.direction, key)

    return await once(request, DirectionAsk, act)


async def post_reconciliation(request: Request) -> Response:
    system = request.path_params["system"]

    async def act(passage: Passage, caller: Caller, _: Nothing, __: Once) -> Stored:
        report = await data.reconcile(passage, caller, system)
        return Stored(200, msgspec.json.encode(report))

    return await once(request, Nothing, act)


data_routes = (
    Route("/migration/sources", get_sources, methods=["GET"]),
    Route("/migration/sources", post_source, methods=["POST"]),
    Route("/migration/sources/{system}", get_source),
    Route("/migration/sources/{system}/reconciliations", post_reconciliation, methods=["POST"]),
    Route("/migration/sources/{system}/pairs/{pair}/direction", post_direction, methods=["POST"]),
)

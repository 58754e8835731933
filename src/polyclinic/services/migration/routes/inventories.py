"""Inventories at the door: sources come in as findings, capabilities go out, people correct."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import http
from polyclinic.services.migration.actions import inventorying
from polyclinic.services.migration.domain.capabilities import Capability
from polyclinic.services.migration.domain.inventory.findings import Finding
from polyclinic.services.migration.routes.answers import administrator, passage_of
from polyclinic.services.migration.store.inventories import Inventory, Kept

FINDING_MAX = 16 * 1024 * 1024


class TitleAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What people call the old system."""

    title: str = ""


class MappingAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which service takes a capability over, and why."""

    service: str
    text: str = ""


class MemberAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where an endpoint (`GET /labs/{}`) or a table belongs."""

    member: str
    capability: str
    text: str = ""


async def get_inventories(request: Request) -> Response:
    await administrator(request, "r")
    found = await inventorying.list_all(passage_of(request))
    return http.json({"inventories": [_inventory(each) for each in found]})


async def put_inventory(request: Request) -> Response:
    caller = await administrator(request, "u")
    ask = await http.read(request, TitleAsk)
    name = request.path_params["name"]
    is_new = await inventorying.begin(passage_of(request), caller.subject, name, ask.title)
    return http.json({"name": name}, 201 if is_new else 200)


async def get_inventory(request: Request) -> Response:
    await administrator(request, "r")
    known = await inventorying.known(passage_of(request), request.path_params["name"])
    return http.json(
        {
            **_inventory(known.inventory),
            "sources": [_source(each) for each in known.sources],
            "capabilities": [shown(each) for each in known.capabilities],
        }
    )


async def put_source(request: Request) -> Response:
    """A finding, as `polyclinic migration inventory` reads it beside the old system."""
    caller = await administrator(request, "u")
    finding = await http.read(request, Finding, FINDING_MAX)
    place = (request.path_params["name"], request.path_params["source"])
    await inventorying.take(passage_of(request), caller.subject, place, finding)
    return http.json({"source": place[1]})


async def get_source(request: Request) -> Response:
    """All that a source showed: endpoints, tables, links, lines that could not be read."""
    await administrator(request, "r")
    known = await inventorying.known(passage_of(request), request.path_params["name"])
    for each in known.sources:
        if each.source == request.path_params["source"]:
            return http.json({**_source(each), "finding": each.finding})
    raise inventorying.NotFound("There is no such source.", place="source")


async def put_mapping(request: Request) -> Response:
    caller = await administrator(request, "u")
    ask = await http.read(request, MappingAsk)
    place = (request.path_params["name"], request.path_params["capability"])
    passage = passage_of(request)
    changed = await inventorying.correct(passage, caller.subject, place, ask.service, ask.text)
    return http.json(shown(changed))


async def put_member(request: Request) -> Response:
    caller = await administrator(request, "u")
    ask = await http.read(request, MemberAsk)
    name, passage = request.path_params["name"], passage_of(request)
    await inventorying.move(passage, caller.subject, name, ask.member, ask.capability, ask.text)
    return http.json({"member": ask.member, "capability": ask.capability})


def _inventory(each: Inventory) -> dict[str, Any]:
    return {"name": each.name, "title": each.title, "author": each.author, "made": each.made}


def _source(each: Kept) -> dict[str, Any]:
    finding = each.finding
    return {
        "source": each.source,
        "kind": finding.source,
        "author": each.author,
        "made": each.made,
        "endpoints": len(finding.endpoints),
        "tables": len(finding.tables),
        "links": len(finding.links),
        "read": finding.read,
        "bad": finding.bad,
        "left_out": finding.left_out,
    }


def shown(each: Capability) -> dict[str, Any]:
    value: dict[str, Any] = msgspec.to_builtins(each)
    return {
        **value,
        "requests": each.requests,
        "writes": each.writes,
        "failed": each.failed,
        "p95_ms": each.p95_ms,
        "peak": each.peak(),
        "roles": each.roles(),
    }


_ONE = "/migration/inventories/{name}"
inventory_routes = (
    Route("/migration/inventories", get_inventories),
    Route(_ONE, get_inventory),
    Route(_ONE, put_inventory, methods=["PUT"]),
    Route(f"{_ONE}/sources/{{source}}", get_source),
    Route(f"{_ONE}/sources/{{source}}", put_source, methods=["PUT"]),
    Route(f"{_ONE}/capabilities/{{capability}}", put_mapping, methods=["PUT"]),
    Route(f"{_ONE}/members", put_member, methods=["PUT"]),
)

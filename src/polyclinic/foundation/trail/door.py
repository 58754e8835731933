"""The trails at a service's door: `GET /<service>/trails`, and each one after a place."""

from collections.abc import Awaitable, Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from polyclinic.foundation import http
from polyclinic.foundation.errors import Forbidden, Invalid
from polyclinic.foundation.service import Service, Trail
from polyclinic.foundation.trail import SCOPE
from polyclinic.foundation.trail.reading import Spot, impossible, page

PAGE_MAX = 1000


async def check_reader(request: Request) -> None:
    """Raises Forbidden for whoever may not read trails."""
    if SCOPE not in (await http.caller(request)).scopes:
        raise Forbidden(f"Reading a trail takes the scope {SCOPE}.", place="scope")


async def get_trails(request: Request) -> Response:
    await check_reader(request)
    return http.json({"trails": [each.name for each in http.running(request).service.trails]})


def _door_of(trail: Trail) -> Callable[[Request], Awaitable[Response]]:
    async def get_trail(request: Request) -> Response:
        await check_reader(request)
        running = http.running(request)
        after = Spot.read(request.query_params.get("after", "0.0.0"))
        limit = request.query_params.get("limit", str(PAGE_MAX))
        if not (limit.isascii() and limit.isdigit() and 0 < int(limit) <= PAGE_MAX):
            raise Invalid(f"limit is a number from 1 to {PAGE_MAX}.", place="limit")
        source = f"{running.service.name}.{trail.name}"
        found = await page(running.database, source, trail, after, int(limit))
        rows = [msgspec.Raw(row) for row in found.rows]
        value = {"source": source, "last": str(found.last), "more": found.more, "rows": rows}
        return http.json(value, headers={"cache-control": "no-store"})

    return get_trail


def _impossible_of(trail: Trail) -> Callable[[Request], Awaitable[Response]]:
    async def get_impossible(request: Request) -> Response:
        await check_reader(request)
        running = http.running(request)
        source = f"{running.service.name}.{trail.name}"
        rows = await impossible(running.database, source, trail)
        return http.json({"source": source, "rows": [msgspec.Raw(row) for row in rows]})

    return get_impossible


def routes(service: Service) -> tuple[BaseRoute, ...]:
    """The doors that a service has because it keeps trails."""
    if not service.trails:
        return ()
    base = f"/{service.name}/trails"
    found = [Route(base, get_trails)]
    for trail in service.trails:
        found.append(Route(f"{base}/{trail.name}", _door_of(trail)))
        found.append(Route(f"{base}/{trail.name}/impossible", _impossible_of(trail)))
    return tuple(found)

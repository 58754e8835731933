"""How the JSON door answers: once for each key, refusals included."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation import http
from polyclinic.foundation.errors import Problem
from polyclinic.foundation.once import (
    KeyReused,
    Once,
    StillRunning,
    Stored,
    TooManyRaces,
    door,
    needed,
    once_of,
)
from polyclinic.services.appointments.actions.shown import opening
from polyclinic.services.appointments.actions.state import Desk, Visitor
from polyclinic.services.appointments.actions.world import World
from polyclinic.services.appointments.domain.problems import PlaceTaken

T = TypeVar("T")
BODY_MAX = 1024 * 1024
# These say something of the moment or of the key, and nothing of the request.
_NOT_KEPT = (KeyReused, StillRunning, TooManyRaces)


def desk_of(request: Request) -> Desk:
    return http.running(request).state


async def visitor_of(request: Request) -> Visitor:
    return Visitor.of(desk_of(request), await http.caller(request))


async def once(
    request: Request, kind: type[T], act: Callable[[Desk, Visitor, T, Once], Awaitable[Stored]]
) -> Response:
    """Carries a POST out once: the same key and body get the same answer, a refusal too."""
    desk, visitor = desk_of(request), await visitor_of(request)
    content = await http.body(request, BODY_MAX)
    what = f"{request.method} {request.url.path}"
    key = needed(once_of(visitor.caller, request.headers.get("idempotency-key"), what, content))
    if key.name in desk.in_flight:
        raise StillRunning
    desk.in_flight.add(key.name)
    visit_type = ""
    try:
        body = door.read(content, kind)
        visit_type = getattr(body, "visit_type", "")
        stored = await act(desk, visitor, body, key)
    except Problem as problem:
        if http.status_of(problem) not in (400, 404, 409, 422) or isinstance(problem, _NOT_KEPT):
            raise
        value = refusal(problem, await desk.world(), visit_type)
        answer = Stored(http.status_of(problem), msgspec.json.encode(value))
        stored = await desk.lanes.refuse.ask((key, answer))
    finally:
        desk.in_flight.discard(key.name)
    return Response(stored.body, stored.status, media_type="application/json")


def refusal(problem: Problem, world: World, visit_type: str) -> dict[str, object]:
    """A refusal as JSON; for a lost place with what is nearest."""
    value = door.refusal(problem)
    if isinstance(problem, PlaceTaken):
        kind = problem.visit_type or visit_type
        value["nearest"] = [opening(world, kind, each) for each in problem.nearest]
    return value

"""A POST that is carried out once: read, acted on, answered; refusals are remembered too."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation import http, telemetry
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.errors import Invalid, Problem
from polyclinic.foundation.once import (
    KeyReused,
    Once,
    StillRunning,
    Stored,
    TooManyRaces,
    checked,
    find,
    needed,
    once_of,
    remember,
)

T = TypeVar("T")
State = TypeVar("State")
Asker = TypeVar("Asker")
BODY_MAX = 1024 * 1024
# These say something of the moment or of the key, and nothing of the request.
_NOT_KEPT = (KeyReused, StillRunning, TooManyRaces)
_KEPT_STATUSES = (400, 404, 409, 422)
_in_flight: set[tuple[str, bytes]] = set()


@dataclass(frozen=True)
class OnceFor(Generic[State, Asker]):
    """Carries a service's POSTs out once: its actions get its state, who asks, the body, the key.

    `asker` says who it is, and raises for those who may not ask at all.
    """

    asker: Callable[[Request], Awaitable[Asker]]

    async def __call__(
        self,
        request: Request,
        kind: type[T],
        act: Callable[[State, Asker, T, Once], Awaitable[Stored]],
    ) -> Response:
        """The same key and body get the same answer, a refusal too."""
        state: State = http.running(request).state
        asker = await self.asker(request)

        async def asked(body: T, key: Once) -> Stored:
            return await act(state, asker, body, key)

        return await carry(request, kind, asked)


async def carry(
    request: Request, kind: type[T], act: Callable[[T, Once], Awaitable[Stored]]
) -> Response:
    """The same key and body get the same answer; `act` keeps its answer with its deed."""
    caller = await http.caller(request)
    asked = (caller, await http.body(request, BODY_MAX))
    return await carry_for(request, asked, kind, act)


async def carry_for(
    request: Request,
    asked: tuple[Caller, bytes],
    kind: type[T],
    act: Callable[[T, Once], Awaitable[Stored]],
) -> Response:
    """The same for somebody whom no token names: who it is, and the body, were read before."""
    running, (caller, content) = http.running(request), asked
    what = f"{request.method} {request.url.path}"
    key = needed(once_of(caller, request.headers.get("idempotency-key"), what, content))
    mine = (running.service.name, key.name)
    if mine in _in_flight:
        raise StillRunning
    _in_flight.add(mine)
    try:
        stored = await act(read(content, kind), key)
    except Problem as problem:
        if http.status_of(problem) not in _KEPT_STATUSES or isinstance(problem, _NOT_KEPT):
            raise
        refused = Stored(http.status_of(problem), msgspec.json.encode(refusal(problem)))
        stored = await _first(request, key, refused)
    finally:
        _in_flight.discard(mine)
    return Response(stored.body, stored.status, media_type="application/json")


async def _first(request: Request, key: Once, refused: Stored) -> Stored:
    """Whoever was first: this refusal, or what another replica answered meanwhile."""
    database = http.database(request)
    if key.name in await remember(database, [(key, refused)]):
        return refused
    return checked(key, (await find(database, [key.name])).get(key.name))


def read(content: bytes, kind: type[T]) -> T:
    """A JSON body as a value; what does not fit is named by its place."""
    try:
        return msgspec.json.decode(content or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as refused:
        text, _, place = str(refused).partition(" - at `")
        where = place.rstrip("`").removeprefix("$").lstrip(".")
        raise Invalid(f"{text}.", place=where or "body") from refused


def refusal(problem: Problem) -> dict[str, object]:
    """A refusal as JSON: the kind, a sentence, and where."""
    value: dict[str, object] = {
        "error": problem.code,
        "kind": type(problem).__name__,
        "error_description": problem.message,
        "place": problem.place,
        "request": telemetry.request_id.get(),
    }
    if [issue.text for issue in problem.issues] != [problem.message]:
        value["issues"] = [{"place": i.place, "text": i.text} for i in problem.issues]
    return value


async def show_problem(_: Request, problem: Problem, status: int) -> Response:
    return http.json(refusal(problem), status, http.headers_of(problem))

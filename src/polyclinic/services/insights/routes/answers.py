"""How insights' doors find the engine, who asks, and answer once for each key."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation import http
from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.once import Once, Stored, door
from polyclinic.services.insights.actions.state import Asker, Engine

T = TypeVar("T")
# What is said of patients stays in no cache.
PRIVATE = {"cache-control": "private, no-store", "x-content-type-options": "nosniff"}


def engine_of(request: Request) -> Engine:
    return http.running(request).state


async def asker_of(request: Request) -> Asker:
    return Asker(await http.caller(request), http.bearer(request))


async def once(
    request: Request, kind: type[T], act: Callable[[Engine, Asker, T, Once], Awaitable[Stored]]
) -> Response:
    """Carries a POST out once: the same key and body get the same answer, a refusal too."""
    engine, asker = engine_of(request), await asker_of(request)

    async def asked(body: T, key: Once) -> Stored:
        return await act(engine, asker, body, key)

    return await door.carry(request, kind, asked)


def query(request: Request, *known: str) -> dict[str, str]:
    """The query's parameters; an unknown one is refused rather than left aside."""
    given = dict(request.query_params)
    for name in given:
        if name not in known:
            raise Invalid("There is no such parameter.", place=name)
    return given

"""How migration's doors find who asks, and answer once for each key."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation import http
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.once import Once, Stored, door
from polyclinic.services.migration.actions.state import Passage
from polyclinic.services.migration.domain import access

T = TypeVar("T")


def passage_of(request: Request) -> Passage:
    return http.running(request).state


async def administrator(request: Request, interaction: str) -> Caller:
    """Who asks, if it is somebody who may."""
    caller = await http.caller(request)
    access.check(caller, interaction)
    return caller


async def once(
    request: Request, kind: type[T], act: Callable[[Passage, Caller, T, Once], Awaitable[Stored]]
) -> Response:
    """Carries a POST out once: the same key and body get the same answer, a refusal too."""
    passage, caller = passage_of(request), await administrator(request, "u")

    async def asked(body: T, key: Once) -> Stored:
        return await act(passage, caller, body, key)

    return await door.carry(request, kind, asked)


def number(request: Request, name: str, default: int, most: int) -> int:
    """A whole number of the query, from 0 to `most`."""
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) <= most):
        raise Invalid(f"A number from 0 to {most}.", place=name)
    return int(text)

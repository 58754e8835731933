"""How the JSON door finds who asks and answers once for each key."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation import http
from polyclinic.foundation.once import Once, Stored, door
from polyclinic.services.billing.actions.state import Asker, Books

T = TypeVar("T")


def books_of(request: Request) -> Books:
    return http.running(request).state


async def asker_of(request: Request) -> Asker:
    return books_of(request).asker(await http.caller(request), http.bearer(request))


async def once(
    request: Request, kind: type[T], act: Callable[[Books, Asker, T, Once], Awaitable[Stored]]
) -> Response:
    """Carries a POST out once: the same key and body get the same answer, a refusal too."""
    books, asker = books_of(request), await asker_of(request)

    async def asked(body: T, key: Once) -> Stored:
        return await act(books, asker, body, key)

    return await door.carry(request, kind, asked)

"""Passing a request on to another server as it came, and its answer back: nothing of it is kept.

A body that breaks off breaks off on the other side too, never looking complete; a person who leaves
is noticed and the request behind is given up.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterable

import httpx

from polyclinic.foundation.http import BODY_MAX, Message, Receive, Send

# RFC 9110 section 7.6.1: these belong to one connection and are not passed on.
_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer "
    b"transfer-encoding upgrade".split()
)
# The next server writes its own.
OWN = frozenset((b"host", b"expect"))
OWN_ANSWER = frozenset((b"date", b"server"))
Headers = Iterable[tuple[bytes, bytes]]


class Gone(Exception):
    """Whoever sent the request has left."""


class TooLong(Exception):
    """The body is longer than any service takes."""


class Upload:
    """The body on its way through, and the news that its sender left."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._ended = asyncio.Event()

    async def parts(self) -> AsyncGenerator[bytes, None]:
        size, more = 0, True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                # An end here would make half a body look whole to the service.
                raise Gone
            more = message.get("more_body", False)
            part: bytes = message.get("body", b"")
            size += len(part)
            if size > BODY_MAX:
                raise TooLong
            if part:
                yield part
        self._ended.set()

    def no_body(self) -> None:
        self._ended.set()

    async def gone(self) -> None:
        """Returns when the sender has left after the body was through."""
        await self._ended.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass


async def asked(
    wire: httpx.AsyncBaseTransport, request: httpx.Request, upload: Upload
) -> httpx.Response:
    """The head of the answer; raises Gone as soon as nobody waits for it any more."""
    asking = asyncio.ensure_future(wire.handle_async_request(request))
    leaving = asyncio.ensure_future(upload.gone())
    try:
        await asyncio.wait((asking, leaving), return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        await _let_go(asking)
        raise
    finally:
        leaving.cancel()
    if asking.done():
        return asking.result()
    await _let_go(asking)
    raise Gone


async def _let_go(asking: "asyncio.Future[httpx.Response]") -> None:
    """Gives a request up; an answer that came in the same moment keeps no connection."""
    asking.cancel()
    with contextlib.suppress(asyncio.CancelledError, httpx.TransportError, Gone, TooLong):
        await (await asking).aclose()


async def pass_back(
    answer: httpx.Response, send: Send, watch: Callable[[bytes], None] | None = None
) -> None:
    """Streams an answer to whoever asked; `watch` sees each part of its body go by."""
    kept = list(passed(answer.headers.raw, OWN_ANSWER))
    await send({"type": "http.response.start", "status": answer.status_code, "headers": kept})
    async for part in answer.aiter_raw():
        if watch is not None:
            watch(part)
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def passed(headers: Headers, own: frozenset[bytes]) -> Headers:
    """All headers but those of this connection, also those that Connection itself names."""
    given = [(key.lower(), value) for key, value in headers]
    named = {
        word.strip().lower()
        for key, value in given
        if key == b"connection"
        for word in value.split(b",")
    }
    return [(k, v) for k, v in given if k not in _HOP and k not in own and k not in named]


def declared_length(scope: Message) -> int:
    """How long a body says it is; what cannot be read is left to the service to refuse."""
    said = next((value for key, value in scope["headers"] if key == b"content-length"), b"0")
    return int(said) if said.isdigit() and len(said) < 20 else 0


def has_body(scope: Message) -> bool:
    return any(key in (b"content-length", b"transfer-encoding") for key, _ in scope["headers"])

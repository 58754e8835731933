"""The streaming proxy: a request goes to another process as it came, and its answer comes back so.

Nothing of a body is kept. A body that breaks off breaks off on the other side too, never looking
complete; a person who leaves is noticed and the request behind is given up.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable

import httpx
from starlette.responses import Response

from polyclinic.assembly import answers
from polyclinic.assembly.hop import HEADER, Hops
from polyclinic.foundation import telemetry
from polyclinic.foundation.http import BODY_MAX, Message, Receive, Send
from polyclinic.foundation.peers import Peers

# RFC 9110 section 7.6.1: these belong to one connection and are not passed on.
_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer "
    b"transfer-encoding upgrade".split()
)
# The next server writes its own.
_OWN = frozenset((b"host", b"expect"))
_OWN_ANSWER = frozenset((b"date", b"server"))
# An import waits for validation, sealing and fsync of up to 32 MB, as the command line does.
TIMEOUTS = {"connect": 2.0, "read": 300.0, "write": 60.0, "pool": 10.0}
Headers = Iterable[tuple[bytes, bytes]]


class _Gone(Exception):
    """Whoever sent the request has left."""


class _TooLong(Exception):
    """The body is longer than any service takes."""


class _Upload:
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
                raise _Gone
            more = message.get("more_body", False)
            part: bytes = message.get("body", b"")
            size += len(part)
            if size > BODY_MAX:
                raise _TooLong
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


async def proxy(
    peers: Peers, hops: Hops, name: str, scope: Message, receive: Receive, send: Send
) -> None:
    """Passes a request to a service elsewhere and streams its answer back."""
    if _declared(scope) > BODY_MAX:
        await _too_long(scope)(scope, receive, send)
        return
    upload = _Upload(receive)
    request = _request(peers.client(name), hops, scope, upload)
    try:
        answer = await _asked(peers.client(name), request, upload)
    except _Gone:
        return
    except _TooLong:
        await _too_long(scope)(scope, receive, send)
        return
    except httpx.ReadTimeout:
        telemetry.log("peer late", kind=name)
        await answers.late(scope, name)(scope, receive, send)
        return
    except httpx.TransportError as broken:
        telemetry.log("peer lost", kind=name, error=type(broken).__name__)
        await answers.lost(scope, name)(scope, receive, send)
        return
    async with contextlib.aclosing(answer):
        await _pass_back(answer, send)


def _request(
    client: httpx.AsyncClient, hops: Hops, scope: Message, upload: _Upload
) -> httpx.Request:
    """Built by hand: the client would add its own Accept-Encoding, User-Agent and cookies."""
    target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    headers = [(k, v) for k, v in _passed(scope["headers"], _OWN) if k != HEADER]
    headers.append((HEADER, hops.write(scope)))
    if not has_body(scope):
        upload.no_body()
    return httpx.Request(
        scope["method"],
        client.base_url,
        headers=headers,
        content=upload.parts() if has_body(scope) else None,
        extensions={"target": target, "timeout": TIMEOUTS},
    )


async def _asked(
    client: httpx.AsyncClient, request: httpx.Request, upload: _Upload
) -> httpx.Response:
    """The head of the answer; raises _Gone as soon as nobody waits for it any more."""
    asking = asyncio.ensure_future(client.send(request, stream=True))
    leaving = asyncio.ensure_future(upload.gone())
    try:
        await asyncio.wait((asking, leaving), return_when=asyncio.FIRST_COMPLETED)
        if asking.done():
            return asking.result()
        raise _Gone
    finally:
        leaving.cancel()
        if not asking.done():
            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError, httpx.TransportError):
                await asking


async def _pass_back(answer: httpx.Response, send: Send) -> None:
    passed = list(_passed(answer.headers.raw, _OWN_ANSWER))
    await send({"type": "http.response.start", "status": answer.status_code, "headers": passed})
    async for part in answer.aiter_raw():
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _passed(headers: Headers, own: frozenset[bytes]) -> Headers:
    """All headers but those of this connection, also those that Connection itself names."""
    given = [(key.lower(), value) for key, value in headers]
    named = {
        word.strip().lower()
        for key, value in given
        if key == b"connection"
        for word in value.split(b",")
    }
    return [(k, v) for k, v in given if k not in _HOP and k not in own and k not in named]


def _too_long(scope: Message) -> Response:
    text = f"The body is larger than {BODY_MAX // 1024} KiB."
    return answers.refused(scope, 413, "too-long", "Too large", text)


def _declared(scope: Message) -> int:
    """How long a body says it is; what cannot be read is left to the service to refuse."""
    said = next((value for key, value in scope["headers"] if key == b"content-length"), b"0")
    return int(said) if said.isdigit() and len(said) < 20 else 0


def has_body(scope: Message) -> bool:
    return any(key in (b"content-length", b"transfer-encoding") for key, _ in scope["headers"])

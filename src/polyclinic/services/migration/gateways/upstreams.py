"""The two sides behind the gateway, asked over HTTP; nobody's cookies are kept between requests."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple

import httpx

from polyclinic.foundation.wire import Wire
from polyclinic.services.migration.domain.routing import Side

# Answers longer than this are passed on, and not compared.
WHOLE_MAX = 256 * 1024
BROKEN = frozenset((500, 502, 503, 504))
CONNECTIONS = 256


class TooMuch(httpx.TransportError):
    """An answer that had to be read whole is too long for it."""


class Question(NamedTuple):
    """A request as one side is to get it; a body that is None is streamed by whoever asks."""

    method: str
    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes | None = b""

    def headers_without_body(self) -> list[tuple[bytes, bytes]]:
        return [(k, v) for k, v in self.headers if not k.startswith(b"content-")]


class Whole(NamedTuple):
    """An answer that was read to its end."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Upstreams:
    """The way to each side."""

    def __init__(self, legacy: str, candidate: str) -> None:
        self._urls: dict[Side, httpx.URL] = {
            "legacy": httpx.URL(legacy.rstrip("/")),
            "candidate": httpx.URL((candidate or legacy).rstrip("/")),
        }
        self._wires: dict[Side, Wire] = {side: Wire(CONNECTIONS) for side in self._urls}

    def wire(self, side: Side) -> Wire:
        return self._wires[side]

    def request(
        self,
        side: Side,
        asked: Question,
        seconds: float,
        stream: AsyncGenerator[bytes, None] | None = None,
    ) -> httpx.Request:
        """Built by hand: a client would add its own Accept-Encoding, User-Agent and cookies."""
        return httpx.Request(
            asked.method,
            self._urls[side],
            headers=asked.headers,
            content=stream if stream is not None else (asked.body or None),
            extensions={
                "target": asked.target,
                "timeout": {"connect": 2.0, "read": seconds, "write": 60.0, "pool": 5.0},
            },
        )

    async def whole(self, side: Side, asked: Question, seconds: float) -> Whole:
        """An answer read to its end; raises httpx.TransportError."""
        answer = await self._wires[side].handle_async_request(self.request(side, asked, seconds))
        async with aclosing(answer):
            return await read_whole(answer)

    async def close(self) -> None:
        for wire in self._wires.values():
            await wire.aclose()


async def read_whole(answer: httpx.Response) -> Whole:
    parts: list[bytes] = []
    size = 0
    async for part in answer.aiter_bytes():
        size += len(part)
        if size > WHOLE_MAX:
            raise TooMuch("The answer is too long to be read whole.")
        parts.append(part)
    return Whole(answer.status_code, list(answer.headers.raw), b"".join(parts))


def plain(answer: Whole) -> Whole:
    """An answer kept as it went by, with the body that its bytes stand for."""
    body = httpx.Response(answer.status, headers=answer.headers, content=answer.body).content
    return answer._replace(body=body)

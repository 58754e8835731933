"""The two sides behind the gateway, asked over HTTP; nobody's cookies are kept between requests."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import NamedTuple

import httpx

from polyclinic.foundation.peers import no_cookies
from polyclinic.services.migration.domain.routing import Side

Headers = Iterable[tuple[bytes, bytes]]
# Answers longer than this are passed on, and not compared.
WHOLE_MAX = 256 * 1024
BROKEN = frozenset((500, 502, 503, 504))
_LIMITS = httpx.Limits(max_connections=256, max_keepalive_connections=64)


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
    """A client for each side."""

    def __init__(self, legacy: str, candidate: str) -> None:
        self._clients: dict[Side, httpx.AsyncClient] = {
            "legacy": _client(legacy),
            "candidate": _client(candidate or legacy),
        }

    def client(self, side: Side) -> httpx.AsyncClient:
        return self._clients[side]

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
            self._clients[side].base_url,
            headers=asked.headers,
            content=stream if stream is not None else (asked.body or None),
            extensions={
                "target": asked.target,
                "timeout": {"connect": 2.0, "read": seconds, "write": 60.0, "pool": 5.0},
            },
        )

    async def whole(self, side: Side, asked: Question, seconds: float) -> Whole:
        """An answer read to its end; raises httpx.TransportError."""
        answer = await self._clients[side].send(self.request(side, asked, seconds), stream=True)
        async with aclosing(answer):
            return await read_whole(answer)

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()


async def read_whole(answer: httpx.Response) -> Whole:
    parts: list[bytes] = []
    size = 0
    async for part in answer.aiter_bytes():
        size += len(part)
        if size > WHOLE_MAX:
            raise TooMuch("The answer is too long to be read whole.")
        parts.append(part)
    return Whole(answer.status_code, list(answer.headers.raw), b"".join(parts))


def decoded(status: int, headers: Headers, raw: bytes) -> bytes:
    """The body that a raw one stands for, whichever way it was compressed."""
    return httpx.Response(status, headers=list(headers), content=raw).content


def _client(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=url.rstrip("/"), limits=_LIMITS, trust_env=False, cookies=no_cookies()
    )

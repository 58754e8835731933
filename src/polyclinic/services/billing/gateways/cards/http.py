"""REST as Stripe shapes it, by our own client: forms out, JSON back, a key on every POST."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import httpx
import msgspec

from polyclinic.foundation.errors import Unavailable
from polyclinic.services.billing.domain.cards import CardsRefused

# Below the age at which an unsettled payment is asked for (30 s): nobody is still waiting then.
SECONDS = 20.0
TIMEOUT = httpx.Timeout(15, connect=3)
# The shape that is read here was published under this date; accounts may default to others.
VERSION = "2024-06-20"
# Too many, somebody else's key in flight, and every fault of theirs: the outcome is unknown.
_PASSING = frozenset({409, 429})


class HttpTransport:
    """One client for one gateway."""

    def __init__(self, url: str, key: str, client: httpx.AsyncClient | None = None) -> None:
        self._client = client or httpx.AsyncClient(timeout=TIMEOUT, trust_env=False)
        self._url = url.rstrip("/")
        self._headers = {"authorization": f"Bearer {key}", "stripe-version": VERSION}

    async def ask(
        self, method: str, path: str, values: Mapping[str, object], key: str | None = None
    ) -> dict[str, object]:
        headers = self._headers | ({"idempotency-key": key} if key else {})
        pairs = list(form(values))
        body: dict[str, Any] = {"params": pairs} if method == "GET" else {"data": dict(pairs)}
        try:
            async with asyncio.timeout(SECONDS):
                answer = await self._client.request(
                    method, self._url + path, headers=headers, **body
                )
        except (httpx.HTTPError, TimeoutError) as lost:
            raise Unavailable("The card gateway does not answer.", place="cards") from lost
        return read(answer.status_code, answer.content)

    async def close(self) -> None:
        await self._client.aclose()


def read(status: int, content: bytes) -> dict[str, object]:
    """The answer's object; raises what the status says."""
    if status >= 500 or status in _PASSING:
        raise Unavailable("The card gateway does not answer.", place="cards")
    try:
        value = msgspec.json.decode(content, type=dict[str, Any])
    except msgspec.DecodeError as broken:
        raise Unavailable("The card gateway's answer cannot be read.", place="cards") from broken
    if status >= 400:
        error: dict[str, Any] = value.get("error") or {}
        raise CardsRefused(plain_code(error.get("code") or error.get("type")))
    return value


def plain_code(given: object) -> str:
    """A gateway's code is kept and shown, so it must be a word and nothing else."""
    text = str(given or "")
    fits = text.isascii() and text.replace("_", "").isalnum() and len(text) <= 64
    return text if fits else "refused"


def form(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested values as `a[b][0]=c`."""
    for name, value in values.items():
        yield from _pairs(f"{prefix}[{name}]" if prefix else name, value)


def _pairs(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        yield from form(cast("Mapping[str, object]", value), name)
    elif isinstance(value, list | tuple):
        for n, each in enumerate(cast("Sequence[object]", value)):
            yield from _pairs(f"{name}[{n}]", each)
    else:
        yield name, str(value)

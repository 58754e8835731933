"""The only way out to other people's addresses: it cannot be talked into calling our own house.

Each attempt reads the URL anew, resolves the name once, refuses it if any of its addresses is not
public, and connects to the very address that was checked, with the name kept for TLS and Host.
No redirects, no proxies of the environment, no cookies, at most 64 KB of an answer, 20 seconds.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

import httpx

from polyclinic.foundation.errors import Unavailable
from polyclinic.services.integration.domain import addresses
from polyclinic.services.integration.domain.addresses import IP, Address, NotCallable

ANSWER_MAX = 64 * 1024
SECONDS = 20.0
_TIMEOUT = httpx.Timeout(15, connect=5)

Resolve = Callable[[str, int], Awaitable[list[IP]]]


class Unreachable(Unavailable):
    """The other side does not answer."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What the other side said; the body only so far as we read it."""

    status: int
    retry_after: str
    body: bytes


async def resolve(host: str, port: int) -> list[IP]:
    """All addresses of a name, as the operating system knows them."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(each[4][0]) for each in found]


class Pinned(httpx.AsyncBaseTransport):
    """Sends each request to an address that was checked just now."""

    def __init__(
        self,
        allowed: frozenset[str],
        names: Resolve = resolve,
        trusted: ssl.SSLContext | None = None,
    ) -> None:
        self._allowed, self._names = allowed, names
        self._trusted = trusted or ssl.create_default_context()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises NotCallable before a byte leaves."""
        address = addresses.read(str(request.extensions["whole_url"]))
        pin = await self.pin(address)
        request.url = httpx.URL(
            scheme=address.scheme,
            host=str(pin),
            port=address.port,
            raw_path=address.target.encode(),
        )
        request.headers["host"] = address.authority
        request.extensions = {**request.extensions, "sni_hostname": address.host}
        # A connection lives for one request: a kept one would outlive its check.
        inner = httpx.AsyncHTTPTransport(verify=self._trusted, trust_env=False)
        try:
            answer = await inner.handle_async_request(request)
        except BaseException:
            await inner.aclose()
            raise
        return httpx.Response(
            answer.status_code,
            headers=answer.headers,
            stream=_Closing(answer.stream, inner),
            extensions=answer.extensions,
        )

    async def pin(self, address: Address) -> IP:
        """The address to connect to; raises NotCallable, or Unreachable for an unknown name."""
        is_ours = addresses.check(address, self._allowed)
        if address.literal is not None:
            return addresses.check_resolved([address.literal], is_ours=is_ours)
        try:
            found = await self._names(address.host, address.port)
        except (OSError, UnicodeError, ValueError) as unknown:
            raise Unreachable("That name is not known.", place="url") from unknown
        return addresses.check_resolved(found, is_ours=is_ours)


class _Closing(httpx.AsyncByteStream):
    """The body of an answer; the connection ends with it."""

    def __init__(self, stream: object, inner: httpx.AsyncHTTPTransport) -> None:
        assert isinstance(stream, httpx.AsyncByteStream)
        self._stream, self._inner = stream, inner

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._stream.__aiter__()

    async def aclose(self) -> None:
        await self._stream.aclose()
        await self._inner.aclose()


class Outward:
    """Calls addresses that others gave us."""

    def __init__(
        self,
        allowed: frozenset[str],
        names: Resolve = resolve,
        trusted: ssl.SSLContext | None = None,
    ) -> None:
        self.allowed = allowed
        self._transport = Pinned(allowed, names, trusted)

    def check(self, url: str) -> Address:
        """What can be said before a name is resolved; raises NotCallable."""
        address = addresses.read(url)
        addresses.check(address, self.allowed)
        return address

    async def pin(self, url: str) -> str:
        """The checked address of a host that is called by another protocol, such as MLLP.

        It is named as a URL all the same, and allow-listed as one.
        """
        return str(await self._transport.pin(self.check(url)))

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answered:
        """The answer, whatever it is; raises NotCallable or Unreachable."""
        try:
            async with asyncio.timeout(SECONDS):
                return await self._post(url, headers, body)
        except (TimeoutError, httpx.HTTPError, OSError, ssl.SSLError) as lost:
            raise Unreachable(place=type(lost).__name__) from lost

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answered:
        # httpx would tidy a URL up before anybody looks at it: ours is read as it was written.
        async with httpx.AsyncClient(
            transport=self._transport, timeout=_TIMEOUT, follow_redirects=False, trust_env=False
        ) as client:
            request = client.build_request(
                "POST",
                "https://pinned.invalid/",
                headers={**_plain(headers), "accept-encoding": "identity"},
                content=body,
                extensions={"whole_url": url},
            )
            answer = await client.send(request, stream=True)
            try:
                read = bytearray()
                async for part in answer.aiter_raw():
                    read += part[: ANSWER_MAX - len(read)]
                    if len(read) >= ANSWER_MAX:
                        break
            finally:
                await answer.aclose()
            return Answered(answer.status_code, answer.headers.get("retry-after", ""), bytes(read))


def _plain(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers as they are; one that would begin another line is refused."""
    for name, value in headers.items():
        if not (name + value).isprintable():
            raise NotCallable("A header has a character that headers cannot have.", place="header")
    return dict(headers)

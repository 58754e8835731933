"""Whom a service can ask: the other services, in memory or over their address, by one code path."""

import contextlib
import importlib.util
import re
import sys
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, cast

import httpx

from polyclinic.foundation import telemetry, tracing
from polyclinic.foundation.errors import Invalid, Unavailable
from polyclinic.foundation.reaching import Replicas, waited_for

TIMEOUT = httpx.Timeout(15, connect=2)
_ADDRESS = re.compile(r"https?://[^\s|]+")
if importlib.util.find_spec("sniffio") is None:
    # httpcore tries to import it four times a request, each time through the whole path when it
    # is not there. An entry that says so at once halves the processor time of a request passed on
    # (1.35 to 0.68 ms, measured).
    cast("dict[str, Any]", sys.modules).setdefault("sniffio", None)


class Absent(Unavailable):
    """That service is not part of this installation."""


class Peers:
    """The other services of the platform, known by name."""

    def __init__(self) -> None:
        # A client writes requests; its transport carries them, for what a client does beside that
        # (cookies, redirects, sign-ins) nobody here wants, and it takes half of the time.
        self._clients: dict[str, httpx.AsyncClient] = {}
        self._transports: dict[str, httpx.AsyncBaseTransport] = {}
        self._wires: dict[str, Replicas] = {}
        self.addresses: dict[str, str] = {}

    def add_local(self, name: str, app: Any) -> None:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self._transports[name] = transport
        self._clients[name] = httpx.AsyncClient(
            transport=transport,
            base_url=f"http://{name}.internal",
            timeout=TIMEOUT,
            cookies=no_cookies(),
        )

    def add_remote(self, name: str, url: str) -> None:
        """`url` is one address, or those of several replicas with `|` between them."""
        urls = [each.rstrip("/") for each in url.split("|")]
        self.addresses[name] = urls[0]
        self._wires[name] = self._transports[name] = Replicas(urls)
        self._clients[name] = httpx.AsyncClient(
            base_url=urls[0],
            timeout=TIMEOUT,
            transport=self._wires[name],
            trust_env=False,
            cookies=no_cookies(),
        )

    def names(self) -> tuple[str, ...]:
        return tuple(self._clients)

    def client(self, name: str) -> httpx.AsyncClient:
        if name not in self._clients:
            raise Absent(f"The {name} service is not part of this installation.", place=name)
        return self._clients[name]

    def wire(self, name: str) -> Replicas:
        """The connections to a service elsewhere, for what is passed on as it came."""
        return self._wires[name]

    async def send(self, name: str, method: str, path: str, **request: Any) -> httpx.Response:
        """One request to a peer; raises Unavailable, naming the peer, when it does not answer.

        It is given TIMEOUT, or what is left of the time that whoever asked us will wait.
        """
        headers = dict(request.pop("headers", None) or {})
        headers.setdefault("x-request-id", telemetry.request_id.get())
        try:
            with waited_for(TIMEOUT.read), tracing.span("client", method, name) as span:
                headers.update(tracing.headers())
                asked = self.client(name).build_request(method, path, headers=headers, **request)
                answer = await self._carried(name, asked)
                span.say({"http.request.method": method, "peer.service": name})
                span.answered(answer.status_code)
                return answer
        except httpx.TransportError as lost:
            raise Unavailable(f"The {name} service does not answer.", place=name) from lost

    async def _carried(self, name: str, asked: httpx.Request) -> httpx.Response:
        answer = await self._transports[name].handle_async_request(asked)
        answer.request = asked
        try:
            await answer.aread()
        finally:
            await answer.aclose()
        return answer

    async def close(self) -> None:
        for client in self._clients.values():
            with contextlib.suppress(RuntimeError):
                await client.aclose()


def no_cookies() -> CookieJar:
    """One client speaks for everybody: a cookie kept in it would be sent for somebody else."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=()))


def parse(text: str) -> Mapping[str, str]:
    """Reads `name=url,name=url|url`: a name, and the addresses of one or several replicas."""
    found: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, separator, url = part.partition("=")
        urls = url.strip().split("|")
        if not separator or not all(_ADDRESS.fullmatch(each) for each in urls):
            text = f"POLYCLINIC_PEERS: {part!r} is not name=url, or name=url|url for replicas."
            raise Invalid(text, place="POLYCLINIC_PEERS")
        found[name.strip()] = url.strip()
    return found

"""The front door: each request goes to the service that owns its path, in memory or by proxy."""

import contextlib
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import httpx
import msgspec
from starlette.responses import Response

from polyclinic.foundation import telemetry
from polyclinic.foundation.http import Message, Receive, Send
from polyclinic.foundation.peers import Peers
from polyclinic.foundation.service import Service

# RFC 9110 section 7.6.1: these belong to one connection and are not passed on.
_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization te trailer transfer-encoding "
    b"upgrade host content-length".split()
)


class Edge:
    """One address for the whole platform, whichever process a service runs in."""

    def __init__(
        self, apps: Mapping[str, Any], peers: Peers, services: tuple[Service, ...]
    ) -> None:
        self._apps = dict(apps)
        self._peers = peers
        reachable = set(apps) | set(peers.addresses)
        fronts = [(front, s.name) for s in services if s.name in reachable for front in s.fronts]
        fronts += [(f"/{name}", name) for name in reachable]
        # The longest path first, so that "/" gets only what nobody else asked for.
        self._fronts = sorted(set(fronts), key=lambda front: -len(front[0]))

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        if path in _OWN:
            response = await self._own(path)
            await response(scope, receive, send)
            return
        name = self._owner(path)
        if name is None:
            await _missing(path)(scope, receive, send)
        elif (app := self._apps.get(name)) is not None:
            await app(scope, receive, send)
        else:
            await _proxy(self._peers, name, scope, receive, send)

    def _owner(self, path: str) -> str | None:
        for front, name in self._fronts:
            if path == front or path.startswith(front if front.endswith("/") else front + "/"):
                return name
        return None

    async def _own(self, path: str) -> Response:
        if path == "/health/live":
            return _json({"status": "live"}, 200)
        if path == "/metrics":
            return await self._metrics()
        return await self._ready()

    async def _ready(self) -> Response:
        """Ready when every service of this process is; each one says so itself."""
        states: dict[str, str] = {}
        for name in self._apps:
            answer = await self._peers.send(name, "GET", f"/{name}/health/ready")
            states[name] = "ready" if answer.status_code == 200 else "not ready"
        well = all(state == "ready" for state in states.values())
        value = {"status": "ready" if well else "not ready", "services": states}
        return _json(value, 200 if well else 503)

    async def _metrics(self) -> Response:
        parts: list[bytes] = []
        for name in self._apps:
            answer = await self._peers.send(name, "GET", f"/{name}/metrics")
            parts.append(answer.content)
        return Response(_merged(parts), media_type="text/plain; version=0.0.4; charset=utf-8")


_OWN = frozenset(("/health/live", "/health/ready", "/metrics"))


def _merged(parts: list[bytes]) -> bytes:
    """Joins the metrics of several services: Prometheus wants one HELP and TYPE a family."""
    families: dict[bytes, list[bytes]] = {}
    heads: dict[bytes, list[bytes]] = {}
    for part in parts:
        family = b""
        for line in part.splitlines():
            if line.startswith(b"# HELP "):
                family = line.split(b" ", 3)[2]
                heads.setdefault(family, [])
            if line.startswith(b"#"):
                if line not in heads[family]:
                    heads[family].append(line)
            elif line:
                families.setdefault(family, []).append(line)
    lines = [line for family in heads for line in (*heads[family], *families.get(family, []))]
    return b"\n".join(lines) + b"\n"


def _json(value: object, status: int) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def _outcome(text: str, code: str, status: int) -> Response:
    issue = {"severity": "error", "code": code, "diagnostics": text}
    content = msgspec.json.encode({"resourceType": "OperationOutcome", "issue": [issue]})
    headers = {"retry-after": "2"} if status == 503 else None
    return Response(content, status, headers=headers, media_type="application/fhir+json")


def _missing(path: str) -> Response:
    if path == "/fhir" or path.startswith("/fhir/"):
        return _outcome("No service of this installation keeps records.", "not-supported", 404)
    text = (
        "There is no page at this address. The services that run here are named at /health/ready."
    )
    return Response(text, 404, media_type="text/plain")


async def _proxy(peers: Peers, name: str, scope: Message, receive: Receive, send: Send) -> None:
    """Passes a request to a service elsewhere and streams its answer back."""
    headers = [(key, value) for key, value in scope["headers"] if key not in _HOP]
    host = next((value for key, value in scope["headers"] if key == b"host"), b"")
    headers = [(key, value) for key, value in headers if not key.startswith(b"x-forwarded-")]
    headers += [(b"x-forwarded-host", host), (b"x-forwarded-for", _forwarded_for(scope))]
    target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    client = peers.client(name)
    has_body = scope["method"] not in ("GET", "HEAD") or _declares_body(scope)
    request = client.build_request(
        scope["method"],
        client.base_url.copy_with(raw_path=target),
        headers=headers,
        content=_incoming(receive) if has_body else None,
    )
    try:
        answer = await client.send(request, stream=True)
    except httpx.TransportError:
        telemetry.log("peer lost", kind=name)
        await _lost(name, scope)(scope, receive, send)
        return
    async with contextlib.aclosing(answer):
        passed = [(k.lower(), v) for k, v in answer.headers.raw if k.lower() not in _HOP_ANSWER]
        await send({"type": "http.response.start", "status": answer.status_code, "headers": passed})
        async for part in answer.aiter_raw():
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _forwarded_for(scope: Message) -> bytes:
    """The addresses that a request came through, with the one that spoke to this door last."""
    before = [value for key, value in scope["headers"] if key == b"x-forwarded-for"]
    client = scope.get("client")
    return b", ".join([*before, client[0].encode() if client else b"unknown"])


_HOP_ANSWER = _HOP - {b"content-length"}


def _declares_body(scope: Message) -> bool:
    return any(key in (b"content-length", b"transfer-encoding") for key, _ in scope["headers"])


async def _incoming(receive: Receive) -> AsyncGenerator[bytes, None]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message.get("more_body", False)
        yield message.get("body", b"")


def _lost(name: str, scope: Message) -> Response:
    text = f"The {name} service does not answer at the moment. Try again shortly."
    if scope["path"].startswith("/fhir"):
        return _outcome(text, "transient", 503)
    return Response(text, 503, headers={"retry-after": "2"}, media_type="text/plain")

"""The front door: each request goes to the service that owns its path, in memory or by proxy."""

import re
import time
from collections.abc import Mapping
from typing import Any

from prometheus_client import generate_latest
from starlette.responses import Response

from polyclinic.assembly import answers
from polyclinic.assembly.hop import Hops
from polyclinic.assembly.proxy import proxy
from polyclinic.foundation import telemetry, tracing
from polyclinic.foundation.admission import Admission, Visit, places_of
from polyclinic.foundation.errors import Overloaded
from polyclinic.foundation.http import Message, Receive, Send, request_id_of
from polyclinic.foundation.inbound import Inbound
from polyclinic.foundation.passing import has_body
from polyclinic.foundation.peers import Peers
from polyclinic.foundation.service import Service

PATH_MAX = 4096
# Who looks whether a service is well must hear so while it is full; who waits for events does no
# work meanwhile.
ALWAYS = ("/health/live", "/health/ready", "/metrics", "/events")
# One address must mean one thing to every process on the way: no steps up, no hidden separators.
_UNPLAIN = re.compile(rb"(?:/|^)(?:\.|%2e){1,2}(?:/|$)|%2f|%5c|\\|%00", re.IGNORECASE)


class Edge:
    """One address for the whole platform, whichever process a service runs in."""

    def __init__(
        self, apps: Mapping[str, Any], peers: Peers, services: tuple[Service, ...], hops: Hops
    ) -> None:
        self._apps = dict(apps)
        self._peers = peers
        self._hops = hops
        self._numbers = telemetry.Metrics("edge")
        reachable = set(apps) | set(peers.addresses)
        self._doors = {
            name: Admission(self._numbers, name if name in apps else "edge", name)
            for name in sorted(reachable)
        }
        of_all = (f"/{name}{path}" for name in reachable for path in ALWAYS)
        self._always = frozenset((*of_all, *ALWAYS))
        self._services = tuple(service for service in services if service.name in reachable)
        fronts: list[tuple[str, str | None]] = [
            (front, s.name) for s in self._services for front in s.fronts
        ]
        fronts += [(f"/{service.name}", service.name) for service in self._services]
        fronts += [(f"/fhir/{kind}", s.name) for s in self._services for kind in s.owns]
        owners = [service.name for service in self._services if service.owns]
        if owners and "/fhir" not in dict(fronts):
            # Without records, whoever owns some type answers for the FHIR door as a whole.
            fronts.append(("/fhir", owners[0]))
        # What an absent service would answer is not the portal's to answer.
        taken = dict(fronts)
        absent = {f for s in services if s.name not in reachable for f in s.fronts} - {"/"}
        fronts += [(front, None) for front in absent if front not in taken]
        self._fronts = dict(fronts)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if has_body(scope):
            inbound = Inbound(receive, send)
            receive, send = inbound.receive, inbound.send
        name = self._owner(scope["path"])
        door = None if scope["path"] in self._always else self._doors.get(name or "")
        if door is not None and door.is_full():
            await answers.full(scope, send)
            return
        token = telemetry.request_id.set(_number(scope))
        place = tracing.arrive(scope, begins=door is not None)
        try:
            if door is None:
                await self._answer(name, scope, receive, send)
            else:
                await self._let_in(door, name, scope, receive, send)
        finally:
            tracing.leave(place)
            telemetry.request_id.reset(token)

    async def _let_in(
        self, door: Admission, name: str | None, scope: Message, receive: Receive, send: Send
    ) -> None:
        """So many at once; whoever finds no place is told so at once, at little cost."""
        places, sends = places_of(scope["headers"])
        visit = Visit(door, places, receive)
        try:
            await visit.enter(has_body=sends)
        except Overloaded:
            await answers.full(scope, send)
            return
        try:
            await self._answer(name, scope, visit.receive if sends else receive, send)
        finally:
            visit.leave()

    async def _answer(self, name: str | None, scope: Message, receive: Receive, send: Send) -> None:
        passed_on = self._hops.arrive(scope)
        response = _refusal(scope) or await self._own(scope, name)
        if response is not None or name is None:
            response = response or answers.missing(scope)
            response.headers["x-request-id"] = telemetry.request_id.get()
            await response(scope, receive, send)
        elif (app := self._apps.get(name)) is not None:
            await app(scope, receive, send)
        elif passed_on:
            # Two processes that each hold the other for the owner would pass it round for ever.
            telemetry.log("passed on to the wrong process", kind=name)
            await answers.lost(scope, name)(scope, receive, send)
        else:
            await self._pass_on(name, scope, receive, send)

    async def _pass_on(self, name: str, scope: Message, receive: Receive, send: Send) -> None:
        """To a process elsewhere; counted here too, for what never arrives is not counted there."""
        began, status = time.perf_counter(), 499

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            with tracing.request("edge") as span:
                scope["headers"] = [*scope["headers"], *tracing.raw_headers()]
                try:
                    await proxy(self._peers, self._hops, name, scope, receive, noting)
                finally:
                    tracing.answered(span, scope["method"], f"/{name}", status)
        finally:
            seconds = time.perf_counter() - began
            self._numbers.answered(f"/{name}", scope["method"], status, seconds)

    def _owner(self, path: str) -> str | None:
        """The longest path first, so that "/" gets only what nobody else asked for."""
        while path:
            if path in self._fronts:
                return self._fronts[path]
            path = path.rpartition("/")[0]
        return self._fronts.get("/")

    async def _own(self, scope: Message, name: str | None) -> Response | None:
        """What no service answers: the process's own health and numbers, and where nothing is."""
        match scope["path"]:
            case "/health/live":
                return answers.json({"status": "live"})
            case "/health/ready":
                return await self._ready()
            case "/metrics":
                return await self._metrics()
            case "/" if name is None:
                return answers.offers(scope, self._services)
            case _:
                return None

    async def _ready(self) -> Response:
        """Ready when every service of this process is; each one says so itself."""
        states: dict[str, str] = {}
        for name in self._apps:
            answer = await self._peers.send(name, "GET", f"/{name}/health/ready")
            states[name] = "ready" if answer.status_code == 200 else "not ready"
        well = all(state == "ready" for state in states.values())
        value = {"status": "ready" if well else "not ready", "services": states}
        return answers.json(value, 200 if well else 503)

    async def _metrics(self) -> Response:
        parts: list[bytes] = []
        for name in self._apps:
            answer = await self._peers.send(name, "GET", f"/{name}/metrics")
            parts.append(answer.content)
        parts.append(generate_latest(self._numbers.registry))
        return Response(_merged(parts), media_type="text/plain; version=0.0.4; charset=utf-8")


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


def _refusal(scope: Message) -> Response | None:
    raw: bytes = scope["raw_path"]
    if len(raw) > PATH_MAX:
        text = f"An address has at most {PATH_MAX} characters before its question mark."
        return answers.refused(scope, 414, "too-long", "This address is too long", text)
    if not raw.startswith(b"/") or _UNPLAIN.search(raw):
        text = "An address here has no steps such as /../ and no encoded separators."
        return answers.refused(scope, 400, "invalid", "This address cannot be read", text)
    return None


def _number(scope: Message) -> str:
    """The request's number; it stands in the headers from here on, wherever the request goes."""
    number = request_id_of(scope)
    headers = [(key, value) for key, value in scope["headers"] if key != b"x-request-id"]
    scope["headers"] = [*headers, (b"x-request-id", number.encode())]
    return number

"""HTTP at a service's door: reading requests, answering, and turning problems into answers."""

import re
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, TypeVar, cast

import msgspec
from prometheus_client import generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from polyclinic.foundation import ids, telemetry, tracing
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.database import Database
from polyclinic.foundation.errors import (
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    MethodRefused,
    NotFound,
    NotProcessable,
    Overloaded,
    Problem,
    Stale,
    TooLarge,
    Unauthenticated,
    Unavailable,
    WrongMediaType,
)
from polyclinic.foundation.reaching import DEADLINE, read_deadline, waited_for
from polyclinic.foundation.service import Running

DEADLINE_HEADER = DEADLINE.encode()
BODY_MAX = 32 * 1024 * 1024

T = TypeVar("T")
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# The most particular kind first: the first that fits gives the status.
_STATUS: tuple[tuple[type[Problem], int], ...] = (
    (Overloaded, 429),
    (Unavailable, 503),
    (Stale, 412),
    (Conflict, 409),
    (Gone, 410),
    (MethodRefused, 405),
    (NotFound, 404),
    (Unauthenticated, 401),
    (Forbidden, 403),
    (TooLarge, 413),
    (WrongMediaType, 415),
    (NotProcessable, 422),
    (Invalid, 400),
)


def status_of(problem: Problem) -> int:
    for kind, status in _STATUS:
        if isinstance(problem, kind):
            return status
    return 500


def headers_of(problem: Problem) -> dict[str, str]:
    """What else an answer to this problem has to say."""
    if isinstance(problem, Unavailable):
        return {"retry-after": "2"}
    if isinstance(problem, Unauthenticated):
        return {"www-authenticate": 'Bearer realm="polyclinic"'}
    return {}


def running(request: Request) -> Running:
    return cast("Running", request.app.state.running)


def database(request: Request) -> Database:
    return running(request).database


def json(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(
        msgspec.json.encode(value), status, headers=headers, media_type="application/json"
    )


async def body(request: Request, limit: int = BODY_MAX) -> bytes:
    """The whole body; raises TooLarge as soon as it grows past the limit."""
    declared = request.headers.get("content-length", "0")
    if not declared.isdigit() or int(declared) > limit:
        raise TooLarge(f"The body is larger than {limit // 1024} KiB.", place="body")
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise TooLarge(f"The body is larger than {limit // 1024} KiB.", place="body")
        parts.append(part)
    return b"".join(parts)


async def read(request: Request, kind: type[T], limit: int = 1024 * 1024) -> T:
    """Reads a JSON body into a value; what does not fit is named by its place."""
    content = await body(request, limit)
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as refused:
        text, _, place = str(refused).partition(" - at `")
        raise Invalid(f"{text}.", place=place.rstrip("`") or "body") from refused


def bearer(request: Request) -> str:
    """The access token of a request; empty when there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def caller(request: Request) -> Caller:
    """Who asks, proven by the bearer token; raises Unauthenticated."""
    token = bearer(request)
    if not token:
        raise Unauthenticated("An access token is needed: `Authorization: Bearer …`.")
    return await running(request).callers.verify(token)


async def _show_problem(_: Request, problem: Problem, status: int) -> Response:
    value = {
        "error": problem.code,
        "error_description": problem.message,
        "place": problem.place,
        "request": telemetry.request_id.get(),
    }
    return JSONResponse(value, status, headers=headers_of(problem))


async def _live(_: Request) -> Response:
    return json({"status": "live"})


async def _ready(request: Request) -> Response:
    """Ready means that the service's own database answers."""
    service = running(request).service.name
    try:
        await database(request).fetchval("SELECT 1")
    except Problem as problem:
        value = {"status": "not ready", "service": service, "reason": problem.message}
        return json(value, 503, headers_of(problem))
    return json({"status": "ready", "service": service})


async def _metrics(request: Request) -> Response:
    content = generate_latest(running(request).metrics.registry)
    return Response(content, media_type="text/plain; version=0.0.4; charset=utf-8")


class App:
    """A service's door: request ids, metrics, and no exception that leaves without an answer."""

    def __init__(self, at_work: Running, more: tuple[BaseRoute, ...] = ()) -> None:
        service = at_work.service
        self._running = at_work
        prefix = f"/{service.name}"
        own = (
            Route(f"{prefix}/health/live", _live),
            Route(f"{prefix}/health/ready", _ready),
            Route(f"{prefix}/metrics", _metrics),
        )
        routes = [*own, *more, *service.routes]
        self._inner = Starlette(
            routes=routes,
            exception_handlers={
                Problem: self._problem,
                HTTPException: self._refusal,
                Exception: self._bug,
            },
        )
        self._inner.state.running = at_work
        self._show = service.show_problem or _show_problem
        self._templates = _templates(routes)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        token = telemetry.request_id.set(request_id_of(scope))
        started = time.perf_counter()
        answer = _Answer(send)
        waits = read_deadline(_header(scope, DEADLINE_HEADER))
        try:
            with waited_for(waits), tracing.request(self._running.service.name) as span:
                try:
                    await self._inner(scope, receive, answer)
                finally:
                    template = self._template(scope)
                    tracing.answered(span, scope["method"], template, answer.status)
        except ClientDisconnect:
            answer.status = 499
        except Exception as bug:  # noqa: BLE001 - the last wall: an answer without detail, a log with the place
            telemetry.log_bug("bug", bug, service=self._running.service.name)
        finally:
            seconds = time.perf_counter() - started
            self._running.metrics.answered(
                self._template(scope), scope["method"], answer.status, seconds
            )
            telemetry.request_id.reset(token)

    async def _problem(self, request: Request, problem: Exception) -> Response:
        assert isinstance(problem, Problem)
        status = status_of(problem)
        if status >= 500:
            telemetry.log(
                "problem",
                service=self._running.service.name,
                error=type(problem).__name__,
                status=status,
            )
        return await self._show(request, problem, status)

    async def _refusal(self, request: Request, refusal: Exception) -> Response:
        assert isinstance(refusal, HTTPException)
        kind = {404: NotFound, 405: MethodRefused, 413: TooLarge}.get(refusal.status_code, Invalid)
        answer = await self._show(request, kind(place="url"), refusal.status_code)
        answer.headers.update(refusal.headers or {})
        return answer

    async def _bug(self, request: Request, _: Exception) -> Response:
        number = telemetry.request_id.get()
        problem = Problem(f"This is a fault of ours. Tell us the number {number}.")
        return await self._show(request, problem, 500)

    def _template(self, scope: Message) -> str:
        return scope.get("template") or self._templates.get(scope.get("endpoint"), "unmatched")


class _Answer:
    """Passes an answer on and remembers its status."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 500

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [
                *message["headers"],
                (b"x-request-id", telemetry.request_id.get().encode()),
            ]
        await self._send(message)


def _templates(routes: Sequence[BaseRoute]) -> dict[object, str]:
    return {route.endpoint: route.path for route in routes if isinstance(route, Route)}


def request_id_of(scope: Message) -> str:
    """The number that a request came with, if it is one that may stand in a log, else a new one."""
    given = _header(scope, b"x-request-id")
    return given if _is_plain(given) else ids.new_id()


def _header(scope: Message, name: bytes) -> str:
    for key, value in scope["headers"]:
        if key == name:
            return value.decode("latin-1")
    return ""


def _is_plain(text: str) -> bool:
    # Copied into logs, so it is made of what ids are made of and can be nobody's name.
    return re.fullmatch(r"[0-9A-Fa-f-]{8,64}", text) is not None

"""The old clinic's front: who signs in, what goes wrong on purpose, and a line in the log."""

import asyncio
import base64
import binascii
import hashlib
import hmac
import random
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, TextIO

from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.responses import JSONResponse, PlainTextResponse, Response

from polyclinic.demo.legacy.faults import FAULTS, TROUBLES
from polyclinic.demo.legacy.kept import Kept
from polyclinic.demo.legacy.making import password_hash
from polyclinic.demo.legacy.settings import Settings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

COOKIE = "HSSESSID"
LOG = "access.log"
_OPEN = frozenset({"/", "/login.asp"})
# The same at every copy of the clinic, so that a session is good at each of them.
_SECRET = b"harbor-1998"
SLOW_SECONDS, HANG_SECONDS = 0.8, 30.0


class UnknownFault(ValueError):
    """There is no such fault."""


@dataclass(slots=True)
class State:
    """What a clinic at work holds."""

    settings: Settings
    kept: Kept
    log: TextIO
    on: dict[str, float] = field(default_factory=dict[str, float])
    dice: random.Random = field(default_factory=lambda: random.Random("harbor"))  # noqa: S311

    @classmethod
    def of(cls, settings: Settings, kept: Kept) -> "State":
        log = (settings.data / LOG).open("a", encoding="utf-8", buffering=1)
        state = cls(settings, kept, log)
        state.switch(settings.faults)
        return state

    def switch(self, faults: tuple[str, ...]) -> None:
        """These faults and no others from now on."""
        wanted: dict[str, float] = {}
        for each in faults:
            name, _, share = each.partition(":")
            if name not in FAULTS and name not in TROUBLES:
                raise UnknownFault(name)
            wanted[name] = float(share or 1)
        self.on = wanted

    def happens(self, trouble: str) -> bool:
        return trouble in self.on and self.dice.random() < self.on[trouble]

    def close(self) -> None:
        self.kept.close()
        self.log.close()


def session_of(login: str) -> str:
    return f"{login}.{hmac.new(_SECRET, login.encode(), hashlib.sha256).hexdigest()[:24]}"


def _user(headers: Headers, kept: Kept) -> str:
    """Who asks, by session or by Basic; empty for nobody."""
    session = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
    login = session.partition(".")[0]
    if login and hmac.compare_digest(session, session_of(login)):
        return login
    kind, _, given = headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return ""
    try:
        login, _, password = base64.b64decode(given).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return login if signs_in(kept, login, password) else ""


def signs_in(kept: Kept, login: str, password: str) -> bool:
    row = kept.one("SELECT pwhash FROM users WHERE login = ? AND disabled = 0", login)
    return row is not None and hmac.compare_digest(row["pwhash"], password_hash(login, password))


class Door:
    """Lets in who signed in, and writes a line for each request."""

    def __init__(self, app: Any, state: State) -> None:
        self._app, self._state = app, state

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"].startswith("/_control/") and self._state.settings.control:
            await (await _control(self._state, Request(scope, receive)))(scope, receive, send)
        else:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        state, started = self._state, time.perf_counter()
        user = _user(Headers(scope=scope), state.kept)
        scope["user"] = user
        answer = _Answer(send, cut=state.happens("cut"))
        try:
            await self._trouble()
            if state.happens("errors"):
                text = "Microsoft OLE DB Provider for SQL Server error '80004005'"
                await PlainTextResponse(text, 500)(scope, receive, answer)
            elif not user and scope["path"] not in _OPEN:
                refused = JSONResponse({"err": "NOT_LOGGED_IN"}, 401)
                await refused(scope, receive, answer)
            else:
                await self._app(scope, receive, answer)
        finally:
            self._line(scope, user, answer, time.perf_counter() - started)

    async def _trouble(self) -> None:
        if self._state.happens("slow"):
            await asyncio.sleep(SLOW_SECONDS)
        if self._state.happens("hang"):
            await asyncio.sleep(HANG_SECONDS)

    def _line(self, scope: Message, user: str, answer: "_Answer", seconds: float) -> None:
        headers = Headers(scope=scope)
        query = scope["query_string"].decode("latin-1")
        target = scope["path"] + (f"?{query}" if query else "")
        host = scope["client"][0] if scope.get("client") else "-"
        at = f"{self._state.settings.clock():%d/%b/%Y:%H:%M:%S %z}"
        agent = headers.get("user-agent", "-").replace('"', "'")
        referer = headers.get("referer", "-").replace('"', "'")
        self._state.log.write(
            f'{host} - {user or "-"} [{at}] "{scope["method"]} {target} HTTP/1.1"'
            f' {answer.status} {answer.size} "{referer}" "{agent}" {seconds:.3f}\n'
        )


class _Answer:
    """Passes an answer on, counts it, and can lose its second half."""

    def __init__(self, send: Send, *, cut: bool) -> None:
        self._send, self._cut = send, cut
        self.status, self.size = 500, 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self._cut:
                headers = [h for h in message["headers"] if h[0] != b"content-length"]
                message = {**message, "headers": headers}
        elif self._cut:
            body = message.get("body", b"")
            message = {**message, "body": body[: len(body) // 2]}
        self.size += len(message.get("body", b""))
        await self._send(message)


async def _control(state: State, request: Request) -> Response:
    """`POST {"on": […]}` switches faults, GET lists them: for tests and the demo only."""
    if request.method == "POST":
        try:
            state.switch(tuple((await request.json())["on"]))
        except UnknownFault as unknown:
            return JSONResponse({"err": f"no fault {unknown}"}, 404)
    return JSONResponse({"on": sorted(state.on)})

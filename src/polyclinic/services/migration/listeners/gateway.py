"""The gateway: every request of the old system's clients, to the old side or the new one.

Reads that the new side cannot answer are answered by the old one. A change goes to one side only,
and its repetition with the same Idempotency-Key to the same one. What is compared is compared
after the answer has gone out.
"""

import time
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import httpx
from starlette.responses import Response

from polyclinic.foundation import http, ids, telemetry
from polyclinic.foundation.errors import Problem
from polyclinic.foundation.http import BODY_MAX, Message, Receive, Send
from polyclinic.foundation.inbound import Inbound
from polyclinic.foundation.passing import (
    OWN,
    OWN_ANSWER,
    Gone,
    TooLong,
    Upload,
    asked,
    declared_length,
    has_body,
    pass_back,
    passed,
)
from polyclinic.services.migration.actions import proving
from polyclinic.services.migration.actions.choosing import Chosen, choose_side, never_sent
from polyclinic.services.migration.actions.guarding import may_pass
from polyclinic.services.migration.actions.plane import Plane
from polyclinic.services.migration.actions.proving import Change
from polyclinic.services.migration.actions.shadowing import Pair, Shadows
from polyclinic.services.migration.actions.translating import (
    NotTranslated,
    document,
    to_candidate,
    to_legacy_shape,
)
from polyclinic.services.migration.domain.routing import Asked, Match, Side, needs_body
from polyclinic.services.migration.gateways.upstreams import (
    BROKEN,
    WHOLE_MAX,
    Question,
    Whole,
    read_whole,
)

READ_WHOLE_MAX = 1024 * 1024
SIDE_HEADER = b"x-answered-by"
_LOST = "The answer was lost; it may have been carried out."


@dataclass(slots=True)
class _Visit:
    """A request on its way through."""

    scope: Message
    send: Send
    upload: Upload
    match: Match | None
    number: str
    body: bytes | None = b""
    chosen: Chosen = field(default_factory=lambda: Chosen("legacy"))
    started: float = field(default_factory=time.perf_counter)

    @property
    def reads(self) -> bool:
        if self.match is not None:
            return not self.match.route.changes
        return self.scope["method"] in ("GET", "HEAD", "OPTIONS")

    def question(self) -> Question:
        """The request for the old side: as it came, and from where."""
        scope = self.scope
        query: bytes = scope["query_string"]
        target = scope["raw_path"] + (b"?" + query if query else b"")
        drop = OWN | {
            b"x-request-id",
            b"x-forwarded-for",
            *([b"content-length"] * (self.body == b"")),
        }
        headers = list(passed(scope["headers"], frozenset(drop)))
        client = scope.get("client")
        if client:
            headers.append((b"x-forwarded-for", str(client[0]).encode()))
        headers.append((b"x-request-id", self.number.encode()))
        return Question(scope["method"], target, headers, self.body)


class Gateway:
    """An ASGI application in front of two others."""

    def __init__(self, plane: Plane, shadows: Shadows) -> None:
        self.plane, self.shadows = plane, shadows

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if has_body(scope):
            inbound = Inbound(receive, send)
            receive, send = inbound.receive, inbound.send
        upload = Upload(receive)
        match = self.plane.table.match(scope["method"], scope["raw_path"].decode("latin-1"))
        number = http.request_id_of(scope)
        visit = _Visit(scope, send, upload, match, number)
        token = telemetry.request_id.set(number)
        try:
            with self.plane.answering():
                await self._answer(visit)
        except Gone:
            return
        except TooLong:
            await self._say(visit, 413, "too-long", f"At most {BODY_MAX // 1024} KiB.")
        finally:
            telemetry.request_id.reset(token)

    async def _answer(self, visit: _Visit) -> None:
        match = visit.match
        if match is not None and match.rule.mode == "retired":
            await self._gone(visit, match)
            return
        if declared_length(visit.scope) > BODY_MAX:
            raise TooLong
        await self._read_body(visit)
        if match is not None:
            visit.chosen = await choose_side(self.plane, match, _asked_of(visit, match))
        if visit.chosen.side == "candidate" and match is not None:
            await self._new_side(visit, match)
        else:
            await self._old_side(visit)

    async def _read_body(self, visit: _Visit) -> None:
        """Streams a body unless something must be seen in it, or it may have to be sent twice."""
        if not has_body(visit.scope):
            visit.upload.no_body()
            return
        match = visit.match
        whole = match is not None and match.rule.mode != "off" and _is_read_whole(match)
        visit.body = None
        if whole and declared_length(visit.scope) <= READ_WHOLE_MAX:
            visit.body = b"".join([part async for part in visit.upload.parts()])

    async def _old_side(self, visit: _Visit) -> None:
        """The old system's answer, streamed, and then compared if the rule says so."""
        rule = visit.match.rule if visit.match else None
        answer = await self._asked(visit, "legacy", visit.question(), self._patience)
        if answer is None:
            return
        seconds = self._seconds(visit)
        try:
            await self._stream(visit, answer, "legacy")
        finally:
            self.plane.answered(rule, "legacy", answer.status_code, seconds)
            self._note_use(visit)

    async def _new_side(self, visit: _Visit, match: Match) -> None:
        """The new system's answer; where it fails, reads are the old system's again."""
        if not await may_pass(self.plane, match, visit.question()):
            await self._refused(visit)
            return
        try:
            question = await to_candidate(self.plane.running, match, visit.question())
        except Problem:
            await self._failed_new(visit, match)
            return
        if not visit.reads:
            await self._changed_new(visit, match, question)
            return
        request = self._request(visit, "candidate", question, self.plane.settings.candidate_seconds)
        try:
            answer = await asked(self.plane.upstreams.wire("candidate"), request, visit.upload)
        except httpx.TransportError:
            await self._failed_new(visit, match)
            return
        if answer.status_code in BROKEN:
            await answer.aclose()
            await self._failed_new(visit, match)
            return
        await self._deliver(visit, match, answer)

    async def _refused(self, visit: _Visit) -> None:
        """Reads are refused by the old system in its own words; changes here."""
        if visit.reads and visit.body is not None:
            await self._old_side(visit)
        else:
            await self._say(visit, 403, "forbidden", "The old system does not let you do this.")

    async def _failed_new(self, visit: _Visit, match: Match) -> None:
        self._count_new(visit, 599)
        telemetry.log("candidate failed", service="migration", route=match.route.name)
        if visit.reads and visit.body is not None:
            visit.started = time.perf_counter()
            await self._old_side(visit)
        else:
            await self._say(visit, 503, "transient", "This could not be carried out; try again.")

    async def _unclear_new(self, visit: _Visit, match: Match) -> None:
        """The new side did what was asked, and its answer cannot be told: not to be repeated."""
        self._count_new(visit, 599)
        telemetry.log("candidate's answer lost", service="migration", route=match.route.name)
        await self._say(visit, 502, "transient", _LOST)

    async def _changed_new(self, visit: _Visit, match: Match, question: Question) -> None:
        """A change on the new side; what it says is done is looked for afterwards."""
        made = visit.question()
        change = Change(match, made, visit.chosen.unit, visit.chosen.repeated)
        change = await proving.before(self.plane, change)
        answer = await self._asked(visit, "candidate", question, self._patience)
        if answer is None:
            return
        await self._deliver(visit, match, answer)
        if answer.status_code < 300:
            self.shadows.offer_change(change)

    async def _deliver(self, visit: _Visit, match: Match, answer: httpx.Response) -> None:
        if match.route.candidate.answer is None or answer.status_code >= 300:
            self._count_new(visit, answer.status_code)
            await self._stream(visit, answer, "candidate")
            return
        try:
            async with aclosing(answer):
                whole = to_legacy_shape(match, await read_whole(answer))
        except (httpx.RequestError, NotTranslated):
            await (self._failed_new if visit.reads else self._unclear_new)(visit, match)
            return
        self._count_new(visit, answer.status_code)
        await self._send_whole(visit, whole)
        self._compare(visit, "candidate", whole)

    async def _send_whole(self, visit: _Visit, whole: Whole) -> None:
        theirs = [pair for pair in whole.headers if pair[0] != b"x-request-id"]
        headers = [*theirs, (SIDE_HEADER, b"candidate"), _number(visit)]
        start = {"type": "http.response.start", "status": whole.status, "headers": headers}
        await visit.send(start)
        await visit.send({"type": "http.response.body", "body": whole.body})

    async def _stream(self, visit: _Visit, answer: httpx.Response, side: Side) -> None:
        """Passes an answer on, and keeps a copy of a short one."""
        parts: list[bytes] = []
        size = 0

        def watch(part: bytes) -> None:
            nonlocal size
            size += len(part)
            if size <= WHOLE_MAX:
                parts.append(part)

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                theirs = [pair for pair in message["headers"] if pair[0] != b"x-request-id"]
                message["headers"] = [*theirs, (SIDE_HEADER, side.encode()), _number(visit)]
            await visit.send(message)

        comparing = self.shadows.wants(visit.match, visit.scope["method"])
        async with aclosing(answer):
            await pass_back(answer, send, watch if comparing else None)
        if comparing and size <= WHOLE_MAX:
            headers = list(passed(answer.headers.raw, OWN_ANSWER))
            self._compare(visit, side, Whole(answer.status_code, headers, b"".join(parts)))

    def _compare(self, visit: _Visit, side: Side, whole: Whole) -> None:
        if visit.match is not None and self.shadows.wants(visit.match, visit.scope["method"]):
            pair = Pair(visit.match, visit.question(), side, whole, visit.chosen.unit)
            self.shadows.offer(pair)

    async def _asked(
        self, visit: _Visit, side: Side, question: Question, seconds: float
    ) -> httpx.Response | None:
        """The head of an answer that nothing can stand in for; None when the refusal went out."""
        request = self._request(visit, side, question, seconds)
        rule = visit.match.rule if visit.match else None
        try:
            return await asked(self.plane.upstreams.wire(side), request, visit.upload)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            await never_sent(self.plane, visit.chosen)
            status, text = 503, "This was not carried out; try again shortly."
        except httpx.TimeoutException:
            status, text = 504, "The answer did not come in time; it may have been carried out."
        except httpx.TransportError:
            status, text = 502, _LOST
        self.plane.answered(rule, side, 599, self._seconds(visit))
        await self._say(visit, status, "transient", text)
        return None

    def _request(
        self, visit: _Visit, side: Side, question: Question, seconds: float
    ) -> httpx.Request:
        stream = visit.upload.parts() if visit.body is None else None
        return self.plane.upstreams.request(side, question, seconds, stream)

    @property
    def _patience(self) -> float:
        return self.plane.settings.gateway_seconds

    def _seconds(self, visit: _Visit) -> float:
        return time.perf_counter() - visit.started

    def _count_new(self, visit: _Visit, status: int) -> None:
        rule = visit.match.rule if visit.match else None
        self.plane.answered(rule, "candidate", status, self._seconds(visit))

    def _note_use(self, visit: _Visit) -> None:
        capability = visit.match.rule.capability if visit.match else ""
        route = visit.match.route.name if visit.match else ""
        self.plane.use(capability, "route", route)
        given = dict(visit.scope["headers"]).get(b"authorization", b"")
        if given:
            name = self.plane.name("credential", given.decode("latin-1")).hex()
            self.plane.use(capability, "credential", name)

    async def _gone(self, visit: _Visit, match: Match) -> None:
        """The old system's address is history; where the new one is, if somebody said so."""
        self.plane.use(match.rule.capability, "route", match.route.name)
        link = match.rule.moved_to
        headers = {"link": f'<{link}>; rel="successor-version"'} if link else {}
        text = "This address has been retired." + (f" Go to {link}." if link else "")
        await self._say(visit, 410, "deleted", text, headers)

    async def _say(
        self,
        visit: _Visit,
        status: int,
        code: str,
        text: str,
        headers: dict[str, str] | None = None,
    ) -> None:
        value = {"error": code, "error_description": text, "request": visit.number}
        more = {"x-request-id": visit.number, **(headers or {})}
        if status == 503:
            more["retry-after"] = "2"
        answer: Response = http.json(value, status, more)
        start = {"type": "http.response.start", "status": status, "headers": answer.raw_headers}
        await visit.send(start)
        await visit.send({"type": "http.response.body", "body": answer.body})


def _is_read_whole(match: Match) -> bool:
    route = match.route
    twice = (route.reads and route.changes is False) or bool(route.dry_run)
    shown = route.candidate.request is not None or route.kept is not None
    return twice or shown or needs_body(match.rule, route)


def _asked_of(visit: _Visit, match: Match) -> Asked:
    headers = {
        key.decode("latin-1"): value.decode("latin-1") for key, value in visit.scope["headers"]
    }
    query = dict(parse_qsl(visit.scope["query_string"].decode("latin-1")))
    body: Any = None
    if visit.body and needs_body(match.rule, match.route):
        with suppress(NotTranslated):
            body = document(visit.body)
    return Asked(match.path, query, headers, body)


def _number(visit: _Visit) -> tuple[bytes, bytes]:
    return b"x-request-id", (visit.number or ids.new_id()).encode()

"""The feed at a service's door: `GET /<service>/events?after=seq`, waiting for more if asked to."""

import asyncio
import contextlib
import uuid
from typing import Any, LiteralString

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from polyclinic.foundation import http
from polyclinic.foundation.errors import Forbidden, Invalid, NotFound
from polyclinic.foundation.outbox.reader import dead_letters, source_of
from polyclinic.foundation.service import Service

SCOPE = "system/events.read"
OPERATOR_SCOPE = "system/*.cruds"  # a program that does a little may not deal with dead letters
PAGE_MAX = 500
WAIT_MAX = 25.0
# Whoever numbers tells those who wait, also of what another replica numbered.
LOOK_SECONDS = 5.0
# Where nobody numbers, looking is all there is.
LOOK_ALONE_SECONDS = 0.25

# The end and what is new are of one moment: what is numbered later is on the next page.
READ: LiteralString = """
    SELECT f.epoch, f.seq AS last, e.seq, e.id, e.kind, e.subject, e.at, e.data, e.trace
    FROM feed f LEFT JOIN (
        SELECT seq, id, kind, subject, at, data, trace FROM feed_entry
        WHERE seq > $1 AND (cardinality($2::text[]) = 0 OR kind = ANY ($2)
                            OR kind || ':' || split_part(subject, '/', 1) = ANY ($2))
        ORDER BY seq LIMIT $3) e ON true
    ORDER BY e.seq"""


async def get_events(request: Request) -> Response:
    """A page of CloudEvents after a number; `last` is how far the page reaches."""
    caller = await http.caller(request)
    if SCOPE not in caller.scopes:
        raise Forbidden("Reading the feed takes the scope system/events.read.")
    after, wait = _number(request, "after", 0), _number(request, "wait", 0)
    # A kind, or a kind about one type: `ResourceUpdated:Encounter`.
    kinds = [k for k in request.query_params.get("kinds", "").split(",") if k]
    return http.json(await _page(request, after, min(float(wait), WAIT_MAX), kinds))


async def _page(request: Request, after: int, wait: float, kinds: list[str]) -> dict[str, Any]:
    running = http.running(request)
    loop = asyncio.get_running_loop()
    until = loop.time() + wait
    while True:
        numbers = running.sequencer
        more = numbers.more if numbers else asyncio.Event()
        pause = LOOK_SECONDS if numbers and numbers.runs else LOOK_ALONE_SECONDS
        found = await running.database.fetch(READ, after, kinds, PAGE_MAX)
        feed, rows = found[0], [row for row in found if row["seq"] is not None]
        ends = numbers is not None and numbers.ends
        if rows or ends or loop.time() >= until or after > feed["last"]:
            break
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(more.wait(), min(pause, until - loop.time()))
    return {
        "epoch": str(feed["epoch"]),
        "last": rows[-1]["seq"] if len(rows) == PAGE_MAX else feed["last"],
        "events": [_cloud_event(running.service.name, row) for row in rows],
    }


def _cloud_event(source: str, row: Any) -> dict[str, Any]:
    """CloudEvents 1.0 with the extensions `sequence` and, if traced, `traceparent`; ids only."""
    traced = {"traceparent": row["trace"]} if row["trace"] else {}
    return {
        **traced,
        "specversion": "1.0",
        "id": str(row["id"]),
        "source": source,
        "type": row["kind"],
        "subject": row["subject"],
        "time": row["at"],
        "sequence": row["seq"],
        "data": msgspec.Raw(row["data"] or b"null"),
    }


class NotAdministrator(Forbidden):
    """Dead letters are for administrators and operators."""


async def get_dead(request: Request) -> Response:
    """The dead letters of this service: kinds and reasons, never contents."""
    await _administrator(request)
    return http.json({"dead": await dead_letters(http.running(request))})


async def post_again(request: Request) -> Response:
    """Tries one dead letter again."""
    await _administrator(request)
    running = http.running(request)
    try:
        event = uuid.UUID(request.path_params["event"])
    except ValueError as bad:
        raise Invalid("An event's id is a UUID.", place="event") from bad
    reader = running.readers.get(await source_of(running, event))
    if reader is None:
        raise NotFound("There is no such dead letter.")
    await reader.again(event)
    return http.json({"done": str(event)})


async def _administrator(request: Request) -> None:
    caller = await http.caller(request)
    operates = caller.role == "system" and OPERATOR_SCOPE in caller.scopes
    if caller.role != "administrator" and not operates:
        raise NotAdministrator


def routes(service: Service) -> tuple[BaseRoute, ...]:
    """The doors that a service has because it says or hears something."""
    base = f"/{service.name}/events"
    said = (Route(base, get_events),) if service.says else ()
    heard = (
        Route(f"{base}/dead", get_dead),
        Route(f"{base}/dead/{{event}}/again", post_again, methods=["POST"]),
    )
    return (*said, *(heard if service.reactions else ()))


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Invalid(f"{name} is a number.", place=name)
    return int(text)

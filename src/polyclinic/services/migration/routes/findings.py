"""Differences with their verdicts, and what people say of a capability."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import clock, http, ids
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Invalid, NotFound
from polyclinic.foundation.once import Once, Stored, carried
from polyclinic.foundation.once.door import carry
from polyclinic.services.migration.actions import finding
from polyclinic.services.migration.actions.deciding import decide
from polyclinic.services.migration.actions.state import Passage
from polyclinic.services.migration.domain.diffing.clusters import Word
from polyclinic.services.migration.domain.routing import Side
from polyclinic.services.migration.routes.answers import administrator, once, passage_of
from polyclinic.services.migration.store import differences, rollouts

WORDS_MAX = 4000


class VerdictAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a difference is; `expected` ends some day."""

    note: str
    verdict: Word | None = None
    owner: str | None = None
    until: datetime | None = None


class FeedbackAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody says: a thumb, an effort from 1 to 7 (7 is very easy), words."""

    capability: str
    side: Side
    liked: bool | None = None
    effort: int | None = None
    text: str = ""
    request: str = ""


def _name(request: Request) -> UUID:
    try:
        return UUID(request.path_params["difference"])
    except ValueError as bad:
        raise NotFound(place="difference") from bad


async def get_differences(request: Request) -> Response:
    """The most serious first."""
    await administrator(request, "r")
    asked = request.query_params.get("capability")
    found = await differences.listed(passage_of(request).database, asked)
    return http.json({"differences": [dict(row) for row in found]})


async def post_verdict(request: Request) -> Response:
    async def act(passage: Passage, caller: Caller, asked: VerdictAsk, key: Once) -> Stored:
        said = {**msgspec.structs.asdict(asked), "now": clock.now()}
        if asked.until is not None and asked.until.tzinfo is None:
            raise Invalid("A time has its offset.", place="until")

        async def whole(tx: Transaction) -> tuple[int, object]:
            return 200, await finding.judge(tx, caller, _name(request), said)

        return await carried(passage.database, key, whole)

    return await once(request, VerdictAsk, act)


async def get_examples(request: Request) -> Response:
    """Shapes of values; with `open` and a `reason` the values, and a decision about the look."""
    caller = await administrator(request, "r")
    passage, name = passage_of(request), _name(request)
    reason = request.query_params.get("reason", "")
    opened = request.query_params.get("open") == "true"
    if opened and not reason:
        raise Invalid("Say why you look at patients' values.", place="reason")
    if opened:
        async with passage.database.transaction() as tx:
            await decide(tx, caller.subject, "examples opened", str(name), {}, reason)
    shown = await finding.examples(passage.running, name, opened=opened)
    return http.json({"examples": shown})


async def post_feedback(request: Request) -> Response:
    """Anybody who is signed in; their words are sealed."""

    async def act(asked: FeedbackAsk, key: Once) -> Stored:
        passage = passage_of(request)
        name, effort = ids.new_uuid(), asked.effort
        if effort is not None and not 1 <= effort <= 7:
            raise Invalid("An effort is 1 to 7.", place="effort")
        if len(asked.text) > WORDS_MAX or len(asked.request) > 64:
            raise Invalid(f"At most {WORDS_MAX} characters.", place="text")
        sealed = finding.seal_words(passage.running, name, asked.text) if asked.text else None
        values = (
            name, asked.capability, asked.side, asked.liked, effort, asked.request or None,
            clock.now(), sealed,
        )  # fmt: skip

        async def whole(tx: Transaction) -> tuple[int, object]:
            await rollouts.add_feedback(tx, values)
            return 201, {"id": name}

        return await carried(passage.database, key, whole)

    return await carry(request, FeedbackAsk, act)


async def get_feedback(request: Request) -> Response:
    """Numbers by side, and what was said."""
    await administrator(request, "r")
    passage, capability = passage_of(request), request.path_params["capability"]
    said: list[dict[str, Any]] = []
    for row in await rollouts.words(passage.database, capability):
        sealed = row["sealed"]
        text = finding.open_words(passage.running, row["id"], sealed) if sealed else ""
        said.append({**{k: v for k, v in row.items() if k != "sealed"}, "text": text})
    numbers = [dict(row) for row in await rollouts.feedback(passage.database, capability)]
    return http.json({"numbers": numbers, "said": said})


finding_routes = (
    Route("/migration/differences", get_differences),
    Route("/migration/differences/{difference}/verdict", post_verdict, methods=["POST"]),
    Route("/migration/differences/{difference}/examples", get_examples),
    Route("/migration/feedback", post_feedback, methods=["POST"]),
    Route("/migration/routes/{capability}/feedback", get_feedback),
)

"""Messages: handed in over HTTP, found by staff, looked at, tried again, mended, set aside."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import http
from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.integration.actions import admitting, handing, replaying, showing
from polyclinic.services.integration.actions.admitting import Linked
from polyclinic.services.integration.actions.replaying import Mended, Reasoned, Several
from polyclinic.services.integration.actions.state import Asker, Engine
from polyclinic.services.integration.routes.answers import (
    asker_of,
    engine_of,
    known,
    moment,
    number,
    once,
    query,
    uuid_of,
)
from polyclinic.services.integration.store.messages import Filter

MEDIA_TYPE = "application/hl7-v2"
_NARROWS = ("state", "channel", "kind", "reason", "since", "until", "before", "limit")
_SEARCHED = (*_NARROWS, *showing.FINDS)
_OF_PEOPLE = showing.FINDS.keys() - {"control"}
_PRIVATE = {"cache-control": "private, no-store", "x-content-type-options": "nosniff"}


async def post_message(request: Request) -> Response:
    """The body is a message or a batch; the answer is its acknowledgement; 503 has none."""
    engine, asker = engine_of(request), await asker_of(request)
    content = await http.body(request, engine.settings.message_bytes)
    handed = await handing.hand_in(engine, asker, request.path_params["channel"], content)
    headers = {**_PRIVATE, "x-acknowledgement": handed.code}
    return Response(handed.content, handed.status, headers=headers, media_type=MEDIA_TYPE)


async def get_messages(request: Request) -> Response:
    """`state`, `channel`, `kind`, `reason`, `since`, `until`, `before` (`next` of the former page),
    `limit`, `control`. Numbers of people are asked for by `post_search`."""
    for name in request.query_params.keys() & _OF_PEOPLE:
        text = "Addresses end in logs: POST this to /integration/messages/search."
        raise Invalid(text, place=name)
    return await _page(request, query(request, *_SEARCHED))


async def post_search(request: Request) -> Response:
    """The same as JSON, and one of `control`, `mrn`, `visit`, `order`, `patient`."""
    asked = await http.read(request, dict[str, str | int])
    return await _page(request, known({n: str(each) for n, each in asked.items()}, _SEARCHED))


async def _page(request: Request, given: dict[str, str]) -> Response:
    before = given.get("before")
    wanted = Filter(
        given.get("state"),
        given.get("channel"),
        given.get("kind"),
        moment(given.get("since"), "since"),
        moment(given.get("until"), "until"),
        number(before, "before") if before else None,
        given.get("reason"),
    )
    looked_for = {name: given[name] for name in showing.FINDS if name in given}
    limit = number(given.get("limit", str(showing.PAGE)), "limit")
    asker = await asker_of(request)
    page = await showing.page(engine_of(request), asker, wanted, looked_for, limit)
    return http.json({"messages": page.messages, "next": page.following}, headers=_PRIVATE)


async def get_message(request: Request) -> Response:
    message = uuid_of(request, "message")
    asker = await asker_of(request)
    return http.json(await showing.one(engine_of(request), asker, message), headers=_PRIVATE)


async def get_content(request: Request) -> Response:
    message = uuid_of(request, "message")
    asker = await asker_of(request)
    return http.json(await showing.content(engine_of(request), asker, message), headers=_PRIVATE)


async def get_desk(request: Request) -> Response:
    """For the front desk, of a message that stopped before it was somebody's."""
    message, asker = uuid_of(request, "message"), await asker_of(request)
    return http.json(await admitting.shown(engine_of(request), asker, message), headers=_PRIVATE)


async def get_raw(request: Request) -> Response:
    message = uuid_of(request, "message")
    raw = await showing.raw_of(engine_of(request), await asker_of(request), message)
    return Response(raw, headers=_PRIVATE, media_type="application/octet-stream")


async def post_replay(request: Request) -> Response:
    message = uuid_of(request, "message")

    async def act(engine: Engine, asker: Asker, asked: Reasoned, key: Once) -> Stored:
        return await replaying.replay(engine, asker, message, asked, key)

    return await once(request, Reasoned, act)


async def post_skip(request: Request) -> Response:
    message = uuid_of(request, "message")

    async def act(engine: Engine, asker: Asker, asked: Reasoned, key: Once) -> Stored:
        return await replaying.skip(engine, asker, message, asked, key)

    return await once(request, Reasoned, act)


async def post_fix(request: Request) -> Response:
    message = uuid_of(request, "message")

    async def act(engine: Engine, asker: Asker, asked: Mended, key: Once) -> Stored:
        return await replaying.fix(engine, asker, message, asked, key)

    return await once(request, Mended, act)


async def post_link(request: Request) -> Response:
    message = uuid_of(request, "message")

    async def act(engine: Engine, asker: Asker, asked: Linked, key: Once) -> Stored:
        return await admitting.link(engine, asker, message, asked, key)

    return await once(request, Linked, act)


async def post_replays(request: Request) -> Response:
    return await once(request, Several, replaying.replay_several)


message_routes = (
    Route("/integration/channels/{channel}/messages", post_message, methods=["POST"]),
    Route("/integration/messages", get_messages, methods=["GET"]),
    Route("/integration/messages/search", post_search, methods=["POST"]),
    Route("/integration/messages/replay", post_replays, methods=["POST"]),
    Route("/integration/messages/{message}", get_message, methods=["GET"]),
    Route("/integration/messages/{message}/content", get_content, methods=["GET"]),
    Route("/integration/messages/{message}/desk", get_desk, methods=["GET"]),
    Route("/integration/messages/{message}/raw", get_raw, methods=["GET"]),
    Route("/integration/messages/{message}/replay", post_replay, methods=["POST"]),
    Route("/integration/messages/{message}/skip", post_skip, methods=["POST"]),
    Route("/integration/messages/{message}/fix", post_fix, methods=["POST"]),
    Route("/integration/messages/{message}/patient", post_link, methods=["POST"]),
)

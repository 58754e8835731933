"""What waits for people, whose a message is, and what others call our own."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import http
from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.once import Nothing, Once, Stored
from polyclinic.services.integration.actions import directory, identifying
from polyclinic.services.integration.actions.directory import Entry
from polyclinic.services.integration.actions.identifying import Word
from polyclinic.services.integration.actions.state import Asker, Engine
from polyclinic.services.integration.routes.answers import (
    asker_of,
    engine_of,
    once,
    query,
    uuid_of,
)

_PRIVATE = {"cache-control": "private, no-store"}


async def get_waiting(request: Request) -> Response:
    """`reason`: person, order, booking, directory, charge, money, merge …; the oldest first."""
    given = query(request, "reason")
    asker = await asker_of(request)
    found = await identifying.waiting(engine_of(request), asker, given.get("reason"))
    return http.json({"waiting": found}, headers=_PRIVATE)


async def get_question(request: Request) -> Response:
    message, asker = uuid_of(request, "message"), await asker_of(request)
    found = await identifying.question(engine_of(request), asker, message)
    return http.json(found, headers=_PRIVATE)


async def post_word(request: Request) -> Response:
    message = uuid_of(request, "message")

    async def act(engine: Engine, asker: Asker, asked: Word, key: Once) -> Stored:
        return await identifying.decide(engine, asker, message, asked, key)

    return await once(request, Word, act)


async def post_file(request: Request) -> Response:
    message = uuid_of(request, "message")

    async def act(engine: Engine, asker: Asker, asked: Nothing, key: Once) -> Stored:
        return await identifying.file_without_order(engine, asker, message, asked, key)

    return await once(request, Nothing, act)


async def get_directory(request: Request) -> Response:
    """`kind`: practitioner, place or service."""
    given, asker = query(request, "kind"), await asker_of(request)
    found = await directory.listed(engine_of(request), asker, given.get("kind"))
    return http.json({"directory": found})


async def put_entry(request: Request) -> Response:
    """Putting the same again changes nothing, so no key is needed."""
    asker = await asker_of(request)
    return http.json(
        await directory.put(engine_of(request), asker, await http.read(request, Entry))
    )


async def delete_entry(request: Request) -> Response:
    """`kind`, `value` and, where it has one, `system`."""
    given, asker = query(request, "kind", "system", "value"), await asker_of(request)
    if "kind" not in given or "value" not in given:
        raise Invalid("Say which entry.", place="value")
    entry = given["kind"], given.get("system", ""), given["value"]
    await directory.drop(engine_of(request), asker, *entry)
    return Response(status_code=204)


matching_routes = (
    Route("/integration/waiting", get_waiting),
    Route("/integration/waiting/{message}", get_question),
    Route("/integration/waiting/{message}/person", post_word, methods=["POST"]),
    Route("/integration/waiting/{message}/without-order", post_file, methods=["POST"]),
    Route("/integration/directory", get_directory),
    Route("/integration/directory", put_entry, methods=["PUT"]),
    Route("/integration/directory", delete_entry, methods=["DELETE"]),
)

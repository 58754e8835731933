"""The door for X12: files come in as they are, and can be read again as they were."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import http
from polyclinic.foundation.errors import NotFound
from polyclinic.foundation.once import once_of
from polyclinic.services.billing.actions import receiving, telling
from polyclinic.services.billing.routes.answers import asker_of, books_of

MEDIA_TYPE = "application/edi-x12"


async def post_file(request: Request) -> Response:
    """The body is the file. Its own bytes are its key: sent twice it is taken once."""
    books, asker = books_of(request), await asker_of(request)
    content = await http.body(request)
    key = once_of(asker.caller, request.headers.get("idempotency-key"), "POST file", content)
    stored = await receiving.receive(books, asker, content, key)
    return Response(stored.body, stored.status, media_type="application/json")


async def get_files(request: Request) -> Response:
    books, asker = books_of(request), await asker_of(request)
    return http.json(
        await telling.listed_files(books, asker, request.query_params.get("status", ""))
    )


async def get_file(request: Request) -> Response:
    books, asker = books_of(request), await asker_of(request)
    try:
        name = UUID(request.path_params["file"])
    except ValueError:
        raise NotFound("There is no such file.", place="file") from None
    content = await telling.content(books, asker, name)
    headers = {"cache-control": "private, no-store", "x-content-type-options": "nosniff"}
    return Response(content, headers=headers, media_type=MEDIA_TYPE)


file_routes = (
    Route("/billing/files", get_files, methods=["GET"]),
    Route("/billing/files", post_file, methods=["POST"]),
    Route("/billing/files/{file}", get_file, methods=["GET"]),
)

"""CDS Hooks 2.0: discovery, calls and feedback, for EHRs with a proof and for our own callers."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import http
from polyclinic.foundation.errors import Invalid, Unauthenticated
from polyclinic.foundation.once import door
from polyclinic.services.insights.actions import hooking, vouching
from polyclinic.services.insights.actions.hooking import Ehr
from polyclinic.services.insights.actions.vouching import Feedback
from polyclinic.services.insights.domain import access, cds
from polyclinic.services.insights.domain.cds import Call
from polyclinic.services.insights.routes.answers import PRIVATE, engine_of

# 500 observations are about 1 MB; what is much larger is no chart of one person.
BODY_MAX = 8 * 1024 * 1024
OUR_TOKENS = "at+jwt"


async def get_services(request: Request) -> Response:
    """Discovery needs no proof: it says nothing of anybody."""
    offered = [each.described() for each in cds.SERVICES.values()]
    return http.json({"services": offered}, headers=_cors(request))


async def post_call(request: Request) -> Response:
    name = request.path_params["id"]
    cds.service(name)
    ehr = await _caller(request)
    content = await http.body(request, BODY_MAX)
    found = await hooking.respond(engine_of(request), ehr, name, _read(content, Call))
    return http.json({"cards": found}, headers={**PRIVATE, **_cors(request)})


async def post_feedback(request: Request) -> Response:
    name = request.path_params["id"]
    ehr = await _caller(request)
    said = _read(await http.body(request, 256 * 1024), Feedback)
    answer = await vouching.hear(engine_of(request), ehr, name, said)
    return http.json(answer, headers=_cors(request))


async def show_options(request: Request) -> Response:
    """What a browser asks first; an origin that is not listed is told nothing."""
    return Response(status_code=204, headers=_cors(request))


async def _caller(request: Request) -> Ehr:
    token = http.bearer(request)
    if not token:
        raise Unauthenticated("A signed token is needed: `Authorization: Bearer …`.")
    engine = engine_of(request)
    if vouching.kind_of(token) == OUR_TOKENS:
        caller = await http.caller(request)
        access.check_clinician(caller)
        return Ehr("", caller.subject)
    return await vouching.proven(engine, token, request.url.path)


def _read(content: bytes, kind: type[vouching.Body]) -> vouching.Body:
    try:
        return door.read(content, kind)
    except msgspec.MsgspecError as broken:
        raise Invalid("JSON that can be read.", place="body") from broken


def _cors(request: Request) -> dict[str, str]:
    allowed = [each.strip() for each in engine_of(request).settings.cds_origins.split(",")]
    origin = request.headers.get("origin", "")
    if not origin or origin not in allowed:
        return {"vary": "Origin"}
    return {
        "vary": "Origin",
        "access-control-allow-origin": origin,
        "access-control-allow-methods": "GET, POST, OPTIONS",
        "access-control-allow-headers": "authorization, content-type",
        "access-control-expose-headers": "etag, location, x-request-id",
        "access-control-max-age": "600",
    }


cds_routes = (
    Route("/cds-services", get_services, methods=["GET"]),
    Route("/cds-services/{id}", post_call, methods=["POST"]),
    Route("/cds-services/{id}/feedback", post_feedback, methods=["POST"]),
    Route("/cds-services", show_options, methods=["OPTIONS"]),
    Route("/cds-services/{id}", show_options, methods=["OPTIONS"]),
    Route("/cds-services/{id}/feedback", show_options, methods=["OPTIONS"]),
)

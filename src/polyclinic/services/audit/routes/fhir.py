"""AuditEvent at the FHIR door: read and search; nobody writes one."""

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.fhirserver import door
from polyclinic.fhirserver.rest import capability, reading
from polyclinic.fhirserver.rest.answer import MEDIA_TYPE
from polyclinic.foundation import http
from polyclinic.foundation.errors import MethodRefused, NotFound, NotSupported, Problem
from polyclinic.services.audit.actions import finding
from polyclinic.services.audit.routes.answers import PRIVATE, asker_of, engine_of
from polyclinic.services.audit.routes.searching import asked_of, place_text
from polyclinic.standards.fhir import codec

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
_PARAMETERS = (("patient", "reference"), ("agent", "reference"), ("date", "date"))


async def fhir(request: Request) -> Response:
    """Our own type here; the FHIR floor says what there is and passes the rest to its owners."""
    path = tuple(filter(None, request.path_params.get("path", "").split("/")))
    if path == ("metadata",) and request.method in ("GET", "HEAD"):
        owners = engine_of(request).server.interactions.owners
        others = await owners.statements() if owners is not None else []
        return Response(capability.together(_statement(request), others), media_type=MEDIA_TYPE)
    if path[:1] != (finding.KIND,):
        return await door.door(engine_of(request).server, request)
    try:
        return await _own(request, path[1:])
    except Problem as problem:
        return await door.show_problem(request, problem, http.status_of(problem))


async def _own(request: Request, rest: tuple[str, ...]) -> Response:
    request.scope["template"] = "/fhir/AuditEvent" + ("/{id}" if rest else "")
    is_search = not rest or rest == ("_search",)
    reads = ("GET", "HEAD", "POST") if rest == ("_search",) else ("GET", "HEAD")
    if request.method not in reads:
        raise MethodRefused("AuditEvents are made of what is logged; nobody writes them.")
    if is_search:
        return await _search(request)
    if len(rest) > 1:
        raise NotSupported("An AuditEvent has no history and no operations.", place="url")
    engine, asker = engine_of(request), await asker_of(request)
    seq = "".join(rest)
    if not (seq.isascii() and seq.isdigit() and len(seq) < 19):
        raise NotFound("There is no such AuditEvent.", place=f"{finding.KIND}/{seq[:64]}")
    return _answer(await finding.read(engine, asker, int(seq)))


async def _search(request: Request) -> Response:
    engine, asker = engine_of(request), await asker_of(request)
    pairs = list(request.query_params.multi_items())
    reading.check_format(pairs)
    if request.method == "POST":
        form = await request.form()
        pairs += [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    asked = asked_of(pairs)
    found = await finding.search(engine, asker, asked.wanted)
    address = f"{door.base_of(request)}/{finding.KIND}"
    links = [{"relation": "self", "url": _link(address, asked.again)}]
    if found.next is not None:
        place = ("_page", place_text(found.next))
        links.append({"relation": "next", "url": _link(address, (*asked.again, place))})
    entries = [
        {"fullUrl": f"{address}/{e['id']}", "resource": e, "search": {"mode": "match"}}
        for e in found.events
    ]
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "link": links}
    return _answer({**bundle, "entry": entries} if entries else bundle)


def _link(address: str, pairs: tuple[tuple[str, str], ...]) -> str:
    """Patients' ids stand in links as in every FHIR search; nothing logs them."""
    return f"{address}?{urlencode(pairs)}" if pairs else address


def _answer(resource: dict[str, Any]) -> Response:
    return Response(codec.encode(resource), headers=PRIVATE, media_type=MEDIA_TYPE)


def _statement(request: Request) -> bytes:
    """What is offered of AuditEvent, no more."""
    server = engine_of(request).server
    whole = codec.decode_kept(bytes(door.own_statement(server, request).body))
    for resource in whole["rest"][0]["resource"]:
        kind = resource["type"]
        resource.clear()
        resource |= {
            "type": kind,
            "interaction": [{"code": "read"}, {"code": "search-type"}],
            "versioning": "no-version",
            "readHistory": False,
            "updateCreate": False,
            "searchParam": [{"name": name, "type": of} for name, of in _PARAMETERS],
        }
    return codec.encode(whole)


async def get_own_statement(request: Request) -> Response:
    return Response(_statement(request), media_type=MEDIA_TYPE)


fhir_routes = (
    Route("/audit/fhir-metadata", get_own_statement),
    Route("/fhir", fhir, methods=_METHODS),
    Route("/fhir/{path:path}", fhir, methods=_METHODS),
)

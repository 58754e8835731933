"""Records over HTTP: the FHIR door, and the operator's doors for imports and care relations."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.contracts.identity import smart_configuration
from polyclinic.fhirserver.adoption.door import leaving_routes
from polyclinic.fhirserver.door import FhirServer, door, own_statement
from polyclinic.foundation import http
from polyclinic.foundation.caller import NO_ISSUER, Caller
from polyclinic.foundation.errors import Forbidden, Invalid
from polyclinic.foundation.service import Running
from polyclinic.services.records import actions
from polyclinic.services.records.domain import CareRelation, Unit
from polyclinic.standards.fhir.dates import date_range

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


@asynccontextmanager
async def start(running: Running) -> AsyncGenerator[FhirServer, None]:
    """The FHIR server over this service's own schema."""
    server = FhirServer.over(running, frozenset(running.elsewhere))
    await server.search.frequencies.load()
    yield server


async def fhir(request: Request) -> Response:
    return await door(http.running(request).state, request)


async def get_smart_configuration(request: Request) -> Response:
    """Where a SMART client signs in; any origin may read it, as the launch specification asks."""
    public = http.running(request).platform.public_url
    base = public or str(request.base_url).rstrip("/")
    value = smart_configuration(public or NO_ISSUER, base)
    return http.json(value, headers={"access-control-allow-origin": "*"})


async def get_own_statement(request: Request) -> Response:
    return own_statement(http.running(request).state, request)


class RelationAsk(msgspec.Struct, frozen=True):
    """One care relation in the body of `POST /records/relations`."""

    practitioner: str
    patient: str
    source: str
    since: str | None = None
    until: str | None = None


class RelationsAsk(msgspec.Struct, frozen=True):
    """The body of `POST /records/relations`."""

    relations: list[RelationAsk]


async def post_import(request: Request) -> Response:
    """One unit of an import: a Bundle, or up to 500 lines of NDJSON."""
    server: FhirServer = http.running(request).state
    errand = server.errand(await _system(request))
    stated = request.headers.get("x-content-hash", "")
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    unit = Unit.of(await http.body(request), stated, is_lines=kind.endswith("ndjson"))
    return http.json(await actions.import_unit(server, errand, unit))


async def post_relations(request: Request) -> Response:
    """Writes who cares for whom; saying the same again changes nothing."""
    await _system(request)
    asked = await http.read(request, RelationsAsk)
    relations = [_relation(relation) for relation in asked.relations]
    server: FhirServer = http.running(request).state
    await actions.relate(server, http.database(request), relations)
    return http.json({"relations": len(relations)})


def _relation(asked: RelationAsk) -> CareRelation:
    return CareRelation(
        asked.practitioner, asked.patient, asked.source, _moment(asked.since), _moment(asked.until)
    )


def _moment(text: str | None) -> datetime | None:

    if text is None:
        return None
    try:
        return date_range(text)[0]
    except ValueError as bad:
        raise Invalid("A date is written 2026-11-22 or 2026-11-22T08:30:00Z.") from bad


async def _system(request: Request) -> Caller:
    caller = await http.caller(request)
    if caller.role != "system" or not caller.scopes & {"system/*.cruds", "system/*.*"}:
        raise Forbidden("This door is for operators: a token with system/*.cruds is needed.")
    return caller


routes = (
    Route("/fhir/.well-known/smart-configuration", get_smart_configuration),
    Route("/fhir", fhir, methods=_METHODS),
    Route("/fhir/{path:path}", fhir, methods=_METHODS),
    Route("/records/fhir-metadata", get_own_statement),
    Route("/records/import", post_import, methods=["POST"]),
    Route("/records/relations", post_relations, methods=["POST"]),
    *leaving_routes("records", lambda request: http.running(request).state),
)

"""Records over HTTP: the FHIR door, and the operator's doors for imports and care relations."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.contracts.identity import smart_configuration
from polyclinic.fhirserver.adoption.door import leaving_routes
from polyclinic.fhirserver.door import FhirServer, door, own_statement
from polyclinic.fhirserver.rest import reading
from polyclinic.fhirserver.rest.answer import MEDIA_TYPE
from polyclinic.foundation import http
from polyclinic.foundation.caller import NO_ISSUER, Caller
from polyclinic.foundation.errors import Forbidden, Invalid
from polyclinic.foundation.service import Running
from polyclinic.services.records.actions import importing, merging, relating
from polyclinic.services.records.domain import CareRelation, Pair, Unit
from polyclinic.standards.fhir import codec
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
    return http.json(await importing.import_unit(server, errand, unit))


async def post_relations(request: Request) -> Response:
    """Writes who cares for whom; saying the same again changes nothing."""
    await _system(request)
    asked = await http.read(request, RelationsAsk)
    relations = [_relation(relation) for relation in asked.relations]
    server: FhirServer = http.running(request).state
    await relating.relate(server, http.database(request), relations)
    return http.json({"relations": len(relations)})


async def post_merge(request: Request) -> Response:
    """`Patient/$merge`: Parameters with source-patient, target-patient and perhaps preview."""
    server: FhirServer = http.running(request).state
    errand = server.errand(await http.caller(request), http.bearer(request))
    said = await _parameters(request)
    pair = _pair(said)
    if said.get("preview") is True:
        resource = await merging.preview(server, errand, pair)
        return _answer({"name": "result", "resource": resource})
    made = await merging.merge(server, errand, pair)
    return _answer(
        {"name": "merge", "valueUuid": f"urn:uuid:{made.id}"},
        {"name": "target-patient", "valueReference": {"reference": f"Patient/{made.winner}"}},
    )


async def post_part(request: Request) -> Response:
    """`Patient/$unmerge`: takes a merge back and lists what was written while it held."""
    server: FhirServer = http.running(request).state
    errand = server.errand(await http.caller(request), http.bearer(request))
    parted = await merging.part(server, errand, _pair(await _parameters(request)))
    return _answer(
        {"name": "merge", "valueUuid": f"urn:uuid:{parted.merge.id}"},
        {"name": "more-was-written", "valueBoolean": parted.more},
        *({"name": "written", "valueString": each} for each in parted.written),
    )


async def _parameters(request: Request) -> dict[str, Any]:
    """The values of a Parameters resource by their names."""
    resource = reading.of_type(reading.decoded(await http.body(request)), "Parameters")
    checked = reading.checked(resource)
    return {
        each["name"]: value
        for each in checked.get("parameter", ())
        for key, value in each.items()
        if key.startswith("value")
    }


def _pair(said: dict[str, Any]) -> Pair:
    names: list[str] = []
    for place in ("source-patient", "target-patient"):
        value = said.get(place)
        reference = value.get("reference") if isinstance(value, dict) else None
        if not isinstance(reference, str) or not reference.startswith("Patient/"):
            raise Invalid(f"{place} is a reference such as Patient/123.", place=place)
        names.append(reference.removeprefix("Patient/"))
    return Pair(*names)


def _answer(*parameters: dict[str, Any]) -> Response:
    body = codec.encode({"resourceType": "Parameters", "parameter": list(parameters)})
    return Response(body, media_type=MEDIA_TYPE)


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
    Route("/fhir/Patient/$merge", post_merge, methods=["POST"]),
    Route("/fhir/Patient/$unmerge", post_part, methods=["POST"]),
    Route("/fhir", fhir, methods=_METHODS),
    Route("/fhir/{path:path}", fhir, methods=_METHODS),
    Route("/records/fhir-metadata", get_own_statement),
    Route("/records/import", post_import, methods=["POST"]),
    Route("/records/relations", post_relations, methods=["POST"]),
    *leaving_routes("records", lambda request: http.running(request).state),
)

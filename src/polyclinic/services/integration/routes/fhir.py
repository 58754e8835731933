"""Subscription at the FHIR door."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.fhirserver.adoption.door import arriving_routes
from polyclinic.fhirserver.door import door, own_statement, show_problem
from polyclinic.foundation import http
from polyclinic.foundation.errors import Problem
from polyclinic.services.integration.actions.state import calling
from polyclinic.services.integration.routes.answers import engine_of

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


async def fhir(request: Request) -> Response:
    """The FHIR floor answers; registered actions learn from `calling` who asks."""
    if request.path_params.get("path", "").strip("/") != "metadata":
        try:
            calling.set(await http.caller(request))
        except Problem as problem:
            return await show_problem(request, problem, http.status_of(problem))
    return await door(engine_of(request).server, request)


async def get_own_statement(request: Request) -> Response:
    return own_statement(engine_of(request).server, request)


statement_route = Route("/integration/fhir-metadata", get_own_statement)
adopt_routes = arriving_routes("integration", lambda request: engine_of(request).server)
fhir_routes = (
    Route("/fhir", fhir, methods=_METHODS),
    Route("/fhir/{path:path}", fhir, methods=_METHODS),
)

"""Subscription at the FHIR door."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.fhirserver.adoption.door import arriving_routes
from polyclinic.fhirserver.door import FhirServer, own_statement, owner_routes
from polyclinic.services.integration.actions.state import calling
from polyclinic.services.integration.routes.answers import engine_of


def _server(request: Request) -> FhirServer:
    return engine_of(request).server


async def get_own_statement(request: Request) -> Response:
    return own_statement(_server(request), request)


statement_route = Route("/integration/fhir-metadata", get_own_statement)
adopt_routes = arriving_routes("integration", _server)
fhir_routes = owner_routes(_server, calling)

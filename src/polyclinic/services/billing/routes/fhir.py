"""Account, charges, invoices and payments at the FHIR door."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.fhirserver.adoption.door import arriving_routes
from polyclinic.fhirserver.door import FhirServer, own_statement, owner_routes
from polyclinic.services.billing.actions.state import calling
from polyclinic.services.billing.routes.answers import books_of


def _server(request: Request) -> FhirServer:
    return books_of(request).server


async def get_own_statement(request: Request) -> Response:
    return own_statement(_server(request), request)


statement_route = Route("/billing/fhir-metadata", get_own_statement)
# What records kept before billing was there is history: documents, and no entry of the ledger.
adopt_routes = arriving_routes("billing", _server)
fhir_routes = owner_routes(_server, calling)

"""Account, charges, invoices and payments at the FHIR door."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.fhirserver.adoption.door import arriving_routes
from polyclinic.fhirserver.door import door, own_statement, show_problem
from polyclinic.foundation import http
from polyclinic.foundation.errors import Problem
from polyclinic.services.billing.actions.state import calling
from polyclinic.services.billing.routes.answers import books_of

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


async def fhir(request: Request) -> Response:
    """The FHIR floor answers; registered actions learn from `calling` who asks."""
    if request.path_params.get("path", "").strip("/") != "metadata":
        try:
            calling.set(await http.caller(request))
        except Problem as problem:
            return await show_problem(request, problem, http.status_of(problem))
    return await door(books_of(request).server, request)


async def get_own_statement(request: Request) -> Response:
    return own_statement(books_of(request).server, request)


statement_route = Route("/billing/fhir-metadata", get_own_statement)
# What records kept before billing was there is history: documents, and no entry of the ledger.
adopt_routes = arriving_routes("billing", lambda request: books_of(request).server)
fhir_routes = (
    Route("/fhir", fhir, methods=_METHODS),
    Route("/fhir/{path:path}", fhir, methods=_METHODS),
)

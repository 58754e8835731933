"""Schedule, Slot and Appointment at the FHIR door."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.fhirserver.door import door
from polyclinic.foundation import http

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


async def fhir(request: Request) -> Response:
    return await door(http.running(request).state.server, request)


fhir_routes = (
    Route("/fhir", fhir, methods=_METHODS),
    Route("/fhir/{path:path}", fhir, methods=_METHODS),
)

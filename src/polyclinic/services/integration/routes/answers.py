"""How integration's doors find the engine."""

from starlette.requests import Request

from polyclinic.foundation import http
from polyclinic.services.integration.actions.state import Engine


def engine_of(request: Request) -> Engine:
    return http.running(request).state

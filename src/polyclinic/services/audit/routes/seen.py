"""Who saw the caller's own record, for the portal and for patients' own programs."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import http
from polyclinic.services.audit.actions import finding
from polyclinic.services.audit.domain.events import Person
from polyclinic.services.audit.domain.seeing import Look
from polyclinic.services.audit.routes.answers import PRIVATE, asker_of, engine_of, query
from polyclinic.services.audit.routes.searching import place_of, place_text
from polyclinic.services.audit.store.finding import Span
from polyclinic.standards.fhir.dates import EARLIEST, LATEST

ROWS = 500
_START = (LATEST, 1 << 62)


async def get_seen(request: Request) -> Response:
    """Looks of others at the caller's record, the newest first; `next` goes on before that."""
    engine, asker = engine_of(request), await asker_of(request)
    given = query(request, "before")
    before = place_of(given["before"]) if "before" in given else _START
    span = Span(EARLIEST, LATEST, before, ROWS, without=(asker.caller.subject,))
    found = await finding.looks(engine, asker, span)
    value = {
        "looks": [_look(look, person) for look, person in found.looks],
        "next": place_text(found.next) if found.next else None,
        "names": engine.settings.staff_names,
    }
    return http.json(value, headers=PRIVATE)


def _look(look: Look, person: Person) -> dict[str, Any]:
    program = look.actor if person.role == "program" else None
    return {
        "from": look.first,
        "to": look.last,
        "role": person.role,
        "name": person.name,
        "program": program,
        "did": look.did,
        "kinds": look.kinds,
    }


seen_routes = (Route("/audit/seen", get_seen),)

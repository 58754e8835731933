"""Schedule, Slot and Appointment at the FHIR door; slots are computed when they are asked for."""

from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.fhirserver.adoption.door import arriving_routes
from polyclinic.fhirserver.door import door, own_statement, show_problem
from polyclinic.fhirserver.rest.answer import MEDIA_TYPE
from polyclinic.foundation import clock, http
from polyclinic.foundation.errors import Invalid, MethodRefused, Problem
from polyclinic.services.appointments.actions import looking, slots
from polyclinic.services.appointments.actions.state import KIND, Visitor, calling
from polyclinic.services.appointments.domain import history, reading
from polyclinic.services.appointments.routes.answers import desk_of
from polyclinic.standards.fhir import codec

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


async def fhir(request: Request) -> Response:
    """The FHIR floor answers; registered actions learn from `calling` who asks."""
    path = request.path_params.get("path", "").strip("/")
    if path == "Slot" or path.startswith("Slot/"):
        return await _slots(request, path)
    if path != "metadata":
        try:
            calling.set(await http.caller(request))
        except Problem as problem:
            return await show_problem(request, problem, http.status_of(problem))
        await _log_refused(request, path)
    return await door(desk_of(request).server, request)


_ASKS = {"GET": "r", "HEAD": "r", "PUT": "u", "PATCH": "u", "DELETE": "d"}


async def _log_refused(request: Request, path: str) -> None:
    """The FHIR floor refuses a caller whose role or scope lacks the type before it looks at whose
    appointment it is: that somebody asked stands in the log all the same."""
    kind, _, name = path.partition("/")
    asks = _ASKS.get(request.method)
    if kind == KIND and name and asks is not None:
        desk = desk_of(request)
        visitor = Visitor.of(desk, calling.get())
        if not visitor.errand.access.grants[asks].allows_type(KIND):
            await looking.refused(desk, visitor, name.partition("/")[0], asks)


async def _slots(request: Request, path: str) -> Response:
    request.scope["template"] = "/fhir/Slot" if path == "Slot" else "/fhir/Slot/{id}"
    try:
        content = await _slot_answer(request, path)
    except Problem as problem:
        return await show_problem(request, problem, http.status_of(problem))
    return Response(content, media_type=MEDIA_TYPE, headers={"cache-control": "private, no-store"})


async def _slot_answer(request: Request, path: str) -> bytes:
    desk = desk_of(request)
    if request.method not in ("GET", "HEAD"):
        raise MethodRefused("Slots are computed from the clinic's hours; book an Appointment.")
    visitor = Visitor.of(desk, await http.caller(request))
    visitor.errand.access.to("s", "Slot")
    name = path.removeprefix("Slot").strip("/")
    if name and name != "_search":
        return codec.encode(await slots.read(desk, visitor, name))
    return codec.encode(await slots.search(desk, visitor, _asked(request)))


_KNOWN = frozenset({"schedule", "start", "service-type", "status", "_count", "_format", "_pretty"})


def _asked(request: Request) -> slots.SlotSearch:
    """`schedule`, `start=ge…`, `start=lt…`, `status`, `service-type`, `_count`."""
    pairs = request.query_params.multi_items()
    for name, _ in pairs:
        if name not in _KNOWN:
            raise Invalid("A search of slots has no such parameter.", place=name[:64])
    given = dict(pairs)
    first, last = _between([value for name, value in pairs if name == "start"])
    schedules = [v.removeprefix("Schedule/") for v in given.get("schedule", "").split(",") if v]
    return slots.SlotSearch(
        tuple(schedules),
        first,
        last,
        given.get("service-type", "").rpartition("|")[2],
        given.get("status", "free"),
        reading.number(given.get("_count"), 50, reading.LIMIT_MAX, "_count"),
    )


def _between(starts: list[str]) -> tuple[datetime | None, datetime | None]:
    first, last = None, None
    for value in starts:
        prefix, text = (value[:2], value[2:]) if value[:2].isalpha() else ("eq", value)
        moment = reading.moment(text, "start")
        if prefix in ("ge", "gt", "eq"):
            first = moment
        if prefix in ("le", "lt"):
            last = moment
        if prefix == "eq":
            last = moment + timedelta(minutes=5)
    return first, last


async def get_own_statement(request: Request) -> Response:
    return own_statement(desk_of(request).server, request)


# Before `/appointments/{id}`, which would take it for an appointment.
statement_route = Route("/appointments/fhir-metadata", get_own_statement)
# Also before `/appointments/{id}`.
adopt_routes = arriving_routes(
    "appointments",
    lambda request: desk_of(request).server,
    lambda kind, resource: history.why_not(kind, resource, clock.now()),
)
fhir_routes = (
    Route("/fhir", fhir, methods=_METHODS),
    Route("/fhir/{path:path}", fhir, methods=_METHODS),
)

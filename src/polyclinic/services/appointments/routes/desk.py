"""The JSON door: openings, holds, bookings, changes, the day, the waiting list, the set-up."""

from datetime import date
from typing import Any, Literal
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import clock, http, ids
from polyclinic.foundation.errors import Invalid, NotFound
from polyclinic.foundation.once import Once, Stored
from polyclinic.foundation.once.door import read
from polyclinic.services.appointments.actions import (
    booking,
    changing,
    elsewhere,
    finding,
    holding,
    looking,
    setting_up,
    shown,
    waiting,
)
from polyclinic.services.appointments.actions.booking import Request as Wish
from polyclinic.services.appointments.actions.changing import Deed
from polyclinic.services.appointments.actions.state import Desk, Visitor
from polyclinic.services.appointments.domain import access, reading
from polyclinic.services.appointments.domain.setup import Setup
from polyclinic.services.appointments.domain.values import Note
from polyclinic.services.appointments.routes.answers import desk_of, once, visitor_of
from polyclinic.services.appointments.store.waitlist import Waiting


class PlaceAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place to hold, book, move to or offer; with `hold` the rest may be left out."""

    visit_type: str = ""
    practitioner: str = ""
    start: str = ""
    patient: str | None = None
    site: str | None = None
    hold: UUID | None = None
    reason: str | None = None
    comment: str | None = None
    override: str | None = None  # staff only: why this is booked over a taken time

    def wish(self) -> Wish:
        if self.hold is None and not self.start:
            raise Invalid("Say when, or which hold.", place="start")
        start = reading.start(self.start) if self.start else 0
        note = Note(self.reason or None, self.comment or None, self.override or None)
        return Wish(
            self.visit_type, self.practitioner, start, self.patient, self.site, note, self.hold
        )


class ElsewhereAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A booking as another system has it; `source` and `key` are its own names for it.

    A reason or comment that is left out stays, an empty one is taken away. Without `status` it
    stands as it does. `appointment`: it was booked here first. `version`: as in a deed.
    """

    source: str
    key: str
    patient: str
    practitioner: str
    start: str
    minutes: int
    visit_type: str = ""
    site: str | None = None
    reason: str | None = None
    comment: str | None = None
    status: Literal["booked", "arrived", "checked-in", "fulfilled", "noshow", "cancelled", None] = (
        None
    )
    appointment: UUID | None = None
    version: int | None = None

    def booking(self) -> elsewhere.Booking:
        return elsewhere.Booking(
            reading.name(self.source, "source"), reading.name(self.key, "key"), self.patient,
            self.practitioner, reading.span(self.start, self.minutes), self.visit_type, self.site,
            Note(self.reason, self.comment), self.status, self.appointment, self.version,
        )  # fmt: skip


class DeedAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A change of state; `version` refuses it when somebody was quicker."""

    reason: str | None = None
    version: int | None = None


class WaitAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"since": "from"}):
    """A wish for the waiting list."""

    visit_type: str
    since: date
    until: date
    practitioner: str | None = None
    site: str | None = None
    patient: str | None = None


async def get_openings(request: Request) -> Response:
    """The first ones: `visit_type`, `practitioner`…, `site`, `mode`, `from`, `days`, `limit`."""
    desk, visitor = desk_of(request), await visitor_of(request)
    access.check_scope(visitor.caller, "r")
    asked = request.query_params
    search = finding.Search(
        asked.get("visit_type", ""),
        tuple(asked.getlist("practitioner")),
        asked.get("site"),
        asked.get("mode"),
        reading.moment(asked["from"], "from") if "from" in asked else None,
        reading.number(asked.get("days"), 28, reading.DAYS_MAX, "days"),
        reading.number(asked.get("limit"), 20, reading.LIMIT_MAX, "limit"),
        access.is_staff(visitor.caller),
    )
    found = await finding.find(desk, search, visitor.now)
    world = await desk.world()
    return http.json({"openings": [shown.opening(world, search.visit_type, o) for o in found]})


async def get_visit_types(request: Request) -> Response:
    """What may be booked, where and with whom: the choices of a booking page."""
    desk, visitor = desk_of(request), await visitor_of(request)
    access.check_scope(visitor.caller, "r")
    setup = (await setting_up.current(desk)).setup
    is_staff = access.is_staff(visitor.caller)
    return http.json(
        {
            "visit_types": [v for v in setup.visit_types if is_staff or v.patients_book],
            "sites": [
                {"id": s.id, "name": s.name, "time_zone": s.time_zone, "location": s.location}
                for s in setup.sites
            ],
            "practitioners": [
                {
                    "practitioner": c.practitioner,
                    "visit_types": sorted({v for r in c.rules for v in r.visit_types}),
                    "sites": sorted({r.site for r in c.rules}),
                }
                for c in setup.clinicians
            ],
            "cancel_hours": desk.settings.cancel_hours,
        }
    )


async def post_hold(request: Request) -> Response:
    async def act(desk: Desk, visitor: Visitor, asked: PlaceAsk, key: Once) -> Stored:
        return await holding.hold(desk, visitor, asked.wish(), key)

    return await once(request, PlaceAsk, act)


async def delete_hold(request: Request) -> Response:
    desk, visitor = desk_of(request), await visitor_of(request)
    await holding.release(desk, visitor, _name(request), request.query_params.get("patient"))
    return Response(status_code=204)


async def post_booking(request: Request) -> Response:
    async def act(desk: Desk, visitor: Visitor, asked: PlaceAsk, key: Once) -> Stored:
        return await booking.book(desk, visitor, asked.wish(), key)

    return await once(request, PlaceAsk, act)


async def post_elsewhere(request: Request) -> Response:
    async def act(desk: Desk, visitor: Visitor, asked: ElsewhereAsk, key: Once) -> Stored:
        return await elsewhere.take_in(desk, visitor, asked.booking(), key)

    return await once(request, ElsewhereAsk, act)


async def post_reschedule(request: Request) -> Response:
    name = _name(request)

    async def act(desk: Desk, visitor: Visitor, asked: PlaceAsk, key: Once) -> Stored:
        return await changing.reschedule(desk, visitor, name, asked.wish(), key)

    return await once(request, PlaceAsk, act)


async def post_deed(request: Request) -> Response:
    """`cancel`, `arrive`, `check-in`, `fulfil`, `no-show`, `undo`."""
    name, verb = _name(request), request.path_params["verb"]
    if verb not in _DEEDS:
        raise NotFound(place="url")

    async def act(desk: Desk, visitor: Visitor, asked: DeedAsk, key: Once) -> Stored:
        deed = Deed(verb, asked.reason, asked.version)
        return await changing.change(desk, visitor, name, deed, key)

    return await once(request, DeedAsk, act)


async def get_appointment(request: Request) -> Response:
    visitor = await visitor_of(request)
    return http.json(await looking.one(desk_of(request), visitor, _name(request)))


async def get_mine(request: Request) -> Response:
    visitor = await visitor_of(request)
    patient = request.query_params.get("patient")
    return http.json(await looking.mine(desk_of(request), visitor, patient))


async def get_day(request: Request) -> Response:
    visitor, asked = await visitor_of(request), request.query_params
    try:
        on = date.fromisoformat(asked.get("date") or clock.today().isoformat())
    except ValueError as bad:
        raise Invalid("A day is written 2026-11-23.", place="date") from bad
    return http.json(await looking.day(desk_of(request), visitor, on, asked.get("site")))


async def get_invitation(request: Request) -> Response:
    visitor = await visitor_of(request)
    content = await looking.invitation(desk_of(request), visitor, _name(request))
    headers = {"content-disposition": 'attachment; filename="appointment.ics"'}
    return Response(content, media_type="text/calendar; charset=utf-8", headers=headers)


async def post_waiting(request: Request) -> Response:
    async def act(desk: Desk, visitor: Visitor, asked: WaitAsk, key: Once) -> Stored:
        wish = Waiting(
            ids.new_uuid(), asked.patient or "", 0, asked.visit_type, asked.practitioner,
            asked.site, asked.since, asked.until,
        )  # fmt: skip
        return await waiting.join(desk, visitor, wish, key)

    return await once(request, WaitAsk, act)


async def get_waiting(request: Request) -> Response:
    return http.json(await waiting.listed(desk_of(request), await visitor_of(request)))


async def post_offer(request: Request) -> Response:
    name = _name(request)

    async def act(desk: Desk, visitor: Visitor, asked: PlaceAsk, key: Once) -> Stored:
        return await waiting.offer(desk, visitor, name, asked.wish(), key)

    return await once(request, PlaceAsk, act)


async def post_leave(request: Request) -> Response:
    name = _name(request)

    async def act(desk: Desk, visitor: Visitor, _: DeedAsk, key: Once) -> Stored:
        return await waiting.leave(desk, visitor, name, key)

    return await once(request, DeedAsk, act)


async def get_setup(request: Request) -> Response:
    visitor = await visitor_of(request)
    access.check_setup(visitor.caller)
    return _setup(await setting_up.current(desk_of(request)))


async def put_setup(request: Request) -> Response:
    """The whole week at once; `If-Match` refuses it when somebody changed it meanwhile."""
    visitor = await visitor_of(request)
    access.check_setup(visitor.caller)
    setup = read(await http.body(request, 4 * 1024 * 1024), Setup)
    match = request.headers.get("if-match", "").strip('W/"')
    if match and not match.isdigit():
        raise Invalid("A version is a number.", place="If-Match")
    version = int(match) if match else None
    return _setup(await setting_up.replace_setup(desk_of(request), visitor, setup, version))


def _setup(found: setting_up.SetUp) -> Response:
    value: dict[str, Any] = {"version": found.version, "setup": found.setup}
    return http.json(value, headers={"etag": f'"{found.version}"'})


def _name(request: Request) -> UUID:
    return reading.uuid_of(request.path_params["name"])


_DEEDS = frozenset({"cancel", "arrive", "check-in", "fulfil", "no-show", "undo"})
_BASE = "/appointments"
desk_routes = (
    Route(f"{_BASE}/openings", get_openings),
    Route(f"{_BASE}/visit-types", get_visit_types),
    Route(f"{_BASE}/holds", post_hold, methods=["POST"]),
    Route(f"{_BASE}/holds/{{name}}", delete_hold, methods=["DELETE"]),
    Route(f"{_BASE}/bookings", post_booking, methods=["POST"]),
    Route(f"{_BASE}/elsewhere", post_elsewhere, methods=["POST"]),
    Route(f"{_BASE}/day", get_day),
    Route(f"{_BASE}/mine", get_mine),
    Route(f"{_BASE}/setup", get_setup),
    Route(f"{_BASE}/setup", put_setup, methods=["PUT"]),
    Route(f"{_BASE}/waitlist", get_waiting),
    Route(f"{_BASE}/waitlist", post_waiting, methods=["POST"]),
    Route(f"{_BASE}/waitlist/{{name}}/offer", post_offer, methods=["POST"]),
    Route(f"{_BASE}/waitlist/{{name}}/leave", post_leave, methods=["POST"]),
    Route(f"{_BASE}/{{name}}", get_appointment),
    Route(f"{_BASE}/{{name}}/invitation.ics", get_invitation),
    Route(f"{_BASE}/{{name}}/reschedule", post_reschedule, methods=["POST"]),
    Route(f"{_BASE}/{{name}}/{{verb}}", post_deed, methods=["POST"]),
)

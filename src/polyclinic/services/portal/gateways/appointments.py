"""Appointments over its JSON door: openings, holds, bookings, the day and the waiting list."""

import asyncio
from datetime import date, datetime
from typing import Any, Protocol, TypeVar

import httpx
import msgspec

from polyclinic.foundation.errors import Conflict, NotProcessable, Problem, Unavailable
from polyclinic.foundation.peers import Peers
from polyclinic.services.portal.domain.booking import (
    Appointment,
    DayOf,
    Hold,
    Opening,
    Setup,
    Waiting,
)
from polyclinic.services.portal.gateways.answers import decoded_as, refusal

NAME = "appointments"
# How long the second press of a button waits for the answer to the first: four seconds in all,
# well within the time that a person waits for a page.
PAUSES = (0.05, 0.1, 0.2, 0.4, 0.75, 1.0, 1.5)
T = TypeVar("T")


class Taken(Conflict):
    """That time was just taken."""

    def __init__(self, message: str | None = None, *, nearest: tuple[Opening, ...] = ()) -> None:
        super().__init__(message, place="start")
        self.nearest = nearest


class Refused(Conflict):
    """It cannot be done to this appointment any more."""


class AlreadyThere(Refused):
    """You already have an appointment at this time."""


class HoldOver(Refused):
    """The place is no longer kept; it may be free all the same."""


class StillRunning(Unavailable):
    """Your request is still being carried out."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which openings are looked for."""

    visit_type: str
    begins: datetime
    days: int = 28
    clinicians: tuple[str, ...] = ()
    site: str = ""
    limit: int = 60


class Booking(msgspec.Struct, frozen=True, kw_only=True):
    """What is booked, with a hold or without one."""

    opening: Opening
    patient: str
    hold: str | None = None
    reason: str = ""
    override: str = ""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody waits for."""

    patient: str
    visit_type: str
    begins: date = msgspec.field(name="from")
    until: date
    practitioner: str | None = None
    site: str | None = None


class Appointments(Protocol):
    """The appointments service; every change names its try, so that it is made once."""

    async def setup(self, token: str) -> Setup: ...

    async def openings(self, token: str, asked: Asked) -> list[Opening]: ...

    async def hold(self, token: str, key: str, patient: str, opening: Opening) -> Hold:
        """Raises Taken."""
        ...

    async def book(self, token: str, key: str, booking: Booking) -> Appointment:
        """Raises Taken, or Conflict when the patient is elsewhere at that time."""
        ...

    async def move(
        self, token: str, key: str, appointment: str, booking: Booking
    ) -> Appointment: ...

    async def deed(
        self, token: str, key: str, appointment: str, verb: str, reason: str = ""
    ) -> Appointment:
        """arrive, check-in, fulfil, no-show, undo, cancel"""
        ...

    async def mine(self, token: str) -> list[Appointment]: ...

    async def day(self, token: str, on: date, site: str) -> DayOf: ...

    async def read(self, token: str, appointment: str) -> Appointment: ...

    async def invitation(self, token: str, appointment: str) -> bytes: ...

    async def wait(self, token: str, key: str, wish: Wish) -> Waiting: ...

    async def waiting(self, token: str) -> list[Waiting]: ...

    async def offer(self, token: str, key: str, waiting: str, opening: Opening) -> Hold:
        """Keeps a place for somebody who waits; raises Taken."""
        ...


class _Openings(msgspec.Struct, frozen=True):
    openings: list[Opening]


class _Appointment(msgspec.Struct, frozen=True):
    appointment: Appointment


class _Appointments(msgspec.Struct, frozen=True):
    appointments: list[Appointment]


class _Hold(msgspec.Struct, frozen=True):
    hold: Hold


class _Waiting(msgspec.Struct, frozen=True):
    waiting: Waiting


class _WaitingList(msgspec.Struct, frozen=True):
    waiting: list[Waiting]


class _Offer(msgspec.Struct, frozen=True):
    hold: str


class _Offered(msgspec.Struct, frozen=True):
    offer: _Offer


class _Refusal(msgspec.Struct, frozen=True):
    """What a 409 or 422 says, and what is free near the place that was asked for."""

    kind: str = ""
    error_description: str = ""
    place: str | None = None
    nearest: list[Opening] = []


class HttpAppointments:
    """The appointments service as its door speaks."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def setup(self, token: str) -> Setup:
        return await self._ask(token, "GET", "/visit-types", Setup)

    async def openings(self, token: str, asked: Asked) -> list[Opening]:
        params: list[tuple[str, str]] = [
            ("visit_type", asked.visit_type),
            ("from", asked.begins.isoformat()),
            ("days", str(asked.days)),
            ("limit", str(asked.limit)),
        ]
        params += [("practitioner", each) for each in asked.clinicians]
        if asked.site:
            params.append(("site", asked.site))
        return (await self._ask(token, "GET", "/openings", _Openings, params=params)).openings

    async def hold(self, token: str, key: str, patient: str, opening: Opening) -> Hold:
        body = {**_place(opening), "patient": patient}
        return (await self._tell(token, key, "/holds", _Hold, body)).hold

    async def book(self, token: str, key: str, booking: Booking) -> Appointment:
        body = {**_wanted(booking), "patient": booking.patient}
        if booking.reason:
            body["reason"] = booking.reason
        return (await self._tell(token, key, "/bookings", _Appointment, body)).appointment

    async def move(self, token: str, key: str, appointment: str, booking: Booking) -> Appointment:
        path = f"/{appointment}/reschedule"
        return (await self._tell(token, key, path, _Appointment, _wanted(booking))).appointment

    async def deed(
        self, token: str, key: str, appointment: str, verb: str, reason: str = ""
    ) -> Appointment:
        body = {"reason": reason} if reason else {}
        path = f"/{appointment}/{verb}"
        return (await self._tell(token, key, path, _Appointment, body)).appointment

    async def mine(self, token: str) -> list[Appointment]:
        return (await self._ask(token, "GET", "/mine", _Appointments)).appointments

    async def day(self, token: str, on: date, site: str) -> DayOf:
        params = [("date", on.isoformat()), *([("site", site)] if site else [])]
        return await self._ask(token, "GET", "/day", DayOf, params=params)

    async def read(self, token: str, appointment: str) -> Appointment:
        return (await self._ask(token, "GET", f"/{appointment}", _Appointment)).appointment

    async def invitation(self, token: str, appointment: str) -> bytes:
        path = f"/{appointment}/invitation.ics"
        return _checked(await self._send(token, "GET", path)).content

    async def wait(self, token: str, key: str, wish: Wish) -> Waiting:
        body = msgspec.to_builtins(wish)
        return (await self._tell(token, key, "/waitlist", _Waiting, body)).waiting

    async def waiting(self, token: str) -> list[Waiting]:
        return (await self._ask(token, "GET", "/waitlist", _WaitingList)).waiting

    async def offer(self, token: str, key: str, waiting: str, opening: Opening) -> Hold:
        path = f"/waitlist/{waiting}/offer"
        made = await self._tell(token, key, path, _Offered, _place(opening))
        listed = await self.waiting(token)
        ends = next((w.offer_ends for w in listed if w.id == waiting and w.offer_ends), None)
        return Hold(made.offer.hold, ends or opening.start)

    async def _ask(self, token: str, method: str, path: str, kind: type[T], **sent: Any) -> T:
        answer = _checked(await self._send(token, method, path, **sent))
        return decoded_as(answer.content, kind, NAME)

    async def _tell(
        self, token: str, key: str, path: str, kind: type[T], body: dict[str, Any]
    ) -> T:
        """A change; whoever presses twice waits for the answer to the first press."""
        for pause in PAUSES:
            try:
                return await self._ask(token, "POST", path, kind, key=key, json=body)
            except StillRunning:
                await asyncio.sleep(pause)
        return await self._ask(token, "POST", path, kind, key=key, json=body)

    async def _send(
        self, token: str, method: str, path: str, key: str | None = None, **sent: Any
    ) -> httpx.Response:
        headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
        if key is not None:
            headers["idempotency-key"] = key
        return await self._peers.send(
            "appointments", method, f"/{NAME}{path}", headers=headers, **sent
        )


def _place(opening: Opening) -> dict[str, Any]:
    return {
        "visit_type": opening.visit_type,
        "practitioner": opening.practitioner,
        "site": opening.site,
        "start": opening.start.isoformat(),
    }


def _wanted(booking: Booking) -> dict[str, Any]:
    body: dict[str, Any] = {"hold": booking.hold} if booking.hold else _place(booking.opening)
    if booking.override:
        body["override"] = booking.override
    return body


def _checked(answer: httpx.Response) -> httpx.Response:
    """Raises what a refusal means for a page: taken with what is nearest, or why not."""
    if answer.is_success:
        return answer
    if answer.status_code in (409, 422):
        raise _refused(answer.status_code, decoded_as(answer.content, _Refusal, NAME))
    raise refusal(answer.status_code, NAME)


def _refused(status: int, said: _Refusal) -> Problem:
    message = said.error_description or None
    if status == 422:
        return NotProcessable(message, place=said.place)
    if said.kind == "PlaceTaken":
        return Taken(message, nearest=tuple(said.nearest))
    if said.kind == "StillRunning":
        return StillRunning(place=NAME)
    kind = {"HoldEnded": HoldOver, "AlreadyThere": AlreadyThere}.get(said.kind, Refused)
    return kind(message, place=said.place)

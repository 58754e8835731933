"""The portal asks appointments for a change once, and waits for the answer of its first try."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from polyclinic.foundation.errors import Unavailable
from polyclinic.foundation.peers import Peers
from polyclinic.services.portal.domain.booking import Opening
from polyclinic.services.portal.gateways import appointments
from polyclinic.services.portal.gateways.appointments import Booking, HttpAppointments

START = datetime(2026, 11, 24, 14, 40, tzinfo=UTC)
BOOKING = Booking(
    opening=Opening(START, START + timedelta(minutes=20), "Practitioner/ruiz", "north", "review"),
    patient="Patient/maria",
)


@dataclass
class BusyAppointments:
    """The booking door, still at work on a key for its first so many answers."""

    busy: int
    keys: list[str] = field(default_factory=list)

    async def book(self, request: Request) -> Response:
        self.keys.append(request.headers["idempotency-key"])
        if len(self.keys) <= self.busy:
            return JSONResponse({"kind": "StillRunning", "error_description": "Not yet."}, 409)
        asked = json.loads(await request.body())
        booked = {
            **{name: asked[name] for name in ("patient", "practitioner", "visit_type", "site")},
            "id": "a1",
            "start": asked["start"],
            "end": (START + timedelta(minutes=20)).isoformat(),
            "status": "booked",
        }
        return JSONResponse({"appointment": booked})


@pytest.fixture
async def busy() -> AsyncIterator[tuple[BusyAppointments, HttpAppointments]]:
    service, peers = BusyAppointments(2), Peers()
    door = Starlette(routes=[Route("/appointments/bookings", service.book, methods=["POST"])])
    peers.add_local("appointments", door)
    yield service, HttpAppointments(peers)
    await peers.close()


async def test_a_second_press_waits_and_hears_the_answer_to_the_first(
    busy: tuple[BusyAppointments, HttpAppointments],
):
    service, gateway = busy
    booked = await gateway.book("token", "draft-book-1", BOOKING)
    assert booked.id == "a1"
    assert service.keys == ["draft-book-1"] * 3


async def test_a_press_whose_answer_never_comes_is_told_so(
    busy: tuple[BusyAppointments, HttpAppointments], monkeypatch: pytest.MonkeyPatch
):
    service, gateway = busy
    service.busy = 99
    monkeypatch.setattr(appointments, "PAUSES", (0.0, 0.0))
    with pytest.raises(Unavailable, match="still being carried out"):
        await gateway.book("token", "draft-book-1", BOOKING)
    assert service.keys == ["draft-book-1"] * 3

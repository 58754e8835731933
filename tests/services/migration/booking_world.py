"""A world whose bookings move, too: the clinic's week here, and people at both desks."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from moving_world import ADMIN, OPERATOR, SYSTEM, open_world

from polyclinic.contracts.appointments import elsewhere_id
from polyclinic.foundation import clock
from polyclinic.services.appointments.actions import auditing, booking, changing, setting_up
from polyclinic.services.appointments.actions.booking import Request
from polyclinic.services.appointments.actions.changing import Deed
from polyclinic.services.appointments.actions.state import Visitor
from polyclinic.services.appointments.domain import reading
from polyclinic.services.appointments.domain.setup import WEEKDAYS, Setup
from polyclinic.services.appointments.domain.values import Note
from polyclinic.services.appointments.store import appointments

ZONE = ZoneInfo("America/New_York")
SITES = {"kim": "main", "obi": "main", "lund": "quay", "vega": "quay", "shah": "tern",
         "rowe": "tern"}  # fmt: skip
WEEK = {
    "visit_types": [{"id": "visit", "name": "Visit", "minutes": 15, "after": 5, "every": 5,
                     "notice_minutes": 0}],
    "sites": [
        {"id": site, "name": site, "time_zone": str(ZONE), "location": f"Location/harbor-{site}"}
        for site in ("main", "quay", "tern")
    ],
    "clinicians": [
        {"practitioner": f"Practitioner/harbor-{name}", "time_zone": str(ZONE), "rules": [
            {"weekday": day, "from": "07:00", "to": "19:00", "site": site, "visit_types": ["visit"]}
            for day in WEEKDAYS
        ]}
        for name, site in SITES.items()
    ],
}  # fmt: skip


def wall(days: int, text: str) -> str:
    """A time on the wall so many days from today, as the old clinic writes it."""
    return f"{(clock.now().astimezone(ZONE) + timedelta(days=days)).date()} {text}"


def instant(text: str) -> str:
    found = datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=ZONE)
    return f"{found.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


class Desks:
    """The old clinic's desk and ours."""

    def __init__(self, world, desk) -> None:
        self.world, self.desk = world, desk

    @property
    def visitor(self) -> Visitor:
        return Visitor.of(self.desk, OPERATOR)

    async def set_up(self) -> None:
        week = msgspec.convert(WEEK, Setup)
        await setting_up.replace_setup(self.desk, Visitor.of(self.desk, ADMIN), week, None)

    async def find(self, name: UUID):
        return await appointments.find(self.desk.running.database, name)

    async def of_row(self, key: int):
        return await self.find(self.name(key))

    @staticmethod
    def name(key: int) -> UUID:
        return elsewhere_id(f"urn:polyclinic:legacy:{SYSTEM}:appts", str(key))

    async def status(self, key: int) -> str | None:
        found = await self.of_row(key)
        return found.status if found else None

    async def book(self, patient: str, at: str, doctor: str = "kim", **note: str) -> UUID:
        start = reading.start(instant(at))
        who = f"Practitioner/harbor-{doctor}"
        asked = Request("visit", who, start, f"Patient/{patient}", note=Note(**note))
        stored = await booking.book(self.desk, self.visitor, asked, None)
        return UUID(msgspec.json.decode(stored.body)["appointment"]["id"])

    async def move(self, name: UUID, at: str) -> None:
        asked = Request("", "", reading.start(instant(at)))
        await changing.reschedule(self.desk, self.visitor, name, asked, None)

    async def do(self, name: UUID, verb: str) -> None:
        await changing.change(self.desk, self.visitor, name, Deed(verb), None)

    def booked_there(self, patient: int, at: str, doctor: int = 1, stat: str = "BOOKED") -> int:
        """A new row of the old clinic's own."""
        old = self.world
        key = old.one("SELECT max(id) FROM appts") + 1
        site = ("MAIN", "MAIN", "QUAY", "QUAY", "TERN", "TERN")[doctor - 1]
        old.do(
            "INSERT INTO appts (id, pat_id, prov_id, site, start_dt, mins, reason, stat, upd_ts)"
            " VALUES (?, ?, ?, ?, ?, 15, 'Cough', ?, '')", key, patient, doctor, site, at, stat,
        )  # fmt: skip
        return key

    def rows_at(self, at: str, doctor: int = 1) -> list[tuple]:
        query = "SELECT id, pat_id, stat FROM appts WHERE start_dt = ? AND prov_id = ? ORDER BY id"
        return self.world.old.all(query, at, doctor)

    async def never_wrong(self) -> None:
        assert await auditing.audit(self.desk, clock.now()) == {}


@asynccontextmanager
async def open_desks(assembled, old):
    async with open_world(assembled, old, "appointments") as world:
        desks = Desks(world, world.process.running["appointments"].state)
        await desks.set_up()
        yield desks

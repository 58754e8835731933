"""Appointments as its clients meet it: over HTTP, each person with a token of their own."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))
from service_door import ServiceDoor, at_work, caller, clinician, opened, patient

from polyclinic.foundation import clock
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.http import App

__all__ = (
    "SAM",
    "SYSTEM",
    "TOM",
    "ZONE",
    "Door",
    "at",
    "caller",
    "clinician",
    "open_door",
    "patient",
    "week",
)
ZONE = ZoneInfo("America/New_York")


TOM = caller("front-desk", "Practitioner/tom", "user/Appointment.cruds", "user/Slot.rs")
SAM = caller("administrator", "Practitioner/sam", "user/Practitioner.rs")
SYSTEM = caller("system", None, "system/*.cruds")

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def week(*clinicians: str, visit: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A clinic open every day 09:00-12:00 and 13:00-17:00, so that tests need no special date."""
    types = [
        {"id": "visit", "name": "Visit", "minutes": 20, "every": 20, "notice_minutes": 0,
         **(visit or {})},
        *more.pop("types", []),
    ]  # fmt: skip
    ids = [each["id"] for each in types]
    rules = [
        {"weekday": day, "from": begins, "to": ends, "site": "main", "visit_types": ids}
        for day in DAYS
        for begins, ends in (("09:00", "12:00"), ("13:00", "17:00"))
    ]
    return {
        "visit_types": types,
        "sites": [{"id": "main", "name": "Northside Clinic", "time_zone": "America/New_York",
                   "location": "Location/main"}],
        "rooms": more.pop("rooms", []),
        "clinicians": [
            {"practitioner": f"Practitioner/{name}", "time_zone": "America/New_York",
             "rules": rules}
            for name in clinicians
        ],
        **more,
    }  # fmt: skip


def at(days: int, wall: str) -> str:
    """A wall-clock time of the clinic so many days from today, with its offset."""
    day = (clock.now().astimezone(ZONE) + timedelta(days=days)).date()
    hour, minute = map(int, wall.split(":"))
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZONE).isoformat()


@dataclass(repr=False)
class Door(ServiceDoor):
    """Appointments at work on a database of its own."""

    @property
    def desk(self) -> Any:
        return self.running.state

    async def set_up(self, document: dict[str, Any]) -> None:
        answer = await self.ask(SAM, "PUT", "/appointments/setup", document)
        assert answer.status_code == 200, answer.text

    async def book(self, who: Caller, start: str, doctor: str = "ana", **more: Any):
        key = more.pop("key", None)
        body = {"visit_type": "visit", "practitioner": f"Practitioner/{doctor}", "start": start}
        headers = {"idempotency_key": key} if key else {}
        return await self.ask(who, "POST", "/appointments/bookings", body | more, **headers)

    async def booked(self, who: Caller, start: str, doctor: str = "ana", **more: Any) -> Any:
        answer = await self.book(who, start, doctor, **more)
        assert answer.status_code == 201, answer.text
        return answer.json()["appointment"]

    async def taken_in(self, number: str, start: str, who: Caller = SYSTEM, **changes: Any) -> Any:
        """Says a booking of another system, under a number of that system's."""
        body = {
            "source": "HIS", "key": number, "patient": f"Patient/{number}",
            "practitioner": "Practitioner/lena", "start": start, "minutes": 30,
        }  # fmt: skip
        return await self.ask(who, "POST", "/appointments/elsewhere", body | changes)

    async def openings(self, who: Caller, **asked: Any) -> list[dict[str, Any]]:
        query = httpx.QueryParams({"visit_type": "visit", **asked})
        answer = await self.ask(who, "GET", f"/appointments/openings?{query}")
        assert answer.status_code == 200, answer.text
        return answer.json()["openings"]

    async def said(self, subject: str) -> list[str]:
        """The kinds of events about a subject, numbered already or not, in order."""
        rows = await self.sql(
            "SELECT kind FROM ("
            " SELECT 1 AS part, seq AS n, kind, subject FROM appointments.feed_entry"
            " UNION ALL SELECT 2, position, kind, subject FROM appointments.outbox) AS e"
            " WHERE subject = $1 AND kind !~ '^Resource' ORDER BY part, n",
            subject,
        )
        return [row["kind"] for row in rows]

    async def empty(self) -> None:
        """Takes every booking away; set-up and keys stay."""
        await self.sql("DELETE FROM appointments.atom")
        for table in (
            "hold",
            "elsewhere",
            "appointment",
            "overbooking",
            "answered",
            "waiting",
            "resource",
            "version",
            "posting",
            "date_range",
            "relation",
        ):
            await self.sql(f"DELETE FROM appointments.{table}")
        self.desk.calendar.forget()
        self.desk.worlds.forget()

    async def never_wrong(self) -> None:
        """The auditor finds nothing, and every atom belongs to somebody."""
        found = await self.desk_audit()
        assert found == {}, found

    async def desk_audit(self) -> dict[str, int]:
        from polyclinic.services.appointments.actions.auditing import audit

        return await audit(self.desk, clock.now())


@asynccontextmanager
async def open_door(
    postgres_url: str, key_file: Path, *, beside: "Door | None" = None, **environ: str
) -> AsyncIterator[Door]:
    """A desk on a new database, or a second process on that of another."""
    cluster = (postgres_url, key_file)
    async with at_work("appointments", cluster, beside, environ) as (running, url):
        door = Door(running, App(running), url)
        async with opened(door):
            yield door

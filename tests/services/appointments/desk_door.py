"""Appointments as its clients meet it: over HTTP, each person with a token of their own."""

import itertools
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo

import asyncpg
import httpx

from polyclinic.assembly.process import assemble
from polyclinic.foundation import clock
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.errors import Unauthenticated
from polyclinic.foundation.http import App
from polyclinic.foundation.settings import Platform

ZONE = ZoneInfo("America/New_York")
_numbers = itertools.count(1)


def caller(role: str, person: str | None, *scopes: str) -> Caller:
    name = f"{role}:{person or '-'}"
    return Caller(name, "test", role, frozenset(scopes), person, f"t-{name}-{'-'.join(scopes)}")


def patient(name: str, *scopes: str) -> Caller:
    return caller("patient", f"Patient/{name}", *(scopes or ("patient/*.cruds",)))


def clinician(name: str) -> Caller:
    return caller("clinician", f"Practitioner/{name}", "user/*.cruds")


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
class Door:
    """Appointments at work on a database of its own."""

    running: Any
    app: App
    url: str
    tokens: dict[str, Caller] = field(default_factory=dict)
    client: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        transport = httpx.ASGITransport(app=self.app)  # pyright: ignore
        self.client = httpx.AsyncClient(transport=transport, base_url="http://clinic.test")

    async def verify(self, token: str) -> Caller:
        if token not in self.tokens:
            raise Unauthenticated
        return self.tokens[token]

    @property
    def desk(self) -> Any:
        return self.running.state

    async def ask(self, who: Caller, method: str, path: str, body: Any = None, **headers: str):
        self.tokens[who.token_id] = who
        sent = {"authorization": f"Bearer {who.token_id}"}
        if method == "POST" and not path.startswith("/fhir"):
            sent["idempotency-key"] = f"key-{next(_numbers)}"
        if path.startswith("/fhir") and body is not None:
            sent["content-type"] = "application/fhir+json"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.request(method, path, json=body, headers=sent)

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

    async def openings(self, who: Caller, **asked: Any) -> list[dict[str, Any]]:
        query = httpx.QueryParams({"visit_type": "visit", **asked})
        answer = await self.ask(who, "GET", f"/appointments/openings?{query}")
        assert answer.status_code == 200, answer.text
        return answer.json()["openings"]

    async def sql(self, query: str, *values: Any) -> list[Any]:
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetch(query, *values)
        finally:
            await connection.close()

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
    name = f"desk_{uuid.uuid4().hex}"
    url = beside.url if beside else urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}"))
    if beside is None:
        await run(postgres_url, f'CREATE DATABASE "{name}" STRATEGY FILE_COPY')
    platform = Platform(database_url=url, key_file=str(key_file), public_url="http://clinic.test")
    try:
        async with assemble(platform, ("appointments",), environ) as process:
            running = process.running["appointments"]
            door = Door(running, App(running), url)
            running.callers = door  # pyright: ignore
            async with door.client:
                yield door
    finally:
        if beside is None:
            await run(postgres_url, f'DROP DATABASE "{name}" WITH (FORCE)')


async def run(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()

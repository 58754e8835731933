"""The old clinic's database and records side by side, and a person who moves rows between them."""

import asyncio
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import resources
from typing import Any

import msgspec
from old_clinics import OldPostgres, OldSqlite

from polyclinic.demo import legacy
from polyclinic.fhirserver.rest.ask import Ask
from polyclinic.foundation.caller import Caller
from polyclinic.services.migration.actions import data
from polyclinic.services.migration.domain import crossing

SYSTEM = "harbor-street"
MOVING = (resources.files(legacy) / "moving.yaml").read_text()
PAIRS = ("patients", "allergies", "problems", "meds", "labs")
ADMIN = Caller("sam", "test", "administrator", frozenset({"user/*.cruds"}), None, "t-admin")
OPERATOR = Caller("operator", "test", "system", frozenset({"system/*.cruds"}), None, "t-operator")


@dataclass
class World:
    """The old clinic's database and ours, side by side."""

    passage: Any
    process: Any
    old: OldSqlite | OldPostgres

    @property
    def records(self) -> Any:
        return self.process.running["records"].state

    async def begin(self, direction: str = "forward", *pairs: str) -> None:
        for pair in pairs or PAIRS:
            await data.direct(self.passage, ADMIN, f"{SYSTEM}/{pair}", direction, None)

    async def settle(self, seconds: float = 90) -> None:
        """Goes on until there is nothing to do and every event was heard."""
        end = time.monotonic() + seconds
        quiet = 0
        while quiet < 3:
            assert time.monotonic() < end, "it never comes to rest"
            way = await data.need(self.passage, SYSTEM)
            async with self.passage.moving:
                busy = await data.step_of(way)
            quiet = 0 if busy else quiet + 1
            await asyncio.sleep(0 if busy else 0.1)

    async def agree(self) -> None:
        """Both sides come to say the same, once what is on its way has arrived."""
        end = time.monotonic() + 60
        await self.settle()
        while (report := await self.report())["divergence"]:
            assert time.monotonic() < end, report
            await self.settle()

    async def way(self):
        return await data.need(self.passage, SYSTEM)

    async def report(self) -> dict[str, Any]:
        return await data.reconcile(self.passage, ADMIN, SYSTEM)

    async def reasons(self) -> Counter:
        shown = await data.shown(self.passage, SYSTEM)
        return Counter(
            {(r["pair"], r["place"], r["reason"]): r["count"] for r in shown["quarantine"]}
        )

    def resource(self, table: str, key: Any) -> str:
        return crossing.resource_id(SYSTEM, table, key)

    async def read(self, kind: str, name: str) -> dict[str, Any] | None:
        errand = self.records.errand(OPERATOR)
        try:
            grant = errand.access.to("r", kind)
            document = await self.records.store.read(errand, grant, kind, name)
        except Exception:  # noqa: BLE001 - absent, gone
            return None
        return msgspec.json.decode(document.body)

    async def put(self, resource: dict[str, Any]) -> None:
        ask = Ask("PUT", (resource["resourceType"], resource["id"]), resource=resource)
        answer = await self.records.interactions.carry(
            self.records.errand(OPERATOR), ask, "http://clinic.test/fhir"
        )
        assert answer.status in (200, 201)

    async def delete(self, kind: str, name: str) -> None:
        ask = Ask("DELETE", (kind, name))
        answer = await self.records.interactions.carry(
            self.records.errand(OPERATOR), ask, "http://clinic.test/fhir"
        )
        assert answer.status in (200, 204)

    def first_patients(self, count: int) -> tuple[list[int], list[str]]:
        """Keys and record numbers of patients without a fault."""
        query = "SELECT id, mrn FROM patients WHERE del_flag = 'N' ORDER BY id LIMIT ?"
        keys, numbers = zip(*self.old.all(query, count), strict=True)
        return list(keys), list(numbers)

    async def until(self, condition, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "what was written here never came back"
            await asyncio.sleep(0.05)

    async def until_aside(self, pair: str, place: str, reason: str, count: int) -> None:
        end = time.monotonic() + 60
        while (seen := await self.reasons())[pair, place, reason] != count:
            assert time.monotonic() < end, seen
            await asyncio.sleep(0.05)

    def do(self, statement: str, *values: Any) -> None:
        self.old.do(statement, *values)

    def one(self, query: str, *values: Any) -> Any:
        rows = self.old.all(query, *values)
        row = rows[0] if rows else None
        return row[0] if row is not None and len(row) == 1 else row


@asynccontextmanager
async def open_world(assembled, old: OldSqlite | OldPostgres, *more: str):
    async with assembled("identity", "records", "migration", *more) as process:
        passage = process.running["migration"].state
        # The clock's own steps would run between those of the tests.
        opened = World(passage, process, old)
        await data.set_up(passage, ADMIN, MOVING, old.url, None)
        yield opened

"""A rollout goes back while people write, and each acknowledged write stands in the old system.

The old clinic and polyclinic itself, a gateway before both, rows going both ways beneath. People
add allergies through the gateway; each belongs to the side of its patient. Then the new side
begins to say something else than was written, the rollout goes back by itself, and what polyclinic
had acknowledged goes home.
"""

import asyncio
import base64
import contextlib
import itertools
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from gateway_world import free_port, ladder, serving_app
from old_clinics import TODAY, OldPostgres, OldSqlite

from polyclinic.assembly.process import assemble
from polyclinic.demo import legacy
from polyclinic.demo.legacy import Settings, legacy_clinic
from polyclinic.foundation import clock, serving
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.settings import Platform
from polyclinic.services.migration.actions import data, leading, rolling
from polyclinic.services.migration.actions.leading import Declared
from polyclinic.services.migration.domain import moving
from polyclinic.services.migration.listeners import open_gateway

SYSTEM, CAPABILITY = "harbor-street", "allergies"
MOVING = (resources.files(legacy) / "moving.yaml").read_text()
SAM = Caller("sam", "test", "administrator", frozenset({"user/*.cruds"}), None, "t-admin")
SIGNED_IN = {"authorization": "Basic " + base64.b64encode(b"skim:harbor").decode()}
# What integration.md asks for; a loaded machine is given no more.
BACK_SECONDS, HOME_SECONDS = 120, 120
CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
OF_PATIENT = {"$of": "$path.mrn", "$before": "Patient?identifier=urn:harbor:mrn|"}
ROUTES: list[dict[str, Any]] = [
    {
        "name": "list", "method": "GET", "path": "/api/patient/{mrn}/allergies",
        "unit": ["path:mrn"],
        "candidate": {
            "path": "/fhir/AllergyIntolerance", "own": True, "guard": "/api/patient/{mrn}",
            "query": "patient.identifier=urn:harbor:mrn|{mrn}&_count=200",
            "answer": {"MRN": "$path.mrn", "allergies": {
                "$of": "$.entry", "$each": {"Substance": "$.resource.code.text"}}},
        },
        "compare": {"ignore": ["NKA"], "fields": [
            {"path": "MRN", "kind": "id", "severity": 1},
            {"path": "allergies", "kind": "list", "severity": 1, "key": ["Substance"],
             "fields": [{"path": "Substance", "severity": 1}]},
        ]},
    },
    {
        "name": "add", "method": "POST", "path": "/api/patient/{mrn}/allergies",
        "unit": ["path:mrn"],
        "candidate": {
            "path": "/fhir", "own": True, "guard": "/api/patient/{mrn}",
            "request": {"resourceType": "Bundle", "type": "transaction", "entry": [{
                "request": {"method": "POST", "url": "AllergyIntolerance"},
                "resource": {
                    "resourceType": "AllergyIntolerance",
                    "clinicalStatus": {"coding": [{"system": CLINICAL, "code": "active"}]},
                    "code": {"text": "$.substance"}, "patient": {"reference": OF_PATIENT},
                },
            }]},
            "answer": {"ok": True},
        },
        "kept": {"read": "list", "items": "allergies", "holds": {"Substance": "$.substance"}},
    },
]  # fmt: skip


class Front:
    """Polyclinic's front door, which can be made to drop an allergy from what it says."""

    def __init__(self, edge: Any) -> None:
        self.edge, self.fault = edge, ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        reads = scope["type"] == "http" and scope["method"] == "GET"
        if not (self.fault and reads and "AllergyIntolerance" in scope["path"]):
            await self.edge(scope, receive, send)
            return
        if self.fault == "errors":
            start = {"type": "http.response.start", "status": 500, "headers": []}
            await send(start)
            await send({"type": "http.response.body", "body": b""})
            return
        bundle = b'{"resourceType":"Bundle","type":"searchset","entry":[]}'
        headers = [(b"content-type", b"application/fhir+json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": bundle})


@dataclass
class World:
    """Both systems, the gateway's address and what people wrote."""

    running: Any
    gateway: Any
    front: Front
    url: str
    old: OldSqlite | OldPostgres
    numbers: list[str]
    acknowledged: dict[str, tuple[str, str]] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)
    going: bool = True

    async def mode(self) -> str:
        return (await rolling.standing(self.running.database, CAPABILITY, clock.now()))[0].rule.mode

    async def lead(self, act: Any) -> None:
        async with self.running.database.transaction() as tx:
            await rolling.change(tx, CAPABILITY, act, ("sam", "test"), clock.now())
        await self.gateway.plane.look()

    async def people(self, name: str) -> None:
        """Somebody who adds an allergy and looks at the list, again and again."""
        async with httpx.AsyncClient(base_url=self.url, headers=SIGNED_IN, timeout=60) as client:
            for n in itertools.count():
                if not self.going:
                    return
                number = self.numbers[(n * 7 + len(name)) % len(self.numbers)]
                path, what = f"/api/patient/{number}/allergies", f"Thing {name} {n}"
                await client.get(path)
                key = {"idempotency-key": what}
                answer = await client.post(path, data={"substance": what}, headers=key)
                if answer.is_success:
                    self.acknowledged[what] = (number, answer.headers["x-answered-by"])
                else:
                    self.unsure.add(what)
                await asyncio.sleep(0.2)

    def wrong(self) -> tuple[set[str], set[str]]:
        """Acknowledged writes that the old clinic has not, and what it has more than once."""
        query = "SELECT mrn, substance FROM allergies WHERE substance LIKE 'Thing %'"
        there = Counter(tuple(row) for row in self.old.all(query))
        lost = {w for w, (number, _) in self.acknowledged.items() if not there[number, w]}
        doubled = {what for (_, what), count in there.items() if count > 1}
        return lost, doubled

    def by_side(self) -> Counter[str]:
        return Counter(side for _, side in self.acknowledged.values())


@asynccontextmanager
async def open_world(
    url: str, key_file: Path, folder: Path, old: OldSqlite | OldPostgres
) -> AsyncIterator[World]:
    clinic = legacy_clinic(Settings(data=folder, rows=400, today=TODAY))
    if isinstance(old, OldPostgres):
        clinic.state.clinic.kept.close()
        clinic.state.clinic.kept = old.clinic_kept()
    ports = free_port(), free_port()
    async with contextlib.AsyncExitStack() as stack:
        environ = {
            "POLYCLINIC_MIGRATION_LEGACY_URL": await stack.enter_async_context(serving_app(clinic)),
            "POLYCLINIC_MIGRATION_CANDIDATE_URL": f"http://127.0.0.1:{ports[0]}",
            "POLYCLINIC_MIGRATION_CANDIDATE_SECONDS": "30",
            "POLYCLINIC_MIGRATION_SETTLE_SECONDS": "10",
        }
        platform = Platform(database_url=url, key_file=str(key_file))
        names = ("identity", "records", "migration")
        process = await stack.enter_async_context(assemble(platform, names, environ))
        running = process.running["migration"]
        front = Front(process.edge)
        await stack.enter_async_context(_listening(front, ports[0]))
        gateway = await stack.enter_async_context(open_gateway(running))
        await stack.enter_async_context(_listening(gateway, ports[1]))
        rows = old.all(
            "SELECT mrn FROM patients WHERE del_flag = 'N' AND first_nm <> ''"
            " AND dob NOT LIKE '%-02-30' LIMIT 40 OFFSET 5"
        )
        numbers = [row[0] for row in rows]
        yield World(running, gateway, front, f"http://127.0.0.1:{ports[1]}", old, numbers)
    clinic.state.clinic.close()
    old.close()


@asynccontextmanager
async def _listening(app: Any, port: int) -> AsyncIterator[None]:
    up = asyncio.Event()
    task = asyncio.create_task(serving.serve(app, "127.0.0.1", port, up.set))
    await up.wait()
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def until(seconds: float, what: str, condition: Any) -> float:
    began = time.monotonic()
    while not await condition():
        assert time.monotonic() - began < seconds, what
        await asyncio.sleep(0.2)
    return time.monotonic() - began


async def agree(world: World) -> None:
    """All rows are over, and both sides say the same."""

    async def settled() -> bool:
        report = await data.reconcile(world.running.state, SAM, SYSTEM)
        pairs = (await data.shown(world.running.state, SYSTEM))["pairs"]
        moved = [pair for pair in pairs if pair["direction"] != "off"]
        return not report["divergence"] and all(pair["filled"] for pair in moved)

    await until(180, "the two sides never agree", settled)


async def half_of_the_patients(world: World, direction: str, percent: int) -> None:
    """Rows go as said, and half of the patients (their writes too) are the new side's."""
    await data.set_up(world.running.state, SAM, MOVING, world.old.url, None)
    for pair in ("patients", "allergies"):
        await data.direct(world.running.state, SAM, f"{SYSTEM}/{pair}", direction, None)
    await agree(world)
    said = {"routes": ROUTES, "reason": "test", "writer": "side", "shadow_percent": percent,
            "ladder": ladder(0, 0, 50, 100)}  # fmt: skip
    declared = msgspec.convert(said, Declared)
    await leading.declare(world.running, SAM, CAPABILITY, declared, clock.now())
    for mode in ("shadow", "canary"):
        now = clock.now()
        _, where = await rolling.standing(world.running.database, CAPABILITY, now)
        await world.lead(lambda rule, to=mode, at=where: moving.moved(rule, to, at, clock.now()))


async def back_home(world: World, fault: str, seconds: float) -> float:
    """People write, the new side goes wrong, the rollout goes back; how long that took."""
    people = [asyncio.create_task(world.people(name)) for name in ("Ana", "Benedict")]
    await asyncio.sleep(seconds)
    assert await world.mode() == "canary", "without a fault it stays"
    assert min(world.by_side()[side] for side in ("legacy", "candidate")) > 3
    world.front.fault = fault

    async def is_back() -> bool:
        return await world.mode() == "shadow"

    took = await until(BACK_SECONDS, "nobody went back", is_back)
    await asyncio.sleep(3)
    world.going = False
    await asyncio.gather(*people)
    return took


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("sqlite", "says too little"),
        ("postgresql", "says too little"),
        pytest.param("sqlite", "errors", marks=pytest.mark.long),
    ],
)
async def test_each_acknowledged_write_stands_once_in_the_old_system_after_going_back(
    new_database, key_file, tmp_path, monkeypatch, kind, fault, record_property
):
    if kind == "sqlite":
        old = OldSqlite(tmp_path, 400)
    else:
        old = OldPostgres(await new_database(), tmp_path, 400)
        monkeypatch.setenv("PGPASSFILE", str(old.passfile))
    async with open_world(await new_database(), key_file, tmp_path, old) as world:
        await half_of_the_patients(world, "both", 100)
        took = await back_home(world, fault, 6)

        async def is_home() -> bool:
            return not world.wrong()[0]

        home = await until(HOME_SECONDS, f"lost: {len(world.wrong()[0])}", is_home)
        world.front.fault = ""
        await agree(world)
        record_property("acknowledged writes", len(world.acknowledged))
        record_property("of these by the new side", world.by_side()["candidate"])
        record_property("seconds to roll back, in all", round(took))
        record_property("seconds until all were home", round(home))
        assert world.wrong() == (set(), set())
        assert world.by_side()["candidate"] > 3


@pytest.mark.timeout(600)
async def test_without_the_way_back_the_same_count_finds_what_is_lost(
    new_database, key_file, tmp_path
):
    """What the test above would say if nothing went home: it can tell."""
    old = OldSqlite(tmp_path, 400)
    async with open_world(await new_database(), key_file, tmp_path, old) as world:
        await half_of_the_patients(world, "forward", 0)
        people = asyncio.create_task(world.people("Ana"))
        await until(60, "nobody wrote on the new side", lambda: _has_written(world))
        world.going = False
        await people
        await world.lead(lambda rule: moving.back(rule, "shadow", held=True))
        await agree(world)
        lost, doubled = world.wrong()
        assert not doubled
        assert lost == {w for w, (_, side) in world.acknowledged.items() if side == "candidate"}
        assert len(lost) > 3


async def _has_written(world: World) -> bool:
    return world.by_side()["candidate"] > 3 and world.by_side()["legacy"] > 3

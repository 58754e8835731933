"""Polyclinic itself as the new side: FHIR in the old system's words, for whom that one lets in."""

import asyncio
import contextlib
import sys
from pathlib import Path

import httpx
import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from gateway_world import free_port, ladder, serving_app
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route as WebRoute

from polyclinic.assembly.process import assemble
from polyclinic.cli.datafolder import operator_seed
from polyclinic.cli.operator import Operator
from polyclinic.foundation import clock, serving
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.settings import Platform
from polyclinic.services.migration.actions import leading, rolling
from polyclinic.services.migration.actions.leading import Declared
from polyclinic.services.migration.domain import moving
from polyclinic.services.migration.listeners import open_gateway

SAM = Caller("sam", "test", "administrator", frozenset(), None, "t")
ROUTE = {
    "name": "patient",
    "method": "GET",
    "path": "/api/patient/{mrn}",
    "unit": ["path:mrn"],
    "candidate": {
        "path": "/fhir/Patient",
        "query": "identifier=urn:harbor|{mrn}",
        "own": True,
        "guard": "/api/patient/{mrn}",
        "answer": {
            "MRN": {
                "$of": "$.entry.0.resource.identifier",
                "$where": {"system": "urn:harbor"},
                "$take": "value",
            },
            "LastName": "$.entry.0.resource.name.0.family",
            "FirstName": "$.entry.0.resource.name.0.given.0",
            "DOB": "$.entry.0.resource.birthDate",
            "Sex": {"$of": "$.entry.0.resource.gender", "$map": {"female": "F", "male": "M"}},
        },
    },
    "compare": {
        "fields": [
            {"path": "MRN", "kind": "id", "severity": 1},
            {"path": "LastName", "severity": 1},
            {"path": "FirstName", "severity": 1},
            {"path": "DOB", "kind": "date", "severity": 1},
            {"path": "Sex", "kind": "code", "severity": 1},
        ]
    },
}
OLD = {"MRN": "HS-1", "LastName": "Lind", "FirstName": "Ana", "DOB": "03/14/1980", "Sex": "F"}
NEW = {
    "resourceType": "Patient",
    "identifier": [{"system": "urn:harbor", "value": "HS-1"}],
    "name": [{"family": "Lind", "given": ["Ana"]}],
    "birthDate": "1980-03-14",
    "gender": "female",
}


async def old_patient(request):
    if request.headers.get("authorization") != "Basic good":
        return JSONResponse({"err": "NOT_LOGGED_IN"}, 401)
    return JSONResponse(OLD)


@pytest.fixture
async def front(new_database, key_file):
    """The platform behind a port, the old system behind another, and the gateway."""
    port = free_port()
    old_app = Starlette(routes=[WebRoute("/api/patient/{mrn}", old_patient)])
    async with serving_app(old_app) as old:
        environ = {
            "POLYCLINIC_MIGRATION_LEGACY_URL": old,
            "POLYCLINIC_MIGRATION_CANDIDATE_URL": f"http://127.0.0.1:{port}",
            "POLYCLINIC_MIGRATION_CANDIDATE_SECONDS": "60",
        }
        platform = Platform(database_url=await new_database(), key_file=str(key_file))
        names = ("identity", "records", "migration")
        async with assemble(platform, names, environ) as process:
            up = asyncio.Event()
            task = asyncio.create_task(serving.serve(process.edge, "127.0.0.1", port, up.set))
            await up.wait()
            async with open_gateway(process.running["migration"]) as gateway:
                yield process, gateway
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def admit(process, resource):
    running = process.running["records"]
    transport = httpx.ASGITransport(app=process.edge)
    async with Operator("http://edge.test", operator_seed(running.root), transport) as operator:
        token = await operator.token("loader", "system/*.cruds")
        headers = {"authorization": f"Bearer {token}", "content-type": "application/fhir+json"}
        answer = await operator.http.post("/fhir/Patient", json=resource, headers=headers)
        assert answer.status_code == 201, answer.text


async def lead(running, *acts):
    for act in acts:
        async with running.database.transaction() as tx:
            await rolling.change(tx, "patients", act, ("sam", "test"), clock.now())


async def test_a_fhir_patient_answers_for_the_old_system_in_its_words(front):
    process, gateway = front
    running = process.running["migration"]
    await admit(process, NEW)
    said = {"routes": [ROUTE], "reason": "test", "ladder": ladder(0, 0, 100)}
    declared = msgspec.convert(said, Declared)
    await leading.declare(running, SAM, "patients", declared, clock.now())
    _, where = await rolling.standing(running.database, "patients", clock.now())
    await lead(running, lambda rule: moving.moved(rule, "shadow", where, clock.now()))
    await gateway.plane.look()
    transport = httpx.ASGITransport(app=gateway)
    async with httpx.AsyncClient(transport=transport, base_url="http://old.test") as client:
        good = {"authorization": "Basic good"}
        first = await client.get("/api/patient/HS-1", headers=good)
        assert first.headers["x-answered-by"] == "legacy"
        await gateway.shadows.idle()
        found = await running.database.fetch("SELECT path, kind FROM migration.difference")
        assert [tuple(row) for row in found] == []
        assert gateway.plane.counted["patients", "candidate"].dropped == 0
        await lead(running, lambda rule: moving.moved(rule, "canary", where, clock.now()))
        await running.database.execute("DELETE FROM migration.promise")
        gateway.plane.promised.clear()
        await gateway.plane.look()
        answer = await client.get("/api/patient/HS-1", headers=good)
        assert answer.headers["x-answered-by"] == "candidate"
        assert answer.json() == {**OLD, "DOB": "1980-03-14"}
        stranger = await client.get("/api/patient/HS-1", headers={"authorization": "Basic bad"})
        assert stranger.status_code == 401
        await gateway.shadows.idle()
        kept = await rolling.standing(running.database, "patients", clock.now())
        assert kept[0].rule.mode == "canary", "no difference"

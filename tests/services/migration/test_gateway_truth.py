"""Every serious fault of the old clinic's copy is found by what a clinic runs: the gateway."""

import base64
import sys
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))
from gateway_world import QUICK, World, open_world

from polyclinic import demo
from polyclinic.demo import legacy
from polyclinic.demo.legacy import Settings, kept, legacy_clinic

TODAY = date(2026, 3, 2)
TRUTH = yaml.safe_load((Path(legacy.__file__).parent / "truth.yaml").read_text())
RULES = yaml.safe_load((Path(demo.__file__).parent / "harbor_street.yaml").read_text())
SIGNED_IN = {"authorization": "Basic " + base64.b64encode(b"skim:harbor").decode()}
SERIOUS = {n: f for n, f in TRUTH["faults"].items() if f["severity"] in ("S1", "S2")}
NUMBERS = [f"HS-{100000 + n * 7}" for n in range(60)]
MADE = {
    "allergy-not-kept": (f"/api/patient/{NUMBERS[3]}/allergies", {"substance": "Zinc"}),
    "med-not-kept": (
        "/api/rx/new", {"mrn": NUMBERS[3], "drug": "Zinc", "dose": "5", "dose_unit": "mg"}
    ),
    "payment-not-kept": ("/billing/payment", {"amt": "1.25"}),
}  # fmt: skip


@pytest.fixture(scope="module")
async def world(postgres_url, key_file, tmp_path_factory) -> AsyncIterator[World]:
    apps = []
    for name in ("old", "new"):
        folder = tmp_path_factory.mktemp(name)
        kept.make(folder / kept.FILE, rows=1500, seed=1998, today=TODAY)
        apps.append(legacy_clinic(Settings(data=folder, rows=1500, today=TODAY)))
    async with open_world(postgres_url, key_file, (apps[0], apps[1])) as opened:
        opened.new_clinic = apps[1].state.clinic
        yield opened
    for app in apps:
        app.state.clinic.close()


async def begin(world: World, *modes: str) -> None:
    """All capabilities as a clinic declares them, in this mode; live means for everybody."""
    world.new_clinic.switch(())
    await world.begin()
    for name, routes in RULES["capabilities"].items():
        await world.declare(name, routes=routes, writer="side", ladder=QUICK)
        for mode in modes:
            while mode == "live" and (await world.rule(name))["percent"] < 100:
                said = {"percent": None, "reason": "test"}
                await world.lead("POST", f"/routes/{name}/step", said)
            await world.move(mode, capability=name)


async def found(world: World) -> set[tuple[str, int]]:
    await world.compared()
    return {(d["kind"], d["severity"]) for d in await world.differences()}


def addresses(world: World, endpoint: str) -> list[str]:
    path = endpoint.removeprefix("GET ")
    if path == "/api/patients/search":
        return [f"{path}?q={letter}" for letter in "ABCHLMRS"]
    if path == "/labs/results.do":
        return [f"{path}?mrn={number}" for number in NUMBERS]
    if path == "/sched/slots":
        days = [f"{TODAY + timedelta(days=n):%Y%m%d}" for n in range(-20, 20)]
        return [f"{path}?from={day}&prov=DRKIM" for day in days]
    fill = {
        "/sched/day/{}": [f"{TODAY + timedelta(days=n):%Y%m%d}" for n in range(-30, 30)],
        "/sched/appt/{}": [str(n) for n in range(1, 120)],
        "/billing/invoice/{}": [
            row["inv_no"] for row in world.new_clinic.kept.all("SELECT inv_no FROM invoices")
        ],
    }.get(path, NUMBERS)
    return [path.replace("{}", each) for each in fill]


async def test_every_serious_fault_is_found_by_asking_as_people_ask(world, record_property):
    wanted = {n: f for n, f in SERIOUS.items() if n not in MADE}
    missed: list[str] = []
    await begin(world, "shadow")
    for name, fault in wanted.items():
        world.new_clinic.switch((name,))
        await world.running.database.execute(
            "TRUNCATE migration.difference_example, migration.difference"
        )
        for n, address in enumerate(addresses(world, fault["endpoint"])):
            answer = await world.ask("GET", address, headers=SIGNED_IN)
            assert answer.headers["x-answered-by"] == "legacy"
            if n % 10 == 9 and await found(world):
                break
        worst = min((severity for _, severity in await found(world)), default=9)
        if f"S{worst}" > fault["severity"]:
            missed.append(name)
    record_property("serious faults", len(wanted))
    assert len(wanted) >= 40
    assert not missed


async def test_without_a_fault_nothing_is_found(world):
    await begin(world, "shadow")
    for endpoint in sorted({f["endpoint"] for n, f in SERIOUS.items() if n not in MADE}):
        for address in addresses(world, endpoint)[:6]:
            await world.ask("GET", address, headers=SIGNED_IN)
    assert await found(world) == set()


@pytest.mark.parametrize("fault", MADE)
async def test_a_change_that_is_acknowledged_and_not_kept_is_found(world, fault):
    """Made without the fault, repeated under its key, and made with it."""
    path, body = MADE[fault]
    capability = {"allergy": "allergies", "med": "meds", "payment": "billing"}
    capability = capability[fault.partition("-")[0]]
    await begin(world, "shadow", "canary", "live")
    if fault == "payment-not-kept":
        body = {
            **body,
            "inv_no": world.new_clinic.kept.one("SELECT inv_no FROM invoices")["inv_no"],
        }
    else:
        await world.move("canary", capability=capability)
    key = {"idempotency-key": f"first {fault}", **SIGNED_IN}
    for _ in range(2):
        answer = await world.ask("POST", path, data=body, headers=key)
        assert (answer.status_code, answer.headers["x-answered-by"]) == (201, "candidate")
    assert await found(world) == set(), "what was kept is found"
    world.new_clinic.switch((fault,))
    body = {**body, "substance": "Cobalt", "drug": "Cobalt"}
    answer = await world.ask("POST", path, data=body, headers=SIGNED_IN)
    assert (answer.status_code, answer.headers["x-answered-by"]) == (201, "candidate")
    severity = int(SERIOUS[fault]["severity"][1])
    assert await found(world) == {("not kept", severity)}
    if severity == 1:
        assert (await world.rule(capability))["mode"] == "shadow", "everybody went back"
        (incident, *_) = (await world.lead("GET", "/incidents")).json()["incidents"]
        assert incident["evidence"]["differences"][0]["kind"] == "not kept"


async def test_a_change_that_was_refused_is_looked_for_nowhere(world):
    await begin(world, "shadow", "canary", "live")
    path = f"/api/patient/{NUMBERS[0]}/allergies"
    answer = await world.ask("POST", path, data={"rxn": "x"}, headers=SIGNED_IN)
    assert (answer.status_code, answer.headers["x-answered-by"]) == (400, "candidate")
    assert await found(world) == set()

"""A capability that stands in a plan goes on when the plan's gates are passed, over HTTP."""

import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from gateway_world import QUICK, World, ladder, open_world

from polyclinic.foundation import clock
from polyclinic.services.migration.actions import rolling

ENTRY = ("taught", "shadow")
EXIT = ("all", "quiet", "unused")
FINDING = {
    "source": "log",
    "endpoints": [
        {"method": "GET", "template": "/patients/{}", "count": 900},
        {"method": "POST", "template": "/patients/{}/notes", "count": 90},
        {"method": "GET", "template": "/bills/{}", "count": 90},
    ],
}


@pytest.fixture(scope="module")
async def opened(postgres_url, key_file) -> AsyncIterator[World]:
    async with open_world(postgres_url, key_file) as world:
        yield world


async def put(world: World, path: str, body: object) -> dict:
    answer = await world.lead("PUT", path, body)
    assert answer.is_success, answer.text
    return answer.json()


@pytest.fixture
async def world(opened) -> World:
    """Harbor's plan, which knows the capability that the gateway leads as `patients`."""
    await opened.begin()
    await opened.running.database.execute("TRUNCATE migration.inventory CASCADE")
    name = f"harbor{opened.count}"
    opened.plan = f"/inventories/{name}"
    await put(opened, opened.plan, {"title": "Harbor"})
    await put(opened, f"{opened.plan}/sources/log", FINDING)
    await put(opened, f"{opened.plan}/capabilities/patients", {"service": "records"})
    await opened.declare("patients", automatic=False)
    await opened.move("shadow", capability="patients")
    return opened


async def gate(world: World, name: str, state: str = "passed", **more) -> None:
    said = {"state": state, "evidence": {"seen": 1200}, **more}
    await put(world, f"{world.plan}/gates/patients/{name}", said)


async def go(world: World, what: str, **body):
    return await world.lead("POST", f"/routes/patients/{what}", {"reason": "due", **body})


async def test_a_capability_waits_for_each_entry_gate_and_its_refusal_names_them(world):
    entries = [
        g["name"]
        for wave in (await world.lead("GET", f"{world.plan}/waves")).json()["waves"]
        for step in wave["steps"] if step["capability"] == "patients"
        for g in step["gates"] if g["side"] == "entry" and g["state"] == "open"
    ]  # fmt: skip
    assert set(entries) == set(ENTRY)
    for name in ENTRY:
        refused = await go(world, "mode", mode="canary")
        assert refused.status_code == 409
        said = refused.json()["error_description"]
        assert f"Gate {name} of plan {world.plan.rpartition('/')[2]} is open" in said
        waits = (await world.lead("GET", "/routes/patients")).json()["numbers"]["waits_for"]
        assert any(f"Gate {name}" in sentence for sentence in waits)
        await gate(world, name)
    assert (await go(world, "mode", mode="canary")).status_code == 200
    assert (await go(world, "step")).status_code == 200


async def test_a_gate_that_fails_later_stops_the_next_step_but_never_the_way_back(world):
    for name in ENTRY:
        await gate(world, name)
    await go(world, "mode", mode="canary")
    await go(world, "step")
    await gate(world, "shadow", "failed")
    refused = await go(world, "step")
    assert refused.status_code == 409
    assert "Gate shadow" in refused.json()["error_description"]
    assert "is failed" in refused.json()["error_description"]
    assert (await go(world, "step", percent=1)).status_code == 200
    assert (await go(world, "mode", mode="off")).status_code == 200


async def test_who_goes_on_with_open_gates_says_why_and_it_is_kept(world):
    refused = await go(world, "mode", mode="canary", override="  ")
    assert refused.status_code == 409
    went = await go(world, "mode", mode="canary", override="The teachers are ill; Ana stands by.")
    assert went.status_code == 200
    decided = (await world.lead("GET", "/decisions?subject=patients")).json()["decisions"]
    (kept,) = [d for d in decided if d["kind"] == "override"][-1:]
    assert kept["text"] == "The teachers are ill; Ana stands by."
    assert {name.rpartition("/")[2] for name in kept["value"]["gates"]} == set(ENTRY)
    assert (await go(world, "step")).status_code == 409, "each step asks anew"


async def test_a_rollout_that_climbs_by_itself_waits_for_the_gates_too(world):
    await world.declare("patients", automatic=True, ladder=ladder(10, 0, 1, 100))
    await go(world, "mode", mode="canary", override="test")
    later = clock.now() + timedelta(minutes=30)
    await rolling.watch(world.running, later)
    assert (await world.rule("patients"))["percent"] == 1
    for name in ENTRY:
        await gate(world, name)
    await rolling.watch(world.running, later)
    assert (await world.rule("patients"))["percent"] == 100


async def test_a_wave_is_left_when_its_exit_gates_are_passed(world):
    for name in ENTRY:
        await gate(world, name)
    await go(world, "mode", mode="canary")
    while (await world.rule("patients"))["percent"] < 100:
        assert (await go(world, "step")).status_code == 200
    assert (await go(world, "mode", mode="live")).status_code == 200
    refused = await go(world, "mode", mode="retired")
    assert "Gate all" in refused.json()["error_description"]
    for name in EXIT:
        await gate(world, name)
    assert (await go(world, "mode", mode="retired")).status_code == 200


async def test_what_the_plan_leaves_out_does_not_go_on(world):
    inputs = {"starts": "2026-03-02", "left": {"patients": "It ends with the old system."}}
    await put(world, f"{world.plan}/plan", inputs)
    refused = await go(world, "mode", mode="canary")
    assert "It is left out. It ends with the old system." in refused.json()["error_description"]


async def test_a_term_that_a_person_edits_moves_the_plan_and_stays_with_its_author(world):
    path = f"{world.plan}/plan"
    before = (await world.lead("GET", path)).json()
    scores = {each["capability"]: each for each in before["plan"]["scores"]}
    assert len(scores) >= 2
    last = max(scores.values(), key=lambda each: each["rank"])["capability"]
    inputs = {**before["plan"]["inputs"], "values": {last: {"asked for": 1.0}}}
    inputs["weights"] = {"asked for": 50}
    after = await put(world, path, inputs)
    score = next(each for each in after["plan"]["scores"] if each["capability"] == last)
    term = next(each for each in score["terms"] if each["name"] == "asked for")
    assert (term["value"], term["weight"], term["source"]) == (1.0, 50, "edited")
    assert score["priority"] > scores[last]["priority"]
    decided = (await world.lead("GET", "/decisions")).json()["decisions"]
    assert [d["author"] for d in decided if d["kind"] == "plan"][-1] == "sam"
    wrong = await world.lead("PUT", path, {**inputs, "values": {last: {"asked for": 3}}})
    assert (wrong.status_code, wrong.json()["place"]) == (400, "values")


async def test_a_serious_difference_stops_the_step_until_a_person_gave_a_verdict(world):
    for name in ENTRY:
        await gate(world, name)
    await world.declare("patients", ladder=QUICK)
    world.candidate.spoil = lambda chart: chart.update(glucose="9.0 mmol/L")
    await world.read("17")
    await world.compared()
    refused = await go(world, "mode", mode="canary")
    assert "1 serious differences have no verdict" in refused.json()["error_description"]
    (found,) = await world.differences()
    until = msgspec.json.decode(msgspec.json.encode(clock.now() + timedelta(days=3)))
    body = {"verdict": "expected", "note": "known", "until": until, "owner": "ana"}
    judged = await world.lead("POST", f"/differences/{found['id']}/verdict", body)
    assert judged.status_code == 200, judged.text
    assert (await go(world, "mode", mode="canary")).status_code == 200

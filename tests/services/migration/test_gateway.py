"""The gateway between two clinics: one stays on a side, one falls back, none is harmed."""

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from gateway_world import ANA, ROUTES, World, free_port, ladder, open_world, serving_app

from polyclinic.assembly.process import assemble
from polyclinic.foundation import clock
from polyclinic.foundation.settings import Platform
from polyclinic.services.migration.actions import rolling


@pytest.fixture(scope="module")
async def opened(postgres_url, key_file) -> AsyncIterator[World]:
    async with open_world(postgres_url, key_file) as world:
        yield world


@pytest.fixture
async def world(opened) -> World:
    await opened.begin()
    return opened


async def test_what_no_rule_claims_goes_to_the_old_system_as_it_came(world):
    answer = await world.ask("GET", "/anything?x=1", headers={"x-custom": "kept", "te": "trailers"})
    assert answer.json() == {"clinic": "legacy"}
    assert answer.headers["x-answered-by"] == "legacy"
    _, path, headers, _ = world.legacy.seen[-1]
    assert path == "/anything"
    assert headers["x-custom"] == "kept"
    assert "te" not in headers
    assert not world.candidate.seen


async def test_a_capability_goes_one_mode_after_the_other_and_is_retired_with_a_link(world):
    await world.declare(moved_to="https://new.example/charts")
    skipped = await world.lead("POST", "/routes/charts/mode", {"mode": "canary", "reason": "r"})
    assert skipped.status_code == 422
    assert await world.read("17") == "legacy"
    await world.move("shadow")
    assert await world.read("17") == "legacy"
    await world.compared()
    await world.move("canary")
    too_soon = await world.lead("POST", "/routes/charts/mode", {"mode": "live", "reason": "r"})
    assert too_soon.status_code == 409
    await world.to(100)
    await world.move("live")
    assert await world.read("17") == "candidate"
    used = await world.lead("POST", "/routes/charts/mode", {"mode": "retired", "reason": "r"})
    assert used.status_code == 409, "legacy was used today"
    assert "route chart" in used.json()["error_description"]
    await world.running.database.execute("DELETE FROM migration.legacy_use")
    await world.move("retired")
    gone = await world.ask("GET", "/patients/17")
    assert gone.status_code == 410
    assert gone.headers["link"] == '<https://new.example/charts>; rel="successor-version"'
    chain = (await world.lead("GET", "/decisions?subject=charts")).json()["decisions"]
    assert [d["value"]["mode"] for d in chain][-2:] == ["live", "retired"]


async def test_no_patient_flips_whichever_replica_answers_while_the_percentage_rises(world):
    await world.declare()
    await world.move("shadow", "canary")
    patients = [f"p{n}" for n in range(40)]
    reached: dict[str, str] = {}
    flips = asked = 0
    for percent in (1, 5, 25, 50, 100):
        await world.to(percent)
        for n, patient in enumerate(patients):
            side = await world.read(patient, at=n % 2)
            flips += reached.setdefault(patient, side) != side
            asked += 1
    assert asked == 200
    assert flips == 0, "a visit that began on a side stays there"


async def test_a_visit_keeps_its_side_on_a_new_replica_that_knows_nothing(world):
    await world.declare()
    await world.move("shadow", "canary")
    before = [await world.read(f"p{n}") for n in range(30)]
    await world.to(100)
    for gateway in world.gateways:
        gateway.plane.promised.clear()
    assert [await world.read(f"p{n}", at=1) for n in range(30)] == before
    assert "legacy" in before
    assert await world.read("newcomer") == "candidate"
    await world.running.database.execute("UPDATE migration.promise SET until = now()")
    for gateway in world.gateways:
        gateway.plane.promised.clear()
    assert {await world.read(f"p{n}") for n in range(30)} == {"candidate"}


async def test_the_kill_switch_is_felt_on_every_replica_that_looks_by_itself(world):
    await world.declare()
    await world.move("shadow", "canary")
    await world.to(100)
    assert await world.read("a", at=0) == await world.read("a", at=1) == "candidate"
    killed = await world.lead("POST", "/kill", {"reason": "it burns"})
    assert killed.json()["killed"][0]["mode"] == "off"
    # Nobody tells the replicas: they look by themselves, every second. A loaded machine has longer.
    deadline = asyncio.get_running_loop().time() + 20
    while {await world.read("a", at=n) for n in (0, 1)} != {"legacy"}:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.1)


async def test_a_read_that_the_new_side_cannot_answer_is_the_old_sides(world):
    await world.declare()
    await world.move("shadow", "canary")
    await world.to(100)
    world.candidate.status = 503
    assert await world.read("17") == "legacy"
    world.candidate.status, world.candidate.delay = 0, 10
    assert await world.read("17") == "legacy"
    answer = await world.ask("POST", "/search", json={"patient": "17"})
    assert answer.headers["x-answered-by"] == "legacy"
    assert world.legacy.seen[-1][3] == b'{"patient":"17"}'


async def test_a_change_goes_to_one_side_and_its_repetition_to_the_same(world):
    await world.declare(writer="side")
    await world.move("shadow", "canary")
    await world.to(100)
    key = {"idempotency-key": "one"}
    first = await world.ask("POST", "/patients/9/notes", json={"text": "a"}, headers=key)
    assert (first.status_code, first.headers["x-answered-by"]) == (201, "candidate")
    assert not world.legacy.written
    assert world.candidate.seen[-1][2]["idempotency-key"] == "one"
    await world.lead("POST", "/kill", {"reason": "r"})
    await world.look()
    new = await world.ask("POST", "/patients/9/notes", json={"text": "b"})
    assert new.headers["x-answered-by"] == "legacy"
    again = await world.ask("POST", "/patients/9/notes", json={"text": "a"}, headers=key)
    assert again.headers["x-answered-by"] == "candidate", "it may have been carried out there"


async def test_a_canary_keeps_its_unit(world):
    await world.declare()
    await world.move("shadow", "canary")
    body = {"routes": ROUTES, "reason": "r", "unit": "clinic"}
    assert (await world.lead("PUT", "/routes/charts", body)).status_code == 422


async def test_a_change_never_falls_back_and_stays_with_legacy_until_live(world):
    await world.declare()
    await world.move("shadow", "canary")
    await world.to(100)
    answer = await world.ask("POST", "/patients/9/notes", json={"text": "a"})
    assert answer.headers["x-answered-by"] == "legacy"
    await world.move("live")
    world.candidate.status = 503
    failed = await world.ask("POST", "/patients/9/notes", json={"text": "b"})
    assert failed.status_code == 503
    assert world.legacy.written == {"9": "a"}


async def test_a_change_that_was_made_is_never_called_not_carried_out(world):
    await world.declare(
        routes=[{**each, "candidate": {"answer": {"kept": "$.kept"}}} for each in ROUTES]
    )
    await world.move("shadow", "canary")
    await world.to(100)
    await world.move("live")
    await world.compared()
    await world.running.database.execute("TRUNCATE migration.tally")
    world.candidate.status = 201  # and a body that is no JSON
    answer = await world.ask("POST", "/patients/9/notes", json={"text": "a"})
    assert answer.status_code == 502
    assert "may have been carried out" in answer.json()["error_description"]
    assert "retry-after" not in answer.headers
    assert [seen[0] for seen in world.candidate.seen].count("POST") == 1
    assert not world.legacy.written
    await world.compared()
    query = "SELECT sum(requests) AS requests, sum(failed) AS failed FROM migration.tally"
    counted = await world.running.database.fetchrow(f"{query} WHERE side = 'candidate'")
    assert tuple(counted) == (1, 1), "one request is counted once, as one that failed"


async def test_a_shadow_sends_no_change_to_the_new_side_unless_it_can_be_tried_dry(world):
    await world.declare()
    await world.move("shadow")
    await world.ask("POST", "/patients/9/notes", json={"text": "a"})
    await world.compared()
    assert not world.candidate.seen
    dry = [{**r, "dry_run": "x-dry-run"} if r["name"] == "note" else r for r in ROUTES]
    await world.declare(routes=dry)
    await world.look()
    await world.ask("POST", "/patients/9/notes", json={"text": "a"})
    await world.compared()
    assert world.candidate.seen[-1][2]["x-dry-run"] == "true"


@pytest.mark.parametrize("how", ["refuses", "is slow", "lies", "says no JSON"])
async def test_a_shadow_that_fails_touches_no_answer(world, how):
    await world.declare()
    await world.move("shadow")
    if how == "refuses":
        world.candidate.status = 500
    if how == "is slow":
        world.candidate.delay = 60
    if how == "lies":
        world.candidate.spoil = lambda chart: chart.clear()
    if how == "says no JSON":
        world.candidate.status = 200
    answers = await asyncio.gather(*(world.ask("GET", f"/patients/p{n}") for n in range(8)))
    waiting = world.gateways[0].shadows._queue._unfinished_tasks
    for n, answer in enumerate(answers):
        assert answer.status_code == 200
        assert answer.json()["glucose"] == "90 mg/dL"
        assert answer.json()["id"] == f"p{n}"
    assert how != "is slow" or waiting, "nobody waited for the shadows"


async def test_shadows_that_do_not_fit_are_dropped_and_counted(world, monkeypatch):
    await world.declare()
    await world.move("shadow")
    world.candidate.delay = 0.3
    monkeypatch.setattr(world.gateways[0].shadows._queue, "_maxsize", 2)
    await asyncio.gather(*(world.ask("GET", f"/patients/p{n}") for n in range(20)))
    await world.compared()
    numbers = (await world.lead("GET", "/routes/charts")).json()["numbers"]["sides"]["candidate"]
    assert numbers["dropped"] > 0
    assert numbers["dropped"] + numbers["compared"] == 20


async def test_answers_that_mean_the_same_leave_no_difference(world):
    await world.declare()
    await world.move("shadow")
    for n in range(30):
        await world.read(f"p{n}")
    await world.compared()
    assert await world.differences() == []
    numbers = (await world.lead("GET", "/routes/charts")).json()["numbers"]
    assert numbers["sides"]["candidate"]["compared"] == 30


async def test_a_difference_is_found_kept_sealed_and_judged(world):
    await world.declare()
    await world.move("shadow")
    world.candidate.spoil = lambda chart: chart.update(glucose="9.0 mmol/L", allergies=[])
    await world.read("Secretname")
    await world.compared()
    found = await world.differences()
    assert [(d["path"], d["kind"], d["severity"], d["seen"]) for d in found] == [
        ("allergies[]", "missing", 1, 1),
        ("glucose", "value", 1, 1),
    ]
    name = next(d["id"] for d in found if d["path"] == "glucose")
    shapes = (await world.lead("GET", f"/differences/{name}/examples")).json()["examples"]
    assert shapes[0]["legacy"] == "99 xx/xx"
    opened = await world.lead("GET", f"/differences/{name}/examples?open=true&reason=look")
    assert opened.json()["examples"][0]["candidate"] == "9.0 mmol/L"
    rows = await world.running.database.fetch("SELECT sealed FROM migration.difference_example")
    assert not [row for row in rows if b"mmol" in row["sealed"] or b"Latex" in row["sealed"]]
    waits = (await world.lead("GET", "/routes/charts")).json()["numbers"]["waits_for"]
    assert waits == ["2 serious differences have no verdict that lets them pass."]
    refused = await world.lead(
        "POST", f"/differences/{name}/verdict", {"verdict": "expected", "note": "n"}
    )
    assert refused.status_code == 422, "without an end"
    until = (clock.now() + timedelta(days=3)).isoformat()
    for each in found:
        body = {"verdict": "expected", "note": "known", "until": until, "owner": "ana"}
        judged = await world.lead("POST", f"/differences/{each['id']}/verdict", body)
        assert judged.status_code == 200, judged.text
    assert not (await world.lead("GET", "/routes/charts")).json()["numbers"]["waits_for"]


async def test_what_the_old_system_says_differently_each_time_is_noise(world):
    await world.declare()
    await world.move("shadow")
    world.legacy.spoil = lambda chart: chart.update(stamp=len(world.legacy.seen))
    for n in range(10):
        await world.read(f"p{n}")
    await world.compared()
    assert await world.differences() == []


async def test_a_serious_difference_sends_everybody_back_at_once(world):
    await world.declare()
    await world.move("shadow", "canary")
    await world.to(25)
    world.candidate.spoil = lambda chart: chart["allergies"][0].update(reaction="None")
    for n in range(4):
        await world.read(f"p{n}")
    await world.compared()
    assert (await world.rule())["mode"] == "shadow"
    await world.look()
    assert {await world.read(f"p{n}", at=1) for n in range(20)} == {"legacy"}
    incident = (await world.lead("GET", "/incidents")).json()["incidents"][0]
    assert incident["kind"] == "sent back"
    assert incident["evidence"]["differences"][0]["path"] == "allergies[].reaction"
    again = await world.lead("POST", "/routes/charts/mode", {"mode": "canary", "reason": "r"})
    assert again.status_code == 409, "held until a person releases it"


async def test_errors_beyond_the_budget_send_everybody_back(world):
    await world.declare()
    await world.move("shadow", "canary")
    await world.to(50)
    for n in range(60):
        await world.read(f"p{n}")
    world.candidate.status = 500
    for n in range(60):
        await world.read(f"q{n}")
    await world.compared()
    await rolling.watch(world.running, clock.now())
    assert (await world.rule())["mode"] == "shadow"
    evidence = (await world.lead("GET", "/incidents")).json()["incidents"][0]["evidence"]
    assert evidence["signal"] == "unavailable"
    assert evidence["bad"] > 10
    assert evidence["control_bad"] == 0


async def test_an_old_side_that_fails_too_sends_nobody_back(world):
    await world.declare(shadow_percent=0)
    await world.move("shadow", "canary")
    await world.to(50)
    world.legacy.status = world.candidate.status = 500
    for n in range(60):
        await world.ask("GET", f"/patients/p{n}")
    await world.compared()
    await rolling.watch(world.running, clock.now())
    assert (await world.rule())["mode"] == "canary"


async def test_an_automatic_rollout_climbs_when_time_and_sample_are_there(world):
    await world.declare(automatic=True, ladder=ladder(10, 0, 1, 100))
    await world.move("shadow", "canary")
    now = clock.now()
    await rolling.watch(world.running, now + timedelta(minutes=9))
    assert (await world.rule())["percent"] == 1
    await rolling.watch(world.running, now + timedelta(minutes=11))
    assert (await world.rule())["percent"] == 100
    assert (await world.rule())["author"] == "migration"


async def test_who_opted_in_goes_first(world):
    await world.declare(who=["header:x-user"], unit="cohort")
    await world.move("shadow", "canary")
    body = {"who": "ana", "reason": "she tests"}
    assert (await world.lead("POST", "/routes/charts/members", body)).status_code == 200
    await world.look()
    assert await world.read("a", **{"x-user": "ana"}) == "candidate"
    assert await world.read("b", **{"x-user": "bob"}) == "legacy"
    rows = await world.running.database.fetch("SELECT document FROM migration.route_rule")
    assert not [row for row in rows if b'"ana"' in row["document"]]


async def test_a_body_streams_through_and_is_not_collected_first(world):
    async with (
        serving_app(world.gateways[0]) as url,
        httpx.AsyncClient(base_url=url) as client,
        client.stream("GET", "/stream") as answer,
    ):
        parts = answer.aiter_bytes()
        assert await anext(parts) == b"first"
        world.legacy.streamed.set()
        assert b"".join([part async for part in parts]) == b"second"


async def test_an_old_system_that_is_down_is_said_so(world, monkeypatch):
    upstreams = world.gateways[0].plane.upstreams
    monkeypatch.setitem(upstreams._urls, "legacy", httpx.URL("http://127.0.0.1:1"))
    answer = await world.ask("GET", "/anything")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"


async def test_a_route_may_be_asked_in_the_new_sides_words(world):
    routes = [
        {
            **ROUTES[0],
            "candidate": {
                "path": "/patients/new-{patient}",
                "answer": {
                    "id": {"$of": "$.id", "$after": "new-"},
                    "name": "$.name",
                    "glucose": "$.glucose",
                    "allergies": "$.allergies",
                },
            },
            "compare": {"fields": [{"path": "name", "kind": "text", "severity": 3}]},
        }
    ]
    await world.declare(routes=routes)
    await world.move("shadow", "canary")
    await world.to(100)
    answer = await world.ask("GET", "/patients/17")
    assert answer.headers["x-answered-by"] == "candidate"
    assert answer.json()["id"] == "17"
    assert answer.json()["name"] == "Lind new-17"


async def test_whom_the_old_system_refuses_learns_nothing_from_the_new_one(world, monkeypatch):
    async def token():
        return "ours"

    monkeypatch.setattr(world.running.tokens, "for_documents", token)
    own = {**ROUTES[0], "candidate": {"own": True}}
    body = {"routes": [own], "reason": "r"}
    assert (await world.lead("PUT", "/routes/charts", body)).status_code == 400
    own["candidate"]["guard"] = "/guarded/{patient}"
    await world.declare(routes=[own])
    await world.move("shadow", "canary")
    await world.to(100)
    answer = await world.ask("GET", "/patients/17", headers={"authorization": "Basic good"})
    assert answer.headers["x-answered-by"] == "candidate"
    assert world.candidate.seen[-1][2]["authorization"] == "Bearer ours"
    guard = next(seen for seen in world.legacy.seen if seen[1] == "/guarded/17")
    assert guard[2]["authorization"] == "Basic good"
    asked = len(world.candidate.seen)
    world.legacy.status = 401
    refused = await world.ask("GET", "/patients/17", headers={"authorization": "Basic bad"})
    assert refused.status_code == 401
    assert len(world.candidate.seen) == asked


async def test_feedback_is_bound_to_capability_and_side_and_shown_beside_the_rollout(world):
    await world.declare()
    for liked, effort in ((True, 6), (False, 2)):
        body = {"capability": "charts", "side": "candidate", "liked": liked, "effort": effort,
                "text": "Where is Ms Lind?"}  # fmt: skip
        assert (await world.lead("POST", "/feedback", body, ANA)).status_code == 201
    refused = await world.lead("GET", "/routes/charts/feedback", None, ANA)
    assert refused.status_code == 403
    numbers = (await world.lead("GET", "/routes/charts")).json()["numbers"]["feedback"]
    assert numbers == [
        {"side": "candidate", "said": 2, "liked": 1, "disliked": 1, "effort": 4.0}
    ]  # fmt: skip
    said = (await world.lead("GET", "/routes/charts/feedback")).json()["said"]
    assert said[0]["text"] == "Where is Ms Lind?"
    rows = await world.running.database.fetch("SELECT sealed FROM migration.feedback")
    assert not [row for row in rows if b"Lind" in row["sealed"]]


async def test_feeds_and_credentials_of_the_old_side_keep_it_from_being_retired(world):
    await world.declare()
    body = {"kind": "feed", "name": "lab results"}
    assert (await world.lead("POST", "/routes/charts/uses", body)).status_code == 204
    await world.ask("GET", "/patients/1", headers={"authorization": "Basic c2VjcmV0"})
    await world.compared()
    down = (await world.lead("GET", "/routes/charts")).json()["numbers"]["burn_down"]
    assert [use["kind"] for use in down["used"]] == ["credential", "feed", "route"]
    assert down["may_retire"] is False
    assert down["days"][0]["count"] == 1


LEADING = (
    ("GET", "/routes"), ("GET", "/routes/charts"), ("GET", "/routes/charts/versions"),
    ("PUT", "/routes/charts"), ("POST", "/routes/charts/mode"), ("POST", "/routes/charts/step"),
    ("POST", "/routes/charts/hold"), ("POST", "/routes/charts/release"),
    ("POST", "/routes/charts/members"), ("POST", "/routes/charts/uses"), ("POST", "/kill"),
    ("GET", "/incidents"), ("GET", "/differences"),
    ("GET", "/differences/00000000-0000-0000-0000-000000000000/examples"),
    ("POST", "/differences/00000000-0000-0000-0000-000000000000/verdict"),
)  # fmt: skip


async def test_only_administrators_lead(world):
    for method, path in LEADING:
        assert (await world.lead(method, path, {}, ANA)).status_code == 403, path


async def test_the_service_opens_its_gateway_on_a_port_of_its_own(new_database, key_file):
    port = free_port()
    environ = {"POLYCLINIC_MIGRATION_GATEWAY_PORT": str(port),
               "POLYCLINIC_MIGRATION_LEGACY_URL": "http://127.0.0.1:1"}  # fmt: skip
    platform = Platform(database_url=await new_database(), key_file=str(key_file))
    async with assemble(platform, ("migration",), environ), httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{port}/anything")
        assert answer.status_code == 503
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{port}/anything")

"""Inventories, mappings, plans and gates at the door: kept, decided by name, or refused."""

import msgspec
import pytest
from migration_door import ADMIN, PROGRAM, caller, open_door

from polyclinic.demo.legacy import kept
from polyclinic.services.migration.domain.decisions import first_break
from polyclinic.services.migration.domain.inventory.logs import read_log
from polyclinic.services.migration.gateways.database import look
from polyclinic.services.migration.store import decisions

HARBOR = "/inventories/harbor"


@pytest.fixture
async def door(assembled, harbor):
    async with open_door(assembled) as opened:
        looked = await look(f"sqlite:///{harbor / kept.FILE}")
        log = read_log([(harbor / "access.log").read_bytes()], roles=looked.roles)
        await opened.put(HARBOR, {"title": "Harbor Street"})
        for name, finding in (("database", looked.finding), ("log", log)):
            await opened.put(f"{HARBOR}/sources/{name}", msgspec.to_builtins(finding), PROGRAM)
        yield opened


async def test_what_sources_showed_becomes_capabilities_and_a_plan(door):
    known = await door.get(HARBOR)
    assert [each["source"] for each in known["sources"]] == ["database", "log"]
    by_name = {each["name"]: each for each in known["capabilities"]}
    assert by_name["appointments"]["service"] == "appointments"
    assert by_name["allergies"]["risk"] == "S1"
    plan = await door.get(f"{HARBOR}/plan")
    assert plan["version"] == 0
    assert "patients" in [step["capability"] for step in plan["plan"]["waves"][0]["steps"]]
    waves = await door.get(f"{HARBOR}/waves")
    assert waves["in_the_way"]["patients"]


async def test_a_source_shown_again_replaces_what_it_showed(door):
    before = await door.get(HARBOR)
    finding = (await door.get(f"{HARBOR}/sources/log"))["finding"]
    fewer = {**finding, "endpoints": finding["endpoints"][:3]}
    await door.put(f"{HARBOR}/sources/log", fewer)
    assert (await door.get(HARBOR))["sources"][1]["endpoints"] == 3
    await door.put(f"{HARBOR}/sources/log", finding)
    assert (await door.get(HARBOR))["capabilities"] == before["capabilities"]


async def test_a_person_confirms_and_corrects_and_it_outlives_new_sources(door):
    path = f"{HARBOR}/capabilities/insurance"
    changed = await door.put(path, {"service": "billing", "text": "Our billers keep it."})
    assert (changed["service"], changed["confirmed_by"]) == ("billing", ADMIN.subject)
    finding = (await door.get(f"{HARBOR}/sources/log"))["finding"]
    await door.put(f"{HARBOR}/sources/log", {**finding, "label": "again"})
    known = {each["name"]: each for each in (await door.get(HARBOR))["capabilities"]}
    assert known["insurance"]["service"] == "billing"
    said = (await door.get("/decisions?subject=harbor/insurance"))["decisions"]
    assert [each["kind"] for each in said] == ["mapping"]
    assert said[0]["text"] == "Our billers keep it."
    assert said[0]["value"]["before"] == "records"


async def test_a_person_moves_an_endpoint_to_where_it_belongs(door):
    member = "GET /reports/no-shows/{}/{}"
    await door.put(f"{HARBOR}/members", {"member": member, "capability": "appointments"})
    for each in (await door.get(HARBOR))["capabilities"]:
        names = [f"{e['method']} {e['template']}" for e in each["endpoints"]]
        assert (member in names) is (each["name"] == "appointments")
    refused = await door.ask(
        ADMIN, "PUT", f"{HARBOR}/members", {"member": "GET /x", "capability": "a"}
    )
    assert refused.status_code == 404


async def test_every_version_of_the_plan_is_kept_and_the_slower_of_two_hears_of_it(door):
    inputs = (await door.get(f"{HARBOR}/plan"))["plan"]["inputs"]
    inputs["values"] = {"orders": {"asked for": 1.0}}
    first = await door.ask(ADMIN, "PUT", f"{HARBOR}/plan", inputs, if_match='"0"')
    assert (first.status_code, first.json()["version"]) == (200, 1)
    late = await door.ask(ADMIN, "PUT", f"{HARBOR}/plan", inputs, if_match='"0"')
    assert late.status_code == 412
    wrong = await door.ask(ADMIN, "PUT", f"{HARBOR}/plan", {**inputs, "weeks": 0})
    assert (wrong.status_code, wrong.json()["place"]) == (400, "weeks")
    score = (await door.get(f"{HARBOR}/plan"))["plan"]["scores"]
    terms = next(each["terms"] for each in score if each["capability"] == "orders")
    assert next(t["source"] for t in terms if t["name"] == "asked for") == "edited"


async def test_gates_are_passed_with_evidence_waived_with_a_reason_and_signed_in_person(door):
    gate = f"{HARBOR}/gates/payments"

    async def status(name, who=ADMIN, **said):
        return (await door.ask(who, "PUT", f"{gate}/{name}", said)).status_code

    assert await status("shadow", state="passed") == 400
    assert await status("shadow", state="waived") == 400
    assert await status("shadow", state="maybe") == 400
    assert await status("nothing", state="open") == 404
    assert await status("signature", PROGRAM, state="passed", evidence={"by": "me"}) == 403
    assert await status("shadow", PROGRAM, state="waived", text="late") == 403
    assert await status("shadow", PROGRAM, state="passed", evidence={"requests": 4000}) == 200
    assert await status("signature", state="passed", evidence={"read": "the plan"}) == 200
    assert await status("rehearsed", state="waived", text="Paper for a day.") == 200
    left = (await door.get(f"{HARBOR}/waves"))["in_the_way"]["payments"]
    assert len(left) == 3
    await door.put(f"{gate}/shadow", {"state": "failed", "evidence": {"S1": 1}}, PROGRAM)
    assert len((await door.get(f"{HARBOR}/waves"))["in_the_way"]["payments"]) == 4


async def test_all_that_was_decided_stands_in_one_whole_chain(door):
    await door.put(f"{HARBOR}/capabilities/patients", {"service": "records"})
    chain = await decisions.find(door.running.database, None, 0, 1000)
    assert [each.kind for each in chain] == ["inventory", "source", "source", "mapping"]
    assert first_break(chain) is None


async def test_only_administrators_and_programs_of_operators_come_in(door):
    finding = {"source": "log"}
    doors = [
        ("GET", "/inventories", None), ("GET", HARBOR, None), ("GET", f"{HARBOR}/plan", None),
        ("GET", f"{HARBOR}/waves", None), ("GET", "/decisions", None),
        ("GET", f"{HARBOR}/sources/log", None), ("PUT", HARBOR, {"title": "x"}),
        ("PUT", f"{HARBOR}/sources/log", finding), ("PUT", f"{HARBOR}/members", {}),
        ("PUT", f"{HARBOR}/capabilities/patients", {"service": "none"}),
        ("PUT", f"{HARBOR}/plan", {}), ("PUT", f"{HARBOR}/gates/patients/all", {"state": "open"}),
    ]  # fmt: skip
    others = [
        caller("clinician", "user/*.cruds"), caller("patient", "patient/*.rs"),
        caller("front-desk", "user/Patient.crus"), caller("system", "system/Patient.cruds"),
    ]  # fmt: skip
    for method, path, body in doors:
        for who in others:
            assert (await door.ask(who, method, path, body)).status_code == 403, (path, who)
        nobody = await door.client.request(method, f"/migration{path}", json=body)
        assert nobody.status_code == 401
        reader = caller("system", "system/*.rs")
        wanted = 200 if method == "GET" else 403
        assert (await door.ask(reader, method, path, body)).status_code == wanted, path


async def test_what_cannot_be_is_refused(door):
    refused = [
        ("/inventories/Harbor Street", {"title": "x"}, 400),
        ("/inventories/none/sources/log", {"source": "log"}, 404),
        (f"{HARBOR}/sources/log", {"source": "hearsay"}, 400),
        (f"{HARBOR}/capabilities/patients", {"service": "elsewhere"}, 400),
        (f"{HARBOR}/capabilities/nothing", {"service": "records"}, 404),
    ]
    for path, body, status in refused:
        assert (await door.ask(ADMIN, "PUT", path, body)).status_code == status, path

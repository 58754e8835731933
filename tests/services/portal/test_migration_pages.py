"""Administrators lead the move from an old system in the portal."""

import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from migration_in_memory import DIFFERENCE, MigrationInMemory
from portal_door import Door, Visitor

sys.path.insert(0, str(Path(__file__).parents[1] / "migration"))
from gateway_world import QUICK, ROUTES, SAM, World, open_world

from polyclinic.services.portal.domain import migration_words as words

ALL = ("", "/plan", "/routes", "/routes/allergies", "/differences", "/data", "/decisions")


@pytest.fixture
def move(portal_door: Door) -> MigrationInMemory:
    found = MigrationInMemory()
    found.beside(portal_door)
    return found


@pytest.fixture
async def sam(portal_door: Door, move: MigrationInMemory) -> Visitor:
    return await portal_door.as_("administrator")


async def test_the_overview_shows_stages_incidents_burn_down_and_what_was_put_aside(sam: Visitor):
    page = (await sam.get("/move")).text
    assert "Canary 25%" in page
    assert "25% on the new side" in page
    assert "Notes: burned its error budget." in page
    assert re.search(r"Rows put aside</dt><dd class=\"num\">20<", page)
    assert page.count('<rect class="bar"') == 89
    assert "on the busiest day" in page
    assert "2 serious differences without a verdict" in page
    assert "Used within 30 days: 1 route, 1 feed" in page
    assert 'href="/move"' in (await sam.get("/admin")).text


async def test_every_page_stands_while_nothing_has_begun(sam: Visitor, move: MigrationInMemory):
    move.is_empty = True
    for path in ("", "/plan", "/routes", "/differences", "/data", "/decisions"):
        answer = await sam.get(f"/move{path}")
        assert answer.status_code == 200, path
    assert "No capability is declared yet" in (await sam.get("/move")).text


async def test_a_route_shows_its_step_and_numbers_beside_what_people_say(sam: Visitor):
    page = (await sam.get("/move/routes/allergies")).text
    assert "812 of 3000 answers were seen on this step." in page
    assert "0.226%" in page
    assert "more than promised" in page
    assert "Found it &lt;at once&gt;." in page
    assert (await sam.get("/move/routes/nothing")).status_code == 404


@pytest.mark.parametrize(
    ("capability", "verb", "path", "body"),
    [
        ("allergies", "next", "routes/allergies/step", {}),
        ("allergies", "back", "routes/allergies/step", {"percent": 5}),
        ("allergies", "hold", "routes/allergies/hold", {}),
        ("notes", "release", "routes/notes/release", {}),
        ("labs", "next", "routes/labs/mode", {"mode": "canary"}),
        ("labs", "back", "routes/labs/mode", {"mode": "off"}),
        ("patients", "back", "routes/patients/mode", {"mode": "live"}),
        ("allergies", "kill", "kill", {"capability": "allergies"}),
    ],
)
async def test_a_button_needs_a_reason_and_a_second_look_before_anything_moves(
    sam: Visitor, move: MigrationInMemory, capability: str, verb: str, path: str, body: Any
):
    here = f"/move/routes/{capability}/{verb}"
    assert "Say why" in (await sam.post(here)).text
    asked = await sam.post(here, reason="Due.")
    assert "What happens" in asked.text
    assert move.asked == []
    done = await sam.post(here, reason="Due.", confirmed="yes", turn="t")
    assert done.headers["location"] == f"/move/routes/{capability}?done={verb}"
    assert move.asked == [("POST", path, {**body, "reason": "Due."})]


async def test_the_kill_switch_for_everything_asks_once_more(sam: Visitor, move: MigrationInMemory):
    assert (await sam.post("/move/kill")).status_code == 422
    assert "Every capability is back" in (await sam.post("/move/kill", reason="Odd.")).text
    assert move.asked == []
    await sam.post("/move/kill", reason="Odd.", confirmed="yes", turn="t")
    assert move.asked == [("POST", "kill", {"reason": "Odd."})]


async def test_what_migration_refuses_is_said_in_its_own_words(
    sam: Visitor, move: MigrationInMemory
):
    move.refuses = (409, "The rollout may not go on yet.")
    sent = {"reason": "Due.", "confirmed": "yes", "turn": "t"}
    answer = await sam.post("/move/routes/allergies/next", **sent)
    assert answer.status_code == 422
    assert "The rollout may not go on yet." in answer.text


async def test_a_term_of_the_plan_is_changed_and_a_gate_is_noted_with_its_evidence(
    sam: Visitor, move: MigrationInMemory
):
    page = (await sam.get("/move/plan")).text
    assert "how often it answers with a fault" in page
    assert "service records" in page
    assert '<svg viewBox="0 0 100 14"' in page
    form = {"system": "harbor", "capability": "labs", "term": "harm"}
    assert "0 to 100" in (await sam.post("/move/plan", **form, value="much")).text
    await sam.post("/move/plan", **form, value="60 %")
    method, path, body = move.asked.pop()
    assert (method, path) == ("PUT", "inventories/harbor/plan")
    assert body["values"] == {"labs": {"harm": 0.6}}
    which = await sam.post("/move/gates", system="harbor", capability="labs", state="passed")
    assert '<a href="#g-labs">Choose which gate you mean.' in which.text
    assert move.asked == []
    gate = {"gate": "shadow", "state": "passed", "evidence": "31,000 answers, none open"}
    await sam.post("/move/gates", system="harbor", capability="labs", **gate)
    said = {"state": "passed", "text": "", "evidence": {"said": "31,000 answers, none open"}}
    assert move.asked == [("PUT", "inventories/harbor/gates/labs/shadow", said)]


async def test_a_difference_shows_shapes_and_takes_a_verdict(sam: Visitor, move: MigrationInMemory):
    page = (await sam.get("/move/differences")).text
    assert "S1 · somebody" in page
    assert "Xxxxxxxxxx" in page
    form = {"difference": DIFFERENCE, "note": "Ours is right.", "turn": "t"}
    unsaid = (await sam.post("/move/differences", **form)).text
    assert f'<a href="#v-{DIFFERENCE}">Choose what this difference is.' in unsaid
    assert 'value="Ours is right."' in unsaid
    when = await sam.post("/move/differences", **form, verdict="expected", until="soon")
    assert f'<a href="#u-{DIFFERENCE}">' in when.text
    await sam.post("/move/differences", **form, verdict="expected", until="2031-01-02")
    _, path, body = move.asked[-1]
    assert path == f"differences/{DIFFERENCE}/verdict"
    assert body["until"].startswith("2031-01-02T00:00:00")


async def test_many_differences_come_page_by_page(sam: Visitor, move: MigrationInMemory):
    move.many = 45
    first = (await sam.get("/move/differences?capability=allergies")).text
    assert first.count('class="panel diff') == 20
    assert "1 to 20 of 45" in first
    assert 'href="/move/differences?capability=allergies&amp;after=20"' in first
    last = (await sam.get("/move/differences?after=40")).text
    assert "41 to 45 of 45" in last
    assert "The next ones" not in last
    assert "no more differences" in (await sam.get("/move/differences?after=60")).text


async def test_a_step_that_is_not_due_has_no_button_and_says_what_is_missing(
    sam: Visitor, move: MigrationInMemory
):
    waits = (await sam.get("/move/routes/allergies")).text
    assert "Not due yet" in waits
    assert "Go to 50%" not in waits
    assert "Back to 5% …" in waits
    due = (await sam.get("/move/routes/labs")).text
    assert "Begin with 1% …" in due
    assert "226% used" in waits


GATES = [
    {"plan": "harbor", "name": "taught", "state": "open", "says": "The people were shown it."},
    {"plan": "harbor", "name": "backfill", "state": "no longer passed", "says": "2 rows differ."},
]


async def test_open_gates_are_named_and_overridden_with_a_reason_and_a_second_look(
    sam: Visitor, move: MigrationInMemory
):
    assert "Go on all the same" not in (await sam.get("/move/routes/labs")).text
    move.gates = {"labs": GATES}
    page = (await sam.get("/move/routes/labs")).text
    assert "The plan asks for more" in page
    assert "The people were shown it." in page
    assert "Open again" in page
    assert "Begin with 1% with open gates …" in page
    here = "/move/routes/labs/override"
    unsaid = await sam.post(here)
    assert unsaid.status_code == 422
    assert 'href="#override"' in unsaid.text
    asked = (await sam.post(here, reason="The teachers are ill.")).text
    assert "These gates stay open" in asked
    assert "2 rows differ." in asked
    assert "A decision of its own" in asked
    assert move.asked == []
    done = await sam.post(here, reason="The teachers are ill.", confirmed="yes", turn="t")
    assert done.headers["location"] == "/move/routes/labs?done=override"
    body = {"mode": "canary", "reason": "The teachers are ill.",
            "override": "The teachers are ill."}  # fmt: skip
    assert move.asked == [("POST", "routes/labs/mode", body)]


def test_a_gate_that_was_passed_by_a_comparison_says_so():
    pairs = [{"rows": 1200, "same": 1183}, {"rows": 60, "same": 60}]
    evidence = {"reconciliations": [{"id": "1", "pairs": pairs}], "aside": 17}
    said = "both sides were compared over 1260 rows: nothing differed; 17 rows put aside"
    assert words.evidence_words(evidence).startswith(said)
    assert "aside" not in words.evidence_words({**evidence, "aside": 0})


async def test_only_what_a_plan_asks_can_be_overridden(sam: Visitor, move: MigrationInMemory):
    move.gates = {"allergies": GATES}
    page = (await sam.get("/move/routes/allergies")).text
    assert "812 of 3000 answers" in page
    assert "Go on all the same" not in page
    for capability in ("allergies", "labs"):
        sent = {"reason": "Now.", "confirmed": "yes", "turn": "t"}
        answer = await sam.post(f"/move/routes/{capability}/override", **sent)
        assert answer.status_code == 422
    assert move.asked == []


async def test_data_show_what_differs_and_can_be_reconciled_and_directed(
    sam: Visitor, move: MigrationInMemory
):
    page = (await sam.get("/move/data")).text
    assert "<code>dob</code> 3" in page
    assert "no date" in page
    await sam.post("/move/data", system="harbor-street", turn="a")
    form = {"system": "harbor-street", "pair": "labs", "direction": "forward", "turn": "b"}
    await sam.post("/move/data", **form)
    assert [(path, body) for _, path, body in move.asked] == [
        ("sources/harbor-street/reconciliations", {}),
        ("sources/harbor-street/pairs/labs/direction", {"direction": "forward"}),
    ]


async def test_decisions_stand_newest_first_with_the_way_to_older_ones(sam: Visitor):
    page = (await sam.get("/move/decisions")).text
    assert page.index(">60<") < page.index(">11<")
    assert 'href="/move/decisions?before=11"' in page


async def test_nobody_but_administrators_sees_the_move(portal_door: Door, move: MigrationInMemory):
    for role in ("clinician", "front-desk", "billing", "patient"):
        who = await portal_door.as_(role)
        for path in ALL:
            assert (await who.get(f"/move{path}")).status_code == 403


async def test_without_migration_nothing_leads_there_and_the_address_says_why(portal_door: Door):
    sam = await portal_door.as_("administrator")
    admin = (await sam.get("/admin")).text
    assert 'href="/move"' not in admin
    assert "Leaving an old system" in admin
    page = await sam.get("/move")
    assert page.status_code == 503
    assert "This installation does not offer that" in page.text


async def test_a_migration_that_does_not_answer_is_said_with_the_time(portal_door: Door):
    portal_door.running.peers.add_remote("migration", "http://127.0.0.1:9")
    page = await (await portal_door.as_("administrator")).get("/move")
    assert page.status_code == 503
    assert "The move cannot be reached at the moment" in page.text
    assert "since" in page.text


@pytest.fixture(scope="module")
async def world(postgres_url: str, key_file: Path) -> AsyncIterator[World]:
    async with open_world(postgres_url, key_file) as opened:
        yield opened


async def test_a_capability_climbs_and_is_killed_from_the_pages_of_the_real_service(
    portal_door: Door, world: World
):
    await world.begin()
    portal_door.running.peers.add_local("migration", world.app)
    world.tokens["administrator-token"] = SAM
    await world.lead("PUT", "/routes/charts", {"routes": ROUTES, "reason": "b", "ladder": QUICK})
    sam = await portal_door.as_("administrator", subject="sam")
    for turn in range(3):
        sent = {"reason": "Due.", "confirmed": "yes", "turn": str(turn)}
        await sam.post("/move/routes/charts/next", **sent)
    assert "Canary 5%" in (await sam.get("/move")).text
    await sam.post("/move/routes/charts/kill", reason="Odd.", confirmed="yes", turn="k")
    rule = await world.rule()
    assert (rule["mode"], rule["held"]) == ("off", True)
    decided = (await sam.get("/move/decisions")).text
    assert decided.index("Odd.") < decided.index("Due.")
    for path in ("", "/plan", "/routes", "/routes/charts", "/differences", "/data"):
        assert (await sam.get(f"/move{path}")).status_code == 200, path

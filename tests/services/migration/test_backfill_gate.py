"""The gate `backfill` asks whether both sides say the same, not whether moving came to its end."""

import sqlite3
import sys
from datetime import date
from importlib import resources
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from migration_door import ADMIN, PROGRAM, Door

from polyclinic.demo import legacy
from polyclinic.demo.legacy import kept
from polyclinic.services.migration.actions import data, gating, moving, reconciling

SYSTEM = "harbor-street"
MOVING = (resources.files(legacy) / "moving.yaml").read_text()
GATE = "/inventories/harbor/gates/patients/backfill"
FINDING = {
    "source": "database",
    "tables": [{"name": "patients", "key": ["id"], "rows": 60,
                "columns": [{"name": "id", "type": "integer"}]}],
}  # fmt: skip


class World:
    """A plan that knows the old system's patients, and that system beside records."""

    def __init__(self, door, old):
        self.door, self.old = door, old

    @property
    def passage(self):
        return self.door.running.state

    async def moved(self):
        await data.direct(self.passage, ADMIN, f"{SYSTEM}/patients", "forward", None)
        await self.step()

    async def step(self):
        way = await data.need(self.passage, SYSTEM)
        async with self.passage.moving:
            while await moving.step(way):
                pass

    async def compared(self):
        return await data.reconcile(self.passage, ADMIN, SYSTEM)

    async def changed_before_it_is_compared(self, statement):
        """The clock's own steps must not be quicker than the comparison."""
        way = await data.need(self.passage, SYSTEM)
        async with self.passage.moving:
            self.do(statement)
            await reconciling.reconcile(way, "sam")

    async def passes(self, who=ADMIN, text=""):
        return await self.door.ask(who, "PUT", GATE, {"state": "passed", "text": text})

    async def refused(self, who=ADMIN, text=""):
        answer = await self.passes(who, text)
        assert answer.status_code == 409, answer.text
        return answer.json()["error_description"]

    async def open_gates(self):
        found = await gating.open_gates(self.passage.database, "patients", "entry")
        return {gate.name: gate for gate in found}

    def do(self, statement, *values):
        with self.old:
            self.old.execute(statement, values)


@pytest.fixture
async def world(assembled, tmp_path):
    file = tmp_path / kept.FILE
    kept.make(file, rows=60, seed=7, today=date(2026, 3, 2))
    old = sqlite3.connect(file, timeout=20)
    async with assembled("identity", "records", "migration") as process:
        door = Door(process)
        await door.put("/inventories/harbor", {"title": "Harbor"})
        await door.put("/inventories/harbor/sources/database", FINDING)
        await door.put("/inventories/harbor/capabilities/patients", {"service": "records"})
        await data.set_up(door.running.state, ADMIN, MOVING, f"sqlite:///{file}", None)
        yield World(door, old)
        await door.client.aclose()
    old.close()


async def test_it_is_passed_by_a_comparison_that_finds_nothing_and_signed_for_what_is_aside(world):
    assert "it is not moved" in await world.refused(text="All of them are there.")
    await world.moved()
    assert "both sides were not compared since" in await world.refused()
    report = await world.compared()
    (pair,) = report["pairs"]
    assert (report["divergence"], pair["checksum"]) == (0, pair["kept"])
    assert pair["quarantined"] > 0
    assert f"{pair['quarantined']} rows were put aside" in await world.refused()
    assert "rows were put aside" in await world.refused(PROGRAM, "A program does not sign.")
    passed = await world.passes(text="Two have no date of birth: the desk asks them.")
    assert passed.is_success, passed.text
    decided = (await world.door.get("/decisions"))["decisions"]
    kept = [each for each in decided if each["kind"] == "gate"][-1]["value"]["evidence"]
    assert kept["aside"] == pair["quarantined"]
    (seen,) = kept["reconciliations"]
    assert (seen["system"], seen["pairs"][0]["checksum"]) == (SYSTEM, pair["checksum"])
    assert "backfill" not in await world.open_gates()


async def test_it_opens_again_when_both_sides_agree_no_more(world):
    await world.moved()
    await world.compared()
    assert (await world.passes(text="They are known.")).is_success
    await world.changed_before_it_is_compared(
        "UPDATE patients SET city = 'Elsewhere' WHERE id = "
        "(SELECT min(id) FROM patients WHERE del_flag = 'N')"
    )
    gate = (await world.open_gates())["backfill"]
    assert gate.state == "no longer passed"
    assert "1 different" in gate.says
    assert "1 different" in await world.refused(text="They are known.")
    await world.step()
    await world.compared()
    assert "backfill" not in await world.open_gates()


async def test_rows_that_are_put_aside_later_need_a_signature_of_their_own(world):
    await world.moved()
    await world.compared()
    assert (await world.passes(text="They are known.")).is_success
    world.do("UPDATE patients SET dob = '' WHERE id = "
             "(SELECT min(id) FROM patients WHERE del_flag = 'N' AND dob <> '')")  # fmt: skip
    await world.step()
    await world.compared()
    assert (await world.open_gates())["backfill"].state == "no longer passed"


async def test_a_table_that_nothing_moves_is_named(world):
    columns = [{"name": name, "type": "integer"} for name in ("id", "patient_id")]
    notes = {"name": "patient_notes", "key": ["id"], "rows": 5, "columns": columns}
    tables = [*FINDING["tables"], notes]
    await world.door.put("/inventories/harbor/sources/database", {**FINDING, "tables": tables})
    found = (await world.door.get("/inventories/harbor"))["capabilities"]
    name = next(each["name"] for each in found if "patient_notes" in each["tables"])
    path = f"/inventories/harbor/gates/{name}/backfill"
    answer = await world.door.ask(ADMIN, "PUT", path, {"state": "passed", "text": "sure"})
    assert answer.status_code == 409
    assert "No pair moves" in answer.json()["error_description"]
    assert "patient_notes" in answer.json()["error_description"]

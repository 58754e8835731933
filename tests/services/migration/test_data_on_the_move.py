"""Rows become resources while they change, what is written here goes back, and both sides agree."""

import asyncio
import sqlite3
import time
import uuid
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import pytest

from polyclinic.demo import legacy
from polyclinic.demo.legacy import kept
from polyclinic.fhirserver.rest.ask import Ask
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.errors import Invalid, Unavailable
from polyclinic.services.migration.actions import data, moving, returning
from polyclinic.services.migration.domain import crossing

SYSTEM = "harbor-street"
MOVING = (resources.files(legacy) / "moving.yaml").read_text()
PAIRS = ("patients", "allergies", "problems", "meds", "labs")
ADMIN = Caller("sam", "test", "administrator", frozenset({"user/*.cruds"}), None, "t-admin")
OPERATOR = Caller("operator", "test", "system", frozenset({"system/*.cruds"}), None, "t-operator")


@dataclass
class World:
    """The old clinic's file and ours, side by side."""

    passage: Any
    records: Any
    old: sqlite3.Connection

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
                busy = await moving.step(way)
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
        keys, numbers = zip(*self.old.execute(query, (count,)).fetchall(), strict=True)
        return list(keys), list(numbers)

    async def until(self, condition) -> None:
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end, "what was written here never came back"
            await asyncio.sleep(0.05)

    def do(self, statement: str, *values: Any) -> None:
        with self.old:
            self.old.execute(statement, values)

    def one(self, query: str, *values: Any) -> Any:
        row = self.old.execute(query, values).fetchone()
        return row[0] if row is not None and len(row) == 1 else row


@pytest.fixture
async def world(assembled, tmp_path: Path):
    async with open_world(assembled, tmp_path) as opened:
        yield opened


@asynccontextmanager
async def open_world(assembled, folder: Path, rows: int = 400):
    file = folder / kept.FILE
    kept.make(file, rows=rows, seed=7, today=date(2026, 3, 2))
    old = sqlite3.connect(file, timeout=20)
    async with assembled("identity", "records", "migration") as process:
        passage = process.running["migration"].state
        # The clock's own steps would run between those of the tests.
        opened = World(passage, process.running["records"].state, old)
        await data.set_up(passage, ADMIN, MOVING, f"sqlite:///{file}", None)
        yield opened
    old.close()


async def test_all_rows_are_moved_or_put_aside_with_a_reason_and_both_sides_agree(world: World):
    await world.begin()
    await world.settle()
    report = await world.report()
    assert report["divergence"] == 0, report
    by_name = {pair["pair"]: pair for pair in report["pairs"]}
    for pair in by_name.values():
        assert pair["rows"] == pair["same"] + pair["quarantined"], pair
        assert pair["rows"] > 10, "nothing was compared"
    reasons = await world.reasons()
    assert reasons["patients", "dob", "no date"] == 2
    assert reasons["patients", "first_nm", "empty"] == 1
    assert reasons["allergies", "mrn", "leads nowhere"] >= 2
    assert reasons["meds", "dose", "no number"] == 1
    name = world.one("SELECT id FROM patients WHERE del_flag = 'N' ORDER BY id LIMIT 1")
    patient = await world.read("Patient", world.resource("patients", name))
    last, mrn = world.one("SELECT last_nm, mrn FROM patients WHERE id = ?", name)
    assert patient["name"][0]["family"] == last
    assert mrn in [each["value"] for each in patient["identifier"]]


async def test_what_changes_while_rows_are_read_is_not_lost(world: World, monkeypatch):
    monkeypatch.setattr(moving, "CHUNK", 20)
    await world.begin("forward", "patients", "allergies")
    stop = asyncio.Event()

    async def write() -> int:
        count = 0
        while not stop.is_set() and count < 60:
            world.do("UPDATE patients SET city = ? WHERE id % 7 = ?", f"Town {count}", count % 7)
            world.do(
                "INSERT INTO allergies (mrn, substance, upd_ts) SELECT mrn, ?, ''"
                " FROM patients WHERE del_flag = 'N' LIMIT 1 OFFSET ?", f"Thing {count}", count % 5,
            )  # fmt: skip
            world.do("DELETE FROM allergies WHERE id % 31 = ?", count % 31)
            count += 1
            await asyncio.sleep(0.02)
        return count

    writer = asyncio.create_task(write())
    for _ in range(30):
        async with world.passage.moving:
            await moving.step(await world.way())
        await asyncio.sleep(0)
    stop.set()
    assert await writer > 5
    await world.settle()
    report = await world.report()
    assert report["divergence"] == 0, report
    assert all(p["checksum"] == p["kept"] or p["quarantined"] for p in report["pairs"])


async def test_what_is_written_here_goes_back_and_does_not_return_as_news(world: World):
    await world.begin("both", "patients", "allergies", "meds")
    await world.settle()
    key, mrn = world.one("SELECT id, mrn FROM patients WHERE del_flag = 'N' LIMIT 1")
    patient = await world.read("Patient", world.resource("patients", key))
    patient["address"] = [{"line": ["9 New Street"], "city": "Camden", "state": "ME"}]
    patient["maritalStatus"] = {"text": "only known here"}
    await world.put(patient)
    await world.until(
        lambda: (
            world.one("SELECT addr1, city FROM patients WHERE id = ?", key)
            == ("9 New Street", "Camden")
        )
    )
    new = {
        "resourceType": "AllergyIntolerance", "id": str(uuid.uuid4()),
        "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/"
                                       "allergyintolerance-clinical", "code": "active"}]},
        "code": {"text": "Zinc oxide"}, "patient": {"reference": f"Patient/{patient['id']}"},
    }  # fmt: skip
    await world.put(new)
    await world.until(
        lambda: world.one("SELECT count(*) FROM allergies WHERE substance = 'Zinc oxide'") == 1
    )
    assert world.one("SELECT mrn FROM allergies WHERE substance = 'Zinc oxide'") == mrn
    await world.agree()
    assert world.one("SELECT count(*) FROM allergies WHERE substance = 'Zinc oxide'") == 1
    assert world.one("SELECT count(*) FROM chg_origin") == 0
    world.do("UPDATE patients SET city = 'Rockport' WHERE id = ?", key)
    await world.settle()
    again = await world.read("Patient", patient["id"])
    assert again["address"][0]["city"] == "Rockport"
    assert again["maritalStatus"]["text"] == "only known here", "what the old system does not know"


async def test_both_sides_changed_is_for_a_person_to_decide(world: World):
    await world.begin("forward", "patients")
    await world.settle()
    key = world.one("SELECT id FROM patients WHERE del_flag = 'N' LIMIT 1")
    patient = await world.read("Patient", world.resource("patients", key))
    patient["address"] = [{"city": "Here"}]
    await world.put(patient)
    await world.begin("both", "patients")
    world.do("UPDATE patients SET city = 'There' WHERE id = ?", key)
    way = await world.way()
    async with world.passage.database.transaction() as tx:
        await returning.take_back(way, tx, "Patient", patient["id"], 2)
    reasons = await world.reasons()
    assert reasons["patients", "", "changed on both sides"] == 1
    assert world.one("SELECT city FROM patients WHERE id = ?", key) == "There"


async def test_what_was_written_here_is_not_overwritten_by_a_row_that_changed_too(world: World):
    await world.begin("forward", "patients")
    await world.settle()
    (key, gone, other), _ = world.first_patients(3)
    for each, change in (
        (key, {"address": [{"city": "Here"}]}), (gone, {"address": [{"city": "Here"}]}),
        (other, {"maritalStatus": {"text": "only known here"}}),
    ):  # fmt: skip
        patient = await world.read("Patient", world.resource("patients", each))
        await world.put(patient | change)
    world.do("UPDATE patients SET city = 'There' WHERE id IN (?, ?)", key, other)
    world.do("UPDATE patients SET del_flag = 'Y' WHERE id = ?", gone)
    await world.settle()
    for each in (key, gone):
        patient = await world.read("Patient", world.resource("patients", each))
        assert (patient["address"], patient["active"]) == ([{"city": "Here"}], True)
    merged = await world.read("Patient", world.resource("patients", other))
    assert merged["address"][0]["city"] == "There"
    assert merged["maritalStatus"]["text"] == "only known here"
    assert (await world.reasons())["patients", "", "changed on both sides"] == 2
    assert (await world.report())["divergence"] == 2, "both are seen until a person decides"
    alike = "UPDATE patients SET del_flag = 'N', city = 'Here', addr1 = NULL, state = NULL"
    world.do(f"{alike}, zip = NULL WHERE id IN (?, ?)", key, gone)
    await world.settle()
    assert (await world.reasons())["patients", "", "changed on both sides"] == 0
    assert (await world.report())["divergence"] == 0


async def test_what_was_deleted_here_is_not_made_again_by_a_row_that_changed(world: World):
    await world.begin("forward", "patients")
    await world.settle()
    (key,), _ = world.first_patients(1)
    await world.delete("Patient", world.resource("patients", key))
    world.do("UPDATE patients SET city = 'There' WHERE id = ?", key)
    await world.settle()
    assert await world.read("Patient", world.resource("patients", key)) is None
    assert (await world.reasons())["patients", "", "deleted here"] == 1


async def test_a_crash_after_each_step_loses_and_doubles_nothing(world: World, monkeypatch):
    """The old system wrote, and we die before we note it; records wrote, and we die likewise."""
    await world.begin("both", "patients", "allergies")
    way = await world.way()
    kept_down = moving._write_down

    async def die(*_):
        raise Unavailable("The process dies here.")

    monkeypatch.setattr(moving, "_write_down", die)
    with pytest.raises(Unavailable):
        async with world.passage.moving:
            await moving.step(way)
    monkeypatch.setattr(moving, "_write_down", kept_down)
    await world.settle()
    assert (await world.report())["divergence"] == 0
    key = world.one("SELECT id FROM patients WHERE del_flag = 'N' LIMIT 1")
    patient = f"Patient/{world.resource('patients', key)}"
    new = {
        "resourceType": "AllergyIntolerance", "id": str(uuid.uuid4()),
        "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/"
                                       "allergyintolerance-clinical", "code": "active"}]},
        "code": {"text": "Cobalt"}, "patient": {"reference": patient},
    }  # fmt: skip
    insert, died = way.rows.insert, []

    async def insert_and_die(*args):
        await insert(*args)
        if not died:
            died.append(True)
            raise Unavailable("The process dies here.")
        raise AssertionError("a second row was made")

    monkeypatch.setattr(way.rows, "insert", insert_and_die, raising=False)
    await world.put(new)
    await world.until(lambda: bool(died))
    await world.agree()
    assert world.one("SELECT count(*) FROM allergies WHERE substance = 'Cobalt'") == 1


async def test_a_row_that_was_mended_leaves_the_quarantine_and_takes_its_own_along(world: World):
    await world.begin("forward", "patients", "allergies")
    await world.settle()
    before = await world.reasons()
    (key, mrn) = world.one("SELECT id, mrn FROM patients WHERE first_nm IS NULL OR first_nm = ''")
    world.do("INSERT INTO allergies (mrn, substance, upd_ts) VALUES (?, 'Wool', '')", mrn)
    await world.settle()
    waiting = (await world.reasons())["allergies", "mrn", "leads nowhere"]
    assert waiting > before["allergies", "mrn", "leads nowhere"]
    world.do("UPDATE patients SET first_nm = 'Ada' WHERE id = ?", key)
    await world.settle()
    after = await world.reasons()
    assert after["patients", "first_nm", "empty"] == 0
    assert after["allergies", "mrn", "leads nowhere"] < waiting
    assert (await world.report())["divergence"] == 0


async def test_nothing_of_the_old_systems_values_stands_in_our_tables(world: World):
    await world.begin()
    await world.settle()
    names = [r[0] for r in world.old.execute("SELECT last_nm FROM patients LIMIT 5")]
    numbers = [r[0] for r in world.old.execute("SELECT mrn FROM patients LIMIT 5")]
    for table in ("crosswalk", "quarantine", "pair"):
        rows = await world.passage.database.fetch(f"SELECT t::text AS row FROM migration.{table} t")
        text = "\n".join(row["row"] for row in rows)
        assert not [word for word in [*names, *numbers] if word in text], table


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("system: [", "body"),
        ("system: x\n", "body"),
        (MOVING.replace("type: Patient", "type: Person2"), "pairs.patients.type"),
        (MOVING.replace('path: "name[0].family"', 'path: "name[0]..family"'), "pairs.patients"),
        (MOVING.replace("table: patients, by: mrn", "table: nobody, by: mrn"), "pairs.allergies"),
        (MOVING.replace("table: labs", 'table: "labs; DROP TABLE x"'), "pairs"),
    ],
)
def test_a_set_up_that_cannot_be_meant_is_refused_with_its_place(text, place):
    with pytest.raises(Invalid) as refused:
        crossing.read(text.encode())
    assert place in (refused.value.place or "")


async def test_a_password_in_the_address_is_refused(world: World):
    with pytest.raises(Invalid, match="password"):
        await data.set_up(world.passage, ADMIN, MOVING, "postgresql://a:secret@127.0.0.1/x", None)


async def test_another_dialect_than_the_one_that_was_tried_is_refused(world: World):
    with pytest.raises(Invalid, match="SQLite only"):
        await data.set_up(world.passage, ADMIN, MOVING, "postgresql://reader@127.0.0.1/x", None)


async def test_an_old_system_that_is_away_is_waited_for(world: World):
    await world.begin("forward", "patients")
    way = await world.way()
    url = "sqlite:////nowhere/at/all.db"
    broken = type(way.rows)(url, way.source.log)
    with pytest.raises(Unavailable):
        await broken.newest()

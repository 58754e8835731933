"""Rows become resources while they change, what is written here goes back, and both sides agree."""

import asyncio
import sqlite3
import sys
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from moving_world import ADMIN, MOVING, SYSTEM, World, open_world
from old_clinics import OldSqlite

from polyclinic.demo.legacy import kept
from polyclinic.foundation.errors import Invalid, Unavailable
from polyclinic.foundation.foreign import tls_of
from polyclinic.services.migration.actions import data, moving, returning
from polyclinic.services.migration.domain import crossing
from polyclinic.services.migration.domain.old_address import check_address
from polyclinic.services.migration.gateways.batches import Ask, by_batches
from polyclinic.services.migration.gateways.old_database import open_rows


@pytest.fixture
async def world(assembled, either_old):
    async with open_world(assembled, either_old) as opened:
        yield opened


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


async def test_without_appointments_bookings_are_refused_and_charts_move(world: World):
    with pytest.raises(data.NoOwner, match="appointments service, which is not part"):
        await world.begin("forward", "appts")
    await world.begin("off", "appts")
    await world.begin("forward", "patients")
    await world.settle()
    report = await world.report()
    assert [pair["pair"] for pair in report["pairs"]] == ["patients"]
    assert report["divergence"] == 0


async def test_a_source_that_fails_stops_no_other(world: World, monkeypatch):
    step = moving.step

    async def fail_on_one(way):
        if way.system == SYSTEM:
            raise RuntimeError("a fault of ours")
        return await step(way)

    monkeypatch.setattr(moving, "step", fail_on_one)
    other = MOVING.replace(f"system: {SYSTEM}", "system: later-street")
    assert other != MOVING
    await data.set_up(world.passage, ADMIN, other, world.old.url, None)
    await world.begin("forward", "patients")
    await data.direct(world.passage, ADMIN, "later-street/patients", "forward", None)
    await data.step(world.passage)
    moved, waiting = [
        (await data.shown(world.passage, system))["pairs"][0]["moved"]
        for system in ("later-street", SYSTEM)
    ]
    assert (moved > 10, waiting) == (True, 0)


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


async def test_a_walk_begins_anew_when_its_pair_was_off_meanwhile(world: World, monkeypatch):
    """It went on where it was: what changed before that while it was off was never looked at."""
    monkeypatch.setattr(moving, "CHUNK", 20)
    (key,), _ = world.first_patients(1)
    async with world.passage.moving:
        await world.begin("forward", "patients")
        await moving.step(await world.way())
        await world.begin("off", "patients")
        world.do("UPDATE patients SET city = 'Rockport' WHERE id = ?", key)
        await moving.step(await world.way())
        await world.begin("forward", "patients")
    await world.settle()
    assert (await world.report())["divergence"] == 0


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


def begun_here(patient: str, **more: Any) -> dict[str, Any]:
    """An allergy of somebody, noted on the new side."""
    clinical = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
    return {
        "resourceType": "AllergyIntolerance", "id": str(uuid.uuid4()),
        "clinicalStatus": {"coding": [{"system": clinical, "code": "active"}]},
        "code": {"text": "Zinc oxide"}, "patient": {"reference": f"Patient/{patient}"}, **more,
    }  # fmt: skip


def registered_here(mrn: str) -> dict[str, Any]:
    return {
        "resourceType": "Patient", "id": str(uuid.uuid4()),
        "identifier": [{"system": "urn:harbor:mrn", "value": mrn}],
        "name": [{"family": "Lind", "given": ["Ada"]}], "birthDate": "1970-01-02",
    }  # fmt: skip


async def somebody_elses_goes_home(world: World) -> None:
    (key,), _ = world.first_patients(1)
    await world.put(begun_here(world.resource("patients", key), code={"text": "Wool"}))
    await world.until(
        lambda: world.one("SELECT count(*) FROM allergies WHERE substance = 'Wool'") == 1
    )


async def test_what_is_of_somebody_who_was_put_aside_goes_back_with_them(world: World):
    await world.begin("both", "patients", "allergies")
    await world.settle()
    before = await world.reasons()
    ada = registered_here("HS-900001") | {"gender": "other"}
    await world.put(ada)
    zinc, never = begun_here(ada["id"]), begun_here(ada["id"])
    await world.put(zinc)
    await world.put(never)
    await world.until_aside("allergies", "mrn", "the old system does not know whom", 2)
    assert (await world.reasons())["patients", "sex", "the old system has no such code"] == 1
    await world.delete("AllergyIntolerance", never["id"])
    await world.until_aside("allergies", "mrn", "the old system does not know whom", 1)
    await world.put(ada | {"gender": "female"})
    await world.until(
        lambda: world.one("SELECT mrn FROM allergies WHERE substance = 'Zinc oxide'") == "HS-900001"
    )
    await world.agree()
    assert await world.reasons() == before, "nobody is put aside any more"
    assert world.one("SELECT count(*) FROM allergies WHERE substance = 'Zinc oxide'") == 1


async def test_what_waits_for_somebody_stays_where_nothing_is_to_go_back_any_more(world: World):
    await world.begin("both", "patients", "allergies")
    await world.settle()
    ada = registered_here("HS-900001") | {"gender": "other"}
    await world.put(ada)
    await world.put(begun_here(ada["id"]))
    await world.until_aside("allergies", "mrn", "the old system does not know whom", 1)
    await world.begin("forward", "allergies")
    await world.put(ada | {"gender": "female"})
    await world.until(
        lambda: world.one("SELECT count(*) FROM patients WHERE mrn = 'HS-900001'") == 1
    )
    await world.until_aside("patients", "sex", "the old system has no such code", 0)
    assert world.one("SELECT count(*) FROM allergies WHERE mrn = 'HS-900001'") == 0
    assert (await world.reasons())["allergies", "mrn", "the old system does not know whom"] == 1


async def test_what_the_old_system_has_no_word_for_is_put_aside_and_not_lost(world: World):
    await world.begin("both", "patients", "allergies")
    await world.settle()
    (key,), _ = world.first_patients(1)
    reaction = [{"manifestation": [{"text": "Rash"}], "severity": "severe"}]
    odd = begun_here(world.resource("patients", key), reaction=reaction, onsetDateTime="1999")
    reworded = MOVING.replace("SEVERE: severe", "GRAVE: grave")
    await data.set_up(world.passage, ADMIN, reworded, world.old.url, None)
    await world.settle()
    await world.put(odd)
    await world.until_aside("allergies", "severity", "the old system has no such code", 1)


async def test_a_number_that_the_old_system_gave_away_stops_nobody_elses_way_back(world: World):
    """Somebody whose row was put aside is registered here again: a person decides who is who."""
    await world.begin("both", "patients", "allergies")
    await world.settle()
    mrn = world.one("SELECT mrn FROM patients WHERE first_nm IS NULL OR first_nm = ''")
    ada = registered_here(mrn)
    await world.put(ada)
    await world.put(begun_here(ada["id"]))
    await somebody_elses_goes_home(world)
    # Written down with the last of what was heard together.
    await world.until_aside("patients", "", "refused by the old system", 1)
    await world.until_aside("allergies", "mrn", "the old system does not know whom", 1)
    assert world.one("SELECT count(*) FROM allergies WHERE substance = 'Zinc oxide'") == 0


async def test_what_is_of_somebody_whom_the_old_system_never_had_is_not_its(world: World):
    await world.begin("forward", "patients")
    await world.begin("both", "allergies")
    await world.settle()
    ada = registered_here("HS-900001")
    await world.put(ada)
    await world.put(begun_here(ada["id"]))
    await somebody_elses_goes_home(world)
    assert (await world.reasons())["allergies", "mrn", "the old system does not know whom"] == 0


async def test_what_is_of_a_known_patient_and_leads_elsewhere_too_is_not_dropped(world: World):
    """One link that the old system could not follow made it a stranger's: nobody saw it again."""
    prescriber = "{column: prescriber, path: informationSource.display}"
    reason = '{column: prescriber, path: "reasonReference[0].reference", as: link, table: problems}'
    assert prescriber in MOVING
    reworded = MOVING.replace(prescriber, reason)
    await data.set_up(world.passage, ADMIN, reworded, world.old.url, None)
    await world.begin("forward", "patients", "problems")
    await world.begin("both", "meds")
    await world.settle()
    (key,), _ = world.first_patients(1)
    subject = {"reference": f"Patient/{world.resource('patients', key)}"}
    problem = {"resourceType": "Condition", "id": str(uuid.uuid4()), "subject": subject}
    await world.put(problem)
    drug = {
        "resourceType": "MedicationStatement", "id": str(uuid.uuid4()), "subject": subject,
        "status": "active", "medicationCodeableConcept": {"text": "Zinc"},
        "reasonReference": [{"reference": f"Condition/{problem['id']}"}],
    }  # fmt: skip
    await world.put(drug)
    await world.until_aside("meds", "prescriber", "the old system does not know whom", 1)


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
    names = [r[0] for r in world.old.all("SELECT last_nm FROM patients LIMIT 5")]
    numbers = [r[0] for r in world.old.all("SELECT mrn FROM patients LIMIT 5")]
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


@pytest.mark.parametrize("url", ["mysql://me@127.0.0.1/x", "oracle+oracledb://me@127.0.0.1/x"])
def test_another_dialect_than_those_that_were_tried_is_refused(url):
    with pytest.raises(Invalid, match="SQLite and PostgreSQL"):
        check_address(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://a:secret@127.0.0.1/x",
        "postgresql://a@127.0.0.1/x?password=secret",
        "postgresql://a@127.0.0.1/x?sslpassword=secret",
        "postgresql://a@127.0.0.1/x?passfile=secret",
        "postgresql://a@127.0.0.1/x?options=secret",
        "postgresql://a@127.0.0.1/x?sslmode=secret",
    ],
)
def test_what_an_address_must_not_say_is_refused_and_not_repeated(url):
    with pytest.raises(Invalid) as refused:
        check_address(url)
    assert "secret" not in refused.value.message


def test_another_machine_must_prove_who_it_is_unless_the_address_says_otherwise():
    assert tls_of("postgresql://me@db.example.org/old") is True
    assert tls_of("postgresql://me@db.example.org/old?sslrootcert=/ca.pem") == "verify-full"
    for said in ("me@db.example.org/old?sslmode=require", "me@localhost/old", "me@/old?host=/run"):
        assert tls_of(f"postgresql://{said}") is None, "as the address says, or none is needed"


async def test_a_key_is_drawn_while_nobody_else_writes(tmp_path: Path):
    """Drawn before, it was somebody else's when the row was made."""
    old = OldSqlite(tmp_path, 400)
    source = crossing.read(MOVING.encode())
    (pair,) = source.of_type("AllergyIntolerance")
    ((highest,),) = old.all("SELECT max(id) FROM allergies")
    theirs = sqlite3.connect(tmp_path / kept.FILE, isolation_level=None)
    theirs.execute("BEGIN IMMEDIATE")
    theirs.execute(
        "INSERT INTO allergies (id, mrn, substance, upd_ts) VALUES (?, 'HS-1', 'Theirs', '')",
        (highest + 1,),
    )
    rows = open_rows(old.url, source)
    row = {"mrn": "HS-1", "substance": "Ours", "upd_ts": ""}
    making = asyncio.create_task(rows.insert(pair, None, row, "polyclinic|x/y"))
    await asyncio.sleep(0.3)
    theirs.execute("COMMIT")
    theirs.close()
    assert await making == str(highest + 2)
    await rows.close()
    old.close()


async def test_an_old_system_that_is_away_is_waited_for(world: World):
    await world.begin("forward", "patients")
    way = await world.way()
    for url in ("sqlite:////nowhere/at/all.db", "postgresql://me@/old?host=/nowhere/at/all"):
        with pytest.raises(Unavailable):
            await open_rows(url, way.source).newest()


async def test_an_owner_that_answers_less_than_it_was_asked_is_a_fault(world: World):
    """A row without an answer would be neither noted nor put aside."""
    ask = Ask("GET", "Patient", "p1")

    async def send(headers, content):
        return httpx.Response(200, content=b'{"resourceType": "Bundle", "entry": []}')

    with pytest.raises(ValueError, match="shorter"):
        [each async for each in by_batches(world.passage.running, send, [ask])]

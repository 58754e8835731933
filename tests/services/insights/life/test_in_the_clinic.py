"""A discharge in records: remembered without a name, scored, told to records, and taken back."""

from datetime import timedelta

import msgspec
import pytest
from clinic_made import encounter, lab, model
from insights_house import until

from polyclinic.foundation import clock
from polyclinic.services.insights.actions import modelling, remembering, stepping
from polyclinic.services.insights.actions.state import Engine


@pytest.fixture(scope="module")
async def champion(house):
    engine: Engine = house.running.state
    draft = modelling.Draft(
        msgspec.Raw(model("1")), {"title": "Readmission"}, 0.11, "lace"
    )  # fmt: skip
    async with engine.database.transaction() as tx:
        await modelling.add(engine, tx, draft, "ada")
    await house.sql("UPDATE insights.model SET state = 'champion' WHERE model = 'readmission'")
    return house


async def goes_home(house, who, days=1, sugar=200.0):
    now = clock.now()
    patient = {"resourceType": "Patient", "id": who, "birthDate": "1950-02-03", "gender": "female",
               "name": [{"family": "Lovelace"}],
               "address": [{"city": "Boston", "postalCode": "02139"}]}  # fmt: skip
    await house.put(patient)
    await house.put(lab(who, "2345-7", sugar, "mg/dL", now - timedelta(days=days + 1)))
    start = now - timedelta(days=days + 4)
    await house.put(encounter(who, 1, start, now - timedelta(days=days)))


async def assessment_of(house, who, status="final"):
    found = await house.found(f"RiskAssessment?patient={who}")
    said = {each["identifier"][0]["value"]: each for each in found if each["status"] == status}
    return said.get("readmission")


async def is_listed(house, token):
    listed = await house.get("/insights/worklist", token=token)
    return any(
        line["method"] == "readmission" for each in listed["people"] for line in each["lines"]
    )


async def events_of(house):
    return await house.sql("SELECT * FROM insights.event ORDER BY code, time")


async def test_a_discharge_becomes_an_assessment_with_its_sources_and_a_line(champion):
    house = champion
    await goes_home(house, "ada")
    made = await until(lambda: assessment_of(house, "ada"))
    [prediction] = made["prediction"]
    chance = 100 / (1 + 2.718281828 ** -(-2.2 + 0.8))
    assert float(prediction["probabilityDecimal"]) == pytest.approx(chance, abs=0.06)
    assert prediction["qualitativeRisk"]["coding"][0]["code"] == "high"
    assert "glucose.last 200" in prediction["rationale"]
    sources = {each["reference"] for each in made["basis"]}
    assert {"Observation/ada-2345-7", "Encounter/ada-e1"} <= sources
    assert made["mitigation"].startswith("Plan the way home")
    assert made["meta"]["security"][0]["code"] == "NOPAT"
    clinician = await house.clinician("cleo", "ada")
    assert await until(lambda: is_listed(house, clinician))


async def test_a_score_says_by_which_version_and_of_what_it_was_made(champion):
    made = await until(lambda: assessment_of(champion, "ada"))
    said = await champion.get(f"/fhir/Provenance/{made['id']}")
    assert {each["reference"] for each in said["target"]} == {
        f"RiskAssessment/{made['id']}", "Patient/ada",
    }  # fmt: skip
    [agent] = said["agent"]
    assert agent["who"]["identifier"]["value"] == "readmission/1"
    assert agent["who"]["reference"] == made["performer"]["reference"]
    sources = [each["what"]["identifier"]["value"] for each in said["entity"]]
    assert sources == [each["reference"] for each in made["basis"]]
    assert said["meta"]["versionId"] == "1", "it is said once"
    kidney = await champion.found("RiskAssessment?patient=ada")
    for each in kidney:
        told = await champion.get(f"/fhir/Provenance/{each['id']}")
        assert told["agent"][0]["who"]["reference"] == each["performer"]["reference"]


async def test_the_panel_shows_it_with_the_reasons_that_sum_to_it(champion):
    clinician = await champion.clinician("dora", "ada")
    answer = await champion.send(
        "POST", "/insights/chart", {"patient": "ada"}, token=clinician
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    [entry] = [each for each in answer.json()["scores"] if each["method"] == "readmission"]
    assert entry["status"] == "scored"
    assert entry["up"][0]["input"] == "glucose.last"
    assert entry["action"]["text"].startswith("Plan the way home")


async def test_what_is_remembered_names_nobody_and_the_same_again_writes_nothing(champion):
    house = champion
    await house.rested()
    rows = await events_of(house)
    codes = {row["code"] for row in rows}
    assert {"MEDS_BIRTH", "ZIP3//021", "LOINC//2345-7", "STAY//IMP//END"} <= codes
    text = str([dict(row) for row in rows])
    for word in ("ada", "Lovelace", "Boston", "02139", "1950-02-03"):
        assert word not in text
    subjects = {row["subject"] for row in rows}
    foretold = await house.sql("SELECT subject FROM insights.score")
    listed = await house.sql("SELECT subject FROM insights.assessment")
    for other in (foretold, listed):
        assert not subjects.intersection(row["subject"] for row in other), "no way between them"
    before = await house.sql("SELECT xmin::text AS x FROM insights.event ORDER BY ctid")
    await house.put({"resourceType": "Patient", "id": "ada", "birthDate": "1950-02-03",
                     "gender": "female", "address": [{"postalCode": "02139"}]})  # fmt: skip
    await house.rested()
    after = await house.sql("SELECT xmin::text AS x FROM insights.event ORDER BY ctid")
    assert [row["x"] for row in after] == [row["x"] for row in before]


async def test_what_is_deleted_in_records_is_no_longer_remembered(champion):
    house = champion
    await house.put({"resourceType": "Patient", "id": "eve", "birthDate": "1950-02-03"})
    made = lab("eve", "2160-0", 0.9, "mg/dL", clock.now())
    await house.put(made)

    async def remembered():
        return [row for row in await events_of(house) if row["code"] == "LOINC//2160-0"]

    assert await until(remembered)
    assert (await house.send("DELETE", f"/fhir/Observation/{made['id']}")).is_success

    async def forgotten():
        return not await remembered()

    assert await until(forgotten)
    await house.rested()  # or what is still on its way would be remembered after this
    async with house.running.state.database.transaction() as tx:
        await remembering.forget(house.running.state, tx, "Patient/eve")


async def test_a_new_generation_has_other_names_and_other_dates(champion):
    house = champion
    before = {row["code"]: row for row in await events_of(house)}
    ops = await house.person("administrator", "Practitioner/ops", "")
    answer = await house.send("POST", "/insights/generations", {}, token=ops)
    assert answer.json() == {"generation": 2}
    engine = house.running.state
    async with engine.database.transaction() as tx:
        await remembering.remember(engine, tx, "Patient/ada", [])
    after = {row["code"]: row for row in await events_of(house)}
    assert after.keys() == before.keys()
    for code in before:
        assert after[code]["subject"] != before[code]["subject"]
        assert after[code]["source"] == before[code]["source"]
    moved = {after[code]["time"] - before[code]["time"] for code in before}
    assert len(moved) == 1
    assert (await house.get("/insights/events-known", token=ops))["codes"] == []


async def test_what_a_withdrawn_model_said_leaves_the_list_at_once_and_records_later(champion):
    house, engine = champion, champion.running.state
    async with engine.database.transaction() as tx:
        _, found = await stepping.locked(tx, ("readmission", "1"))
        assert await stepping.withdraw(tx, found, "ops", "it is wrong", ()) == "lace"
    clinician = await house.clinician("cleo", "ada")
    assert not await is_listed(house, clinician)
    answer = await house.send("POST", "/insights/chart", {"patient": "ada"}, token=clinician)
    assert "readmission" not in [each["method"] for each in answer.json()["scores"]]
    await house.put(lab("ada", "2345-7", 90.0, "mg/dL", clock.now()) | {"id": "ada-later"})
    await house.put(encounter("ada", 2, clock.now() - timedelta(days=400), clock.now()
                              - timedelta(days=399)))  # fmt: skip
    assert await until(lambda: assessment_of(house, "ada", "cancelled"))


async def test_all_that_is_remembered_of_somebody_can_be_forgotten(champion):
    engine = champion.running.state
    await champion.rested()
    async with engine.database.transaction() as tx:
        assert await remembering.forget(engine, tx, "Patient/ada") > 0
    assert await events_of(champion) == []

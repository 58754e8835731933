"""The models that are shipped: drafts from the first start on, with whole cards, and then heard."""

from datetime import timedelta

import pytest
from clinic_made import encounter, lab
from insights_house import until

from polyclinic.foundation import clock
from polyclinic.services.insights.actions.introducing import introduce
from polyclinic.services.insights.domain.life.card import card_of
from polyclinic.services.insights.domain.life.introduced import introduced

BACK = "readmission-30d-diabetes130"
NAMES = {(BACK, "1.0.0"), ("incident-diabetes-5y-nafld", "1.0.0")}


@pytest.mark.parametrize("made", introduced(), ids=lambda made: made.model.id)
def test_the_card_of_a_shipped_model_leaves_nothing_open_but_what_is_measured_here(made):
    measured = dict.fromkeys(("validity_local", "fairness_local", "stage", "safety_result"), "x")
    card = card_of({"version": made.model.version, **made.record}, measured)
    assert (len(card.hti1), len(card.tripod_ai)) == (31, 27)
    assert [each.title for each in (*card.hti1, *card.tripod_ai) if not each.known] == []
    assert [each.number for each in card.chai if not each.known] == ["ReleaseInfo/ReleaseDate"]
    assert made.model.record["credit"] in made.record["training_data"]
    assert "{" not in "".join(made.record.values())


async def models_of(house):
    rows = await house.sql("SELECT model, version, state, author, fallback FROM insights.model")
    return {(row["model"], row["version"]): row for row in rows}


async def is_open(house):
    """Keys that were asked for before identity had made one are asked for again a little later."""
    return (await house.send("GET", "/fhir/Patient?_count=1")).is_success


async def test_from_the_first_start_on_they_are_drafts_and_say_nothing(house):
    assert await until(lambda: is_open(house))
    known = await models_of(house)
    assert set(known) == NAMES
    assert {(row["state"], row["author"]) for row in known.values()} == {("draft", "polyclinic")}
    assert known[BACK, "1.0.0"]["fallback"] == "lace"
    clinician = await house.clinician("cleo", "ada")
    card = await house.get(f"/insights/models/{BACK}/1.0.0/card", token=clinician)
    assert (len(card["hti1"]), len(card["tripodAi"])) == (31, 27)
    listed = await house.get("/insights/models", token=clinician)
    assert not any(each["speaks"] for each in listed["models"])


async def test_another_start_changes_nothing_of_what_became_of_them(house):
    await house.sql("UPDATE insights.model SET state = 'retired' WHERE model <> $1", BACK)
    assert await introduce(house.running.state) == []
    assert {row["state"] for row in (await models_of(house)).values()} == {"draft", "retired"}
    steps = await house.sql("SELECT count(*) AS n FROM insights.model_step")
    assert steps[0]["n"] == 2


async def goes_home(house, who):
    """Somebody with diabetes who went home from the ward yesterday."""
    now, patient = clock.now(), {"reference": f"Patient/{who}"}
    born = {"resourceType": "Patient", "id": who, "birthDate": "1958-03-14", "gender": "female"}
    snomed, act = "http://snomed.info/sct", "http://terminology.hl7.org/CodeSystem/"
    diabetes = {
        "resourceType": "Condition", "id": f"{who}-dm", "subject": patient,
        "clinicalStatus": {"coding": [{"system": f"{act}condition-clinical", "code": "active"}]},
        "verificationStatus": {
            "coding": [{"system": f"{act}condition-ver-status", "code": "confirmed"}]
        },
        "code": {"coding": [{"system": snomed, "code": "44054006"}]},
        "recordedDate": (now - timedelta(days=900)).isoformat(),
    }  # fmt: skip
    for each in (born, diabetes, lab(who, "4548-4", 8.4, "%", now - timedelta(days=3))):
        await house.put(each)
    for number, (days, long) in enumerate(((200, 3), (100, 6), (1, 5))):
        end = now - timedelta(days=days)
        stay = encounter(who, number, end - timedelta(days=long), end)
        stay["hospitalization"] = {"admitSource": {
            "coding": [{"system": f"{act}admit-source", "code": "emd"}]}}  # fmt: skip
        await house.put(stay)


async def assessment_of(house, who):
    found = await house.found(f"RiskAssessment?patient={who}")
    said = {each["identifier"][0]["value"]: each for each in found if each["status"] == "final"}
    return said.get(BACK)


async def test_at_work_it_stands_beside_lace_with_the_exact_stays_behind_it(house):
    await house.sql("UPDATE insights.model SET state = 'champion' WHERE model = $1", BACK)
    await goes_home(house, "ada")
    made = await until(lambda: assessment_of(house, "ada"))
    clinician = await house.clinician("cleo", "ada")
    answer = await house.send("POST", "/insights/chart", {"patient": "ada"}, token=clinician)
    scores = {each["method"]: each for each in answer.json()["scores"]}
    model, lace = scores[BACK], scores["lace"]
    assert (model["status"], lace["status"]) == ("scored", "scored")
    assert model["number"]["unit"] == "%"
    assert 10 < model["number"]["number"] < 60
    stays = {f"Encounter/ada-e{number}" for number in range(3)}
    assert stays | {"Observation/ada-4548-4", "Patient/ada"} <= set(model["basis"])
    assert "Encounter/ada-e2" in lace["basis"]
    assert {each["reference"] for each in made["basis"]} == set(model["basis"])
    assert len(model["up"]) == len(model["down"]) == 3
    assert model["up"][0]["input"] == "stays.count"
    assert model["action"]["text"].startswith("Plan the way home")
    assert "Hospital stays of a year, this one included 3" in made["prediction"][0]["rationale"]

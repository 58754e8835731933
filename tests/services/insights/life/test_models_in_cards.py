"""What a champion says reaches an EHR as a card; what any other model says does not."""

import json
import uuid

import msgspec
import pytest
from clinic_made import model
from insights_house import open_house
from test_in_the_clinic import goes_home

from polyclinic.services.insights.actions import modelling

PUBLIC = "http://clinic.test"


@pytest.fixture(scope="module")
async def clinic(postgres_url, key_file):
    environ = {"POLYCLINIC_INSIGHTS_WORKERS": "0"}
    async with open_house(postgres_url, key_file, public_url=PUBLIC, **environ) as house:
        engine = house.running.state
        draft = modelling.Draft(msgspec.Raw(model("1")), {"title": "Readmission"}, 0.11, "lace")
        async with engine.database.transaction() as tx:
            await modelling.add(engine, tx, draft, "ada")
        await goes_home(house, "ada")
        yield house


async def cards(house, who, token):
    body = {
        "hook": "patient-view",
        "hookInstance": str(uuid.uuid4()),
        "fhirServer": f"{PUBLIC}/fhir",
        "fhirAuthorization": {"access_token": token, "token_type": "Bearer"},
        "context": {"userId": "Practitioner/cleo", "patientId": who},
    }
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    answer = await house.client.post(
        "/cds-services/polyclinic-risks", content=json.dumps(body).encode(), headers=headers
    )
    assert answer.status_code == 200, answer.text
    found = answer.json()["cards"]
    return [each for each in found if each["source"]["topic"]["code"] == "readmission"]


@pytest.mark.parametrize("state", ["draft", "shadow", "canary", "former", "withdrawn"])
async def test_only_a_champion_is_heard(clinic, state):
    token = await clinic.clinician("cleo", "ada")
    await clinic.sql("UPDATE insights.model SET state = $1, team = '{account-x}'", state)
    assert await cards(clinic, "ada", token) == []


async def test_a_champions_card_has_its_number_its_reason_and_what_to_do(clinic):
    token = await clinic.clinician("cleo", "ada")
    await clinic.sql("UPDATE insights.model SET state = 'champion', team = '{}'")
    [card] = await cards(clinic, "ada", token)
    assert "19.8 %" in card["summary"]
    assert "Plan the way home" in card["detail"]
    assert "glucose.last 200" in card["detail"]
    assert "of 100 people like this one" in card["detail"]
    assert card["indicator"] == "warning"
    assert card["source"]["label"].endswith("version 1")

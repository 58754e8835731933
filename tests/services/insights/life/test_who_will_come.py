"""Bookings are remembered without a name; a day before, it is asked who will not come."""

import json
import sys
import uuid
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from insights_house import open_house, until

sys.path.insert(0, str(Path(__file__).parents[2] / "integration"))
from test_outbound_appointments import SETUP

from polyclinic.foundation import clock
from polyclinic.services.insights.actions import following, modelling, remembering, working
from polyclinic.services.insights.domain import models as foretelling
from polyclinic.services.insights.domain.events import facts_of
from polyclinic.services.insights.domain.models import Axis, Feature, Line, Model, Table
from polyclinic.services.insights.domain.tasks import opening, tasks
from polyclinic.services.insights.store import scores

SERVICES = ("identity", "records", "appointments", "insights")
PUBLIC = "http://clinic.test"


def model():
    """Whoever is booked more than a day ahead rarely comes: the fewer the numbers, the better."""
    table = Table((Axis("lead_days", edges=(1.0,)),), (0.0, -3.0, 1.0))
    return foretelling.dump(
        Model(
            format="polyclinic-model/1", id="will-come", version="1", task="no-show",
            title="Will they come", horizon_days=1.5,
            features=(Feature("lead_days", "number", "days ahead", "d"),),
            base=0.0, terms=(table,), calibration=Line(),
        )
    )  # fmt: skip


@pytest.fixture(scope="module")
async def clinic(postgres_url, key_file):
    async with open_house(postgres_url, key_file, *SERVICES, public_url=PUBLIC) as house:
        answer = await house.send("PUT", "/appointments/setup", SETUP)
        assert answer.status_code == 200, answer.text
        engine = house.running.state
        draft = modelling.Draft(msgspec.Raw(model()), {"title": "Will they come"}, 0.5)
        async with engine.database.transaction() as tx:
            await modelling.add(engine, tx, draft, "ada")
        await house.sql("UPDATE insights.model SET state = 'champion' WHERE model = 'will-come'")
        yield house


async def booked(house, who, days=3):
    await house.put({"resourceType": "Patient", "id": who, "birthDate": "1980-02-03"})
    day = (clock.now() + timedelta(days=days)).strftime("%Y-%m-%dT00:00:00Z")
    free = await house.get(f"/appointments/openings?visit_type=visit&from={day}")
    body = {"visit_type": "visit", "practitioner": "Practitioner/ana",
            "start": free["openings"][0]["start"], "patient": f"Patient/{who}"}  # fmt: skip
    answer = await house.send("POST", "/appointments/bookings", body)
    assert answer.status_code == 201, answer.text
    return answer.json()["appointment"]


async def remembered(house):
    rows = await house.sql("SELECT code FROM insights.event WHERE code LIKE 'APPOINTMENT//%'")
    return sorted(row["code"] for row in rows)


async def test_a_booking_is_remembered_and_forgotten_as_planned_when_it_is_called_off(clinic):
    made = await booked(clinic, "cal")

    async def is_planned():
        return await remembered(clinic) == ["APPOINTMENT//PLANNED"]

    await until(is_planned)
    [due] = await clinic.sql("SELECT * FROM insights.due")
    assert due["name"] == f"Appointment/{made['id']}"
    assert due["at"] > clock.now() + timedelta(days=1)
    rows = await clinic.sql("SELECT * FROM insights.event")
    assert "cal" not in str([dict(row) for row in rows])
    answer = await clinic.send("POST", f"/appointments/{made['id']}/cancel", {})
    assert answer.is_success, answer.text

    async def is_called_off():
        return await remembered(clinic) == ["APPOINTMENT//CANCELLED"]

    await until(is_called_off)
    assert await clinic.sql("SELECT * FROM insights.due") == []


async def test_a_day_before_it_is_asked_and_who_will_not_come_is_listed_with_help(
    clinic, monkeypatch
):
    made = await booked(clinic, "dan")

    async def is_due():
        return await clinic.sql("SELECT * FROM insights.due")

    [due] = await until(is_due)
    assert await clinic.sql("SELECT * FROM insights.score") == []
    later = SimpleNamespace(now=lambda: due["at"] + timedelta(hours=1))
    for module in (following, working):
        monkeypatch.setattr(module, "clock", later)
    await working.ask_what_is_due(clinic.running.state)
    clinician = await clinic.clinician("cleo", "dan")

    async def line():
        listed = await clinic.get("/insights/worklist", token=clinician)
        lines = [line for each in listed["people"] for line in each["lines"]]
        return [each for each in lines if each["method"] == "will-come"]

    [found] = await until(line)
    assert f"Appointment/{made['id']}" in str(found["basis"])
    assert "a ride" in str(found)
    # The same chart changed by something else: what was foretold stands.
    before = await clinic.found("RiskAssessment?patient=dan")
    await clinic.put({"resourceType": "Patient", "id": "dan", "birthDate": "1980-02-04"})
    await clinic.rested()
    assert await line()
    assert len(await clinic.found("RiskAssessment?patient=dan")) == len(before)


async def test_that_somebody_did_not_come_is_what_was_foretold(clinic):
    engine = clinic.running.state
    [scored] = await clinic.sql("SELECT * FROM insights.score")
    assert scored["outcome"] is None
    start = scored["at"] + timedelta(days=1)
    made = start - timedelta(days=9)
    missed = {"resourceType": "Appointment", "id": "dan-1", "status": "noshow",
              "start": start.isoformat(), "created": made.isoformat()}  # fmt: skip
    async with engine.database.transaction() as tx:
        await remembering.remember(engine, tx, "Patient/dan", [missed])
    [scored] = await clinic.sql("SELECT * FROM insights.score")
    assert scored["outcome"] == 1
    async with engine.database.transaction() as tx:
        assert await scores.open_scores(tx, scored["subject"]) == []


async def test_when_a_visit_is_booked_a_card_offers_help_and_never_a_second_booking(clinic):
    clinician = await clinic.clinician("cleo", "dan")
    start = (clock.now() + timedelta(days=9)).isoformat()
    drafted = {"resourceType": "Appointment", "status": "proposed", "start": start}
    body = {
        "hook": "appointment-book",
        "hookInstance": str(uuid.uuid4()),
        "fhirServer": f"{PUBLIC}/fhir",
        "fhirAuthorization": {"access_token": clinician, "token_type": "Bearer"},
        "context": {"userId": "Practitioner/cleo", "patientId": "dan",
                    "appointments": {"resourceType": "Bundle", "entry": [{"resource": drafted}]}},
    }  # fmt: skip
    headers = {"authorization": f"Bearer {clinician}", "content-type": "application/json"}
    answer = await clinic.client.post(
        "/cds-services/polyclinic-visits", content=json.dumps(body).encode(), headers=headers
    )
    assert answer.status_code == 200, answer.text
    [card] = answer.json()["cards"]
    assert "73.1 %" in card["summary"]
    assert "a ride" in card["detail"]
    assert "suggestions" not in card
    assert card["source"]["topic"]["code"] == "will-come"


def test_a_question_opens_a_day_before_and_not_for_what_is_booked_later_than_that():
    task, now = tasks()["no-show"], clock.now()

    def facts(start):
        visit = {"resourceType": "Appointment", "id": "1", "status": "booked",
                 "start": start.isoformat(), "created": now.isoformat()}  # fmt: skip
        return list(facts_of([visit]))

    start = now + timedelta(days=4)
    assert opening(task, facts(start), now) == start - timedelta(days=1)
    assert opening(task, facts(now + timedelta(hours=5)), now) is None

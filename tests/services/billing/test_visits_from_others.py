"""Billing beside records and appointments: what took place comes by itself, and each visit once."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from billing_house import House, house, until
from billing_setup import PAYER, PRICES

from polyclinic.contracts.appointments import AppointmentFulfilled
from polyclinic.foundation import clock, outbox
from polyclinic.standards.fhir.definitions import resource_types

NOW = clock.now().replace(microsecond=0)
READS = ("Patient", "Encounter", "Coverage")


@pytest.fixture(scope="module")
async def clinic(postgres_url: str, key_file: Path) -> AsyncIterator[House]:
    services = ("identity", "records", "appointments")
    async with house(postgres_url, key_file, services) as opened:
        await opened.done("/billing/payers/north", PAYER, "PUT")
        yield opened


async def a_patient(clinic: House, **changes: Any) -> str:
    resource = {
        "resourceType": "Patient",
        "name": [{"use": "official", "family": "Plantedfamily", "given": ["Ada", "B."]}],
        "birthDate": "1980-02-03",
        "gender": "female",
        "address": [{"line": ["2 Sample Road"], "city": "Springfield", "state": "IL",
                     "postalCode": "62701"}],
        "telecom": [{"system": "phone", "value": "555 0100"}],
        **changes,
    }  # fmt: skip
    return f"Patient/{await clinic.make(resource)}"


def encounter(who: str, **changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": who},
        "period": {"start": NOW.isoformat()},
        **changes,
    }


async def visits(clinic: House, who: str) -> list[Any]:
    return await clinic.sql("SELECT * FROM billing.visit WHERE patient = $1 ORDER BY id", who)


async def fulfil(clinic: House, appointment: str, who: str) -> None:
    """What appointments says when a visit has taken place."""
    told = AppointmentFulfilled(
        appointment=appointment,
        patient=who.partition("/")[2],
        practitioner="ana",
        at=NOW,
    )
    database = clinic.process.running["appointments"].database
    async with database.transaction() as tx:
        await outbox.announce(tx, (f"Appointment/{appointment}", told))


async def test_an_appointment_that_took_place_waits_to_be_coded(clinic: House):
    who = await a_patient(clinic)
    await fulfil(clinic, "a1", who)
    found = (await until(lambda: visits(clinic, who)))[0]
    assert (found["source"], found["practitioner"]) == ("Appointment/a1", "Practitioner/ana")
    assert (found["day"], found["status"]) == (NOW.date(), "to code")
    waiting = (await clinic.ask("GET", f"/billing/work?subject=Visit/{found['id']}")).json()
    assert [each["queue"] for each in waiting["items"]] == ["to code"]


async def test_an_encounter_is_a_visit_once_it_has_finished(clinic: House):
    who = await a_patient(clinic)
    begun = encounter(who, status="in-progress")
    name = await clinic.make(begun)
    other = await a_patient(clinic)
    await clinic.make(encounter(other))
    # The later one has come, so the earlier one has been looked at and is no visit yet.
    await until(lambda: visits(clinic, other))
    assert await visits(clinic, who) == []
    ben = {"resourceType": "Practitioner", "id": "ben", "name": [{"family": "Ben"}]}
    await clinic.done("/fhir/Practitioner/ben", ben, "PUT")
    participant = [{"individual": {"reference": "Practitioner/ben"}}]
    finished = encounter(who, id=name, participant=participant)
    await clinic.done(f"/fhir/Encounter/{name}", finished, "PUT")
    found = await until(lambda: visits(clinic, who))
    assert [row["source"] for row in found] == [f"Encounter/{name}"]
    assert found[0]["practitioner"] == "Practitioner/ben"


async def test_a_visit_of_long_ago_was_billed_by_somebody_else(clinic: House):
    who, other = await a_patient(clinic), await a_patient(clinic)
    old = {"start": (NOW - timedelta(days=400)).isoformat()}
    await clinic.make(encounter(who, period=old))
    await clinic.make(encounter(other))
    await until(lambda: visits(clinic, other))
    assert await visits(clinic, who) == []


async def test_a_chart_may_name_an_appointment_that_its_owner_does_not_have(clinic: House):
    """References are protected within an owner; records refused this while appointments ran."""
    who = await a_patient(clinic)
    told = encounter(who, appointment=[{"reference": "Appointment/nowhere"}])
    assert (await clinic.ask("POST", "/fhir/Encounter", told)).status_code == 201
    lost = encounter("Patient/nowhere")
    refused = await clinic.ask("POST", "/fhir/Encounter", lost)
    assert (refused.status_code, refused.json()["issue"][0]["code"]) == (422, "not-found")


@pytest.mark.parametrize("first", ["appointment", "encounter"])
async def test_an_encounter_of_a_known_appointment_is_the_same_visit(clinic: House, first: str):
    who = await a_patient(clinic)
    appointment = f"a2-{first}"
    told = encounter(who, appointment=[{"reference": f"Appointment/{appointment}"}])
    if first == "appointment":
        await fulfil(clinic, appointment, who)
        await until(lambda: visits(clinic, who))
        name = await clinic.make(told)
    else:
        name = await clinic.make(told)
        await until(lambda: visits(clinic, who))
        await fulfil(clinic, appointment, who)
    other = await a_patient(clinic)
    await clinic.make(encounter(other))
    await fulfil(clinic, f"other-{first}", other)
    await until(lambda: both(clinic, other))
    found = await visits(clinic, who)
    assert [(row["source"], row["encounter"]) for row in found] == [
        (f"Appointment/{appointment}", f"Encounter/{name}")
    ]


async def both(clinic: House, who: str) -> bool:
    return len(await visits(clinic, who)) == 2


async def test_two_visits_that_the_chart_ties_together_become_one(clinic: House):
    who = await a_patient(clinic)
    name = await clinic.make(encounter(who))
    await fulfil(clinic, "a3", who)
    await until(lambda: both(clinic, who))
    tied = encounter(who, id=name, appointment=[{"reference": "Appointment/a3"}])
    await clinic.done(f"/fhir/Encounter/{name}", tied, "PUT")
    counted = "SELECT source FROM billing.visit WHERE patient = $1 AND status = 'not billable'"
    dropped = await until(lambda: clinic.sql(counted, who))
    assert [row["source"] for row in dropped] == [f"Encounter/{name}"]
    waiting = await clinic.sql(
        "SELECT FROM billing.work_item WHERE patient = $1 AND done IS NULL", who
    )
    assert len(waiting) == 1


async def test_a_person_is_copied_from_the_chart_once(clinic: House):
    who = await a_patient(clinic)
    shown = (await clinic.ask("GET", f"/billing/people/{who.partition('/')[2]}")).json()
    assert (shown["family"], shown["given"]) == ("Plantedfamily", "Ada B.")
    assert shown["address"]["city"] == "Springfield"
    rows = await clinic.sql("SELECT sealed FROM billing.person WHERE patient = $1", who)
    assert b"Plantedfamily" not in rows[0]["sealed"]
    assert (await clinic.ask("GET", "/billing/people/nobody")).status_code == 404


def chart_coverage(who: str, **changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "Coverage",
        "status": "active",
        "beneficiary": {"reference": who},
        "payor": [{"display": "Northern Mutual"}],
        "subscriberId": "NM000042",
        "period": {"start": "2026-01-01"},
        **changes,
    }


async def test_insurance_is_taken_from_the_chart_and_what_is_not_says_why(clinic: House):
    who, parent = await a_patient(clinic), await a_patient(clinic)
    child = {"coding": [{"code": "child"}]}
    for resource in (
        chart_coverage(who),
        chart_coverage(who, payor=[{"display": "Somebody else"}]),
        chart_coverage(who, status="cancelled"),
        chart_coverage(who, subscriberId=None),
        chart_coverage(who, order=2, subscriberId="NM000043", relationship=child),
        chart_coverage(
            who, order=3, subscriberId="NM000044", relationship=child,
            subscriber={"reference": parent},
        ),
    ):  # fmt: skip
        await clinic.make({key: value for key, value in resource.items() if value is not None})
    taken = await clinic.done("/billing/coverages/from-chart", {"patient": who})
    assert len(taken["taken"]) == 2
    assert sorted(taken["left"]) == [
        "no member id", "not active", "subscriber unknown", "unknown payer",
    ]  # fmt: skip
    shown = (await clinic.ask("GET", f"/billing/coverages?patient={who}")).json()["coverages"]
    assert [(each["member_id"], each["rank"]) for each in shown] == [
        ("NM000042", 1), ("NM000044", 3),
    ]  # fmt: skip
    assert shown[1]["subscriber"]["family"] == "Plantedfamily"
    again = await clinic.done("/billing/coverages/from-chart", {"patient": who})
    assert again["taken"] == []
    assert again["left"].count("known") == 2


async def test_billing_reads_of_the_chart_what_it_declares_and_nothing_else(clinic: House):
    running = clinic.process.running["billing"]
    assert running.service.reads == READS
    token = await running.tokens.for_documents()
    headers = {"authorization": f"Bearer {token}"}
    for kind in resource_types():
        if kind in (*READS, *running.service.writes):
            continue
        for path in (f"/fhir/{kind}", f"/fhir/{kind}/x"):
            answer = await clinic.client.get(path, headers=headers)
            assert answer.status_code in (403, 404), (path, answer.text)
            assert answer.json()["resourceType"] == "OperationOutcome"
    who = await a_patient(clinic)
    assert (await clinic.client.get(f"/fhir/{who}", headers=headers)).status_code == 200
    changed = await clinic.client.put(
        f"/fhir/{who}", headers={**headers, "content-type": "application/fhir+json"}, content="{}"
    )
    assert changed.status_code in (400, 403)


async def test_billing_alone_opens_visits_by_hand_and_asks_no_chart(
    postgres_url: str, key_file: Path
):
    async with house(postgres_url, key_file, ("identity",)) as alone:
        await alone.done(
            "/billing/fee-schedules",
            {"name": "List", "from_day": "2020-01-01", "csv": PRICES, "currency": "USD"},
        )
        body = {"patient": "Patient/x", "day": "2026-03-04"}
        name = (await alone.done("/billing/visits", body))["visit"]
        coding = {"diagnoses": ["I10"], "lines": [{"code": "Z1001"}]}
        made = await alone.done(f"/billing/visits/{name}/code", coding)
        assert made["total"]["amount"] == 12_000
        assert (await alone.ask("GET", "/billing/people/x")).status_code == 404
        assert not alone.process.running["billing"].state.charts.is_installed

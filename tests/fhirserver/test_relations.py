"""A chart is open to its clinicians from the beginning of their care to its end, and no longer."""

from datetime import timedelta

import pytest
from fhir_clinic import SYSTEM, Clinic, clinician

from polyclinic.foundation import clock
from polyclinic.services.records.actions import relating
from polyclinic.services.records.domain import CareRelation

DAY = timedelta(days=1)
DORA = clinician("dora", "user/*.cruds")


async def relate(clinic: Clinic, patient: str, since, until) -> None:
    now = clock.now()
    relation = CareRelation(
        "Practitioner/dora", f"Patient/{patient}", f"test/{patient}",
        None if since is None else now + since, None if until is None else now + until,
    )  # fmt: skip
    await relating.relate(clinic.server, clinic.database, [relation])


def observation(patient, name, **more):
    made = {"resourceType": "Observation", "id": name, "status": "final", "code": {"text": "x"}}
    return {**made, "subject": {"reference": f"Patient/{patient}"}, **more}


async def chart(clinic: Clinic, patient: str) -> None:
    await clinic.put({"resourceType": "Patient", "id": patient}, observation(patient, patient))


@pytest.mark.parametrize(
    ("name", "since", "until", "is_open"),
    [
        ("always", None, None, True),
        ("begun", -DAY, None, True),
        ("within", -DAY, DAY, True),
        ("later", DAY, None, False),
        ("later-still", DAY, 2 * DAY, False),
        ("over", -2 * DAY, -DAY, False),
    ],
)
async def test_care_has_a_beginning_and_an_end(clinic: Clinic, name, since, until, is_open):
    await chart(clinic, name)
    await relate(clinic, name, since, until)
    read = await clinic.ask(DORA, "GET", f"Observation/{name}")
    assert read.status == (200 if is_open else 404)
    found = await clinic.ask(DORA, "GET", f"Observation?patient={name}")
    assert found.status == (200 if is_open else 403)
    listed = await clinic.ask(DORA, "GET", "Observation?code:text=x&_count=100")
    seen = {entry["resource"]["id"] for entry in listed.body.get("entry", [])}
    assert (name in seen) == is_open
    new = {**observation(name, ""), "id": None}
    made = await clinic.ask(DORA, "POST", "Observation", {k: v for k, v in new.items() if v})
    assert made.status == (201 if is_open else 403)
    whole = await clinic.ask(DORA, "GET", f"Patient/{name}/$everything")
    assert whole.status == (200 if is_open else 403)


@pytest.mark.parametrize("reference", ["patient", "subject", "*"])
async def test_a_closed_chart_is_left_out_of_a_reverse_include_with_a_single_hit(
    clinic: Clinic, reference
):
    """One hit made the inner search one of a single chart, whose refusal became the answer."""
    await chart(clinic, "closed")
    url = f"Patient?_id=closed&_revinclude=Observation:{reference}"
    answer = await clinic.ask(DORA, "GET", url)
    assert answer.status == 200, answer.body
    assert [entry["resource"]["id"] for entry in answer.body["entry"]] == ["closed"]
    assert answer.body["entry"][0]["resource"]["resourceType"] == "Patient"
    both = await clinic.ask(SYSTEM, "GET", url)
    assert {e["resource"]["resourceType"] for e in both.body["entry"]} == {"Patient", "Observation"}

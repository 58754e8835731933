"""Who may write what, and what a version is."""

import pytest
from fhir_clinic import SYSTEM, Clinic, clinician

V3 = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"


def observation(name, *people, **more):
    performers = [{"reference": f"Patient/{p}"} for p in people[1:]]
    return {
        "resourceType": "Observation", "id": name, "status": "final", "code": {"text": "x"},
        "subject": {"reference": f"Patient/{people[0]}"},
        **({"performer": performers} if performers else {}),
        **more,
    }  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
async def world(clinic: Clinic):
    for name in ("ann", "bob"):
        await clinic.put({"resourceType": "Patient", "id": name})
    await clinic.put({"resourceType": "Practitioner", "id": "dora"})
    await clinic.relate("dora", "ann")


DORA = clinician("dora")


async def test_a_resource_of_two_patients_can_be_changed_and_deleted(clinic: Clinic):
    await clinic.put(observation("two", "ann", "bob"))
    await clinic.put(observation("two", "ann", "bob"))
    await clinic.put(observation("two", "bob"))
    found = await clinic.search(SYSTEM, "Observation", [("subject", "Patient/ann")])
    assert found.ids == []
    await clinic.put(observation("two", "bob", "ann"))
    assert (await clinic.ask(SYSTEM, "DELETE", "Observation/two")).status == 204
    assert (await clinic.ask(SYSTEM, "GET", "Observation/two")).status == 410

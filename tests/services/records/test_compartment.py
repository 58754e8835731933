"""`Patient/<id>/<Type>`: what a chart holds of one type, by whom it is about."""


async def test_a_chart_answers_with_what_is_about_its_patient_and_not_with_a_neighbours(door):
    mine = await door.make({"resourceType": "Patient"})
    other = await door.make({"resourceType": "Patient"})
    made = await door.make(observation(mine["id"]))
    await door.make(observation(other["id"]))
    answer = await door.send("GET", f"/fhir/Patient/{mine['id']}/Observation")
    assert [entry["resource"]["id"] for entry in answer.json()["entry"]] == [made["id"]]


async def test_coverage_is_found_in_the_chart_of_whom_it_covers(door):
    payer, covered = [await door.make({"resourceType": "Patient"}) for _ in range(2)]
    made = await door.make(
        {
            "resourceType": "Coverage",
            "status": "active",
            "beneficiary": {"reference": f"Patient/{covered['id']}"},
            "payor": [{"reference": f"Patient/{payer['id']}"}],
        }
    )
    answer = await door.send("GET", f"/fhir/Patient/{covered['id']}/Coverage")
    assert [entry["resource"]["id"] for entry in answer.json()["entry"]] == [made["id"]]


def observation(patient_id: str) -> dict[str, object]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "Something seen"},
        "subject": {"reference": f"Patient/{patient_id}"},
    }

"""Transactions keep everything or nothing; batches answer for each entry alone."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fhir_clinic import SYSTEM, Clinic, clinician, open_clinic, together

DORA = clinician("dora")


@pytest.fixture(scope="module", autouse=True)
async def world(clinic: Clinic) -> AsyncIterator[None]:
    for name in ("ann", "bob"):
        await clinic.put({"resourceType": "Patient", "id": name})
    await clinic.relate("dora", "ann")
    return


def observation(subject: str, **more):
    return {
        "resourceType": "Observation", "status": "final", "code": {"text": "x"},
        "subject": {"reference": subject}, **more,
    }  # fmt: skip


def post(resource, url=None, **request):
    entry = {"request": {"method": "POST", "url": resource["resourceType"], **request}}
    return {**entry, "resource": resource, **({"fullUrl": url} if url else {})}


def put(resource, **request):
    path = f"{resource['resourceType']}/{resource['id']}"
    return {"request": {"method": "PUT", "url": path, **request}, "resource": resource}


def delete(path: str):
    return {"request": {"method": "DELETE", "url": path}}


def person(value: str, **more):
    identifier = [{"system": "urn:mrn", "value": value}]
    return {"resourceType": "Patient", "identifier": identifier, **more}


async def how_many(clinic: Clinic, value: str) -> int:
    answer = await clinic.search(
        SYSTEM, "Patient", [("identifier", f"urn:mrn|{value}"), ("_total", "accurate")]
    )
    assert answer.body["total"] == len(answer.ids)
    return len(answer.ids)


def locations(answer) -> list[str]:
    entries = answer.body["entry"]
    return [e["response"]["location"].partition("/_history")[0][-50:] for e in entries]


async def test_links_within_a_bundle_become_the_new_ids(clinic: Clinic):
    answer = await clinic.transaction(
        SYSTEM,
        post(observation("urn:uuid:11111111-1111-4111-8111-111111111111")),
        post(person("t1"), "urn:uuid:11111111-1111-4111-8111-111111111111"),
    )
    assert answer.status == 200, answer.body
    made = [entry["response"]["location"].split("/fhir/")[-1] for entry in answer.body["entry"]]
    child = await clinic.ask(SYSTEM, "GET", made[0])
    assert child.body["subject"]["reference"] == made[1].partition("/_history")[0]


async def test_one_bad_entry_keeps_all_others_out_and_is_named(clinic: Clinic):
    refused = await clinic.transaction(
        SYSTEM, post(person("t2")), post(observation("Patient/nowhere")), post(person("t2"))
    )
    assert refused.status == 422
    assert "Patient/nowhere" in refused.said
    assert await how_many(clinic, "t2") == 0
    invalid = await clinic.transaction(SYSTEM, post(person("t2")), post(person("t2", nick="x")))
    assert invalid.status == 422
    assert invalid.body["issue"][0]["expression"][0].startswith("Bundle.entry[1]")
    assert await how_many(clinic, "t2") == 0


async def test_if_none_exist_twice_in_one_bundle_makes_one(clinic: Clinic):
    once = {"ifNoneExist": "identifier=urn:mrn|t3"}
    for statuses in (["201 Created", "200 OK"], ["200 OK", "200 OK"]):
        answer = await clinic.transaction(
            SYSTEM, post(person("t3"), **once), post(person("t3"), **once)
        )
        assert [e["response"]["status"] for e in answer.body["entry"]] == statuses
        assert len(set(locations(answer))) == 1
    assert await how_many(clinic, "t3") == 1


async def test_if_none_exist_in_racing_bundles_of_two_processes_makes_one(
    clinic: Clinic, postgres_url: str, key_file: Path
):
    async with open_clinic(postgres_url, key_file, beside=clinic) as other:
        answers = await together(
            *(
                place.transaction(
                    SYSTEM,
                    post(person("t4"), "urn:uuid:22222222-2222-4222-8222-222222222222",
                         ifNoneExist="identifier=urn:mrn|t4"),
                    post(observation("urn:uuid:22222222-2222-4222-8222-222222222222")),
                )
                for place in (clinic, other) * 10
            )
        )  # fmt: skip
    assert [answer.status for answer in answers] == [200] * 20
    assert await how_many(clinic, "t4") == 1
    subject = await clinic.search(SYSTEM, "Patient", [("identifier", "t4")])
    about = await clinic.search(
        SYSTEM, "Observation", [("subject", subject.ids[0]), ("_count", "50")]
    )
    assert len(about.ids) == 20


async def test_a_conditional_reference_must_match_exactly_one(clinic: Clinic):
    await clinic.transaction(SYSTEM, post(person("t5")))
    kept = await clinic.transaction(SYSTEM, post(observation("Patient?identifier=urn:mrn|t5")))
    assert kept.status == 200
    none = await clinic.transaction(SYSTEM, post(observation("Patient?identifier=urn:mrn|t6")))
    assert none.status == 422
    await clinic.transaction(SYSTEM, post(person("t5")))
    two = await clinic.transaction(SYSTEM, post(observation("Patient?identifier=urn:mrn|t5")))
    assert two.status == 412


async def test_two_entries_for_one_place_are_refused(clinic: Clinic):
    same = {"resourceType": "Patient", "id": "twice"}
    for entries in ([put(same), put(same)], [delete("Patient/ann"), put({**same, "id": "ann"})]):
        refused = await clinic.transaction(SYSTEM, *entries)
        assert refused.status == 400
        assert "Two entries" in refused.said
    assert (await clinic.ask(SYSTEM, "GET", "Patient/twice")).status == 404


async def test_delete_post_and_put_travel_together_and_answer_in_their_own_order(clinic: Clinic):
    await clinic.put({"resourceType": "Patient", "id": "old"})
    await clinic.put({"resourceType": "Organization", "id": "org", "name": "A"})
    answer = await clinic.transaction(
        SYSTEM,
        put({"resourceType": "Organization", "id": "org", "name": "B"}, ifMatch='W/"1"'),
        post(person("t7")),
        delete("Patient/old"),
        {"request": {"method": "GET", "url": "Organization/org"}},
    )
    statuses = [entry["response"]["status"][:3] for entry in answer.body["entry"]]
    assert statuses == ["200", "201", "204", "200"]
    assert answer.body["entry"][3]["resource"]["name"] == "B"
    stale = await clinic.transaction(
        SYSTEM,
        post(person("t7")),
        put({"resourceType": "Organization", "id": "org", "name": "C"}, ifMatch='W/"1"'),
    )
    assert stale.status == 412
    assert await how_many(clinic, "t7") == 1


async def test_what_refers_to_each_other_can_be_deleted_in_one_bundle(clinic: Clinic):
    await clinic.put({"resourceType": "Patient", "id": "gone"})
    await clinic.put(
        observation("Patient/gone", id="gone1"), observation("Patient/gone", id="gone2")
    )
    refused = await clinic.transaction(SYSTEM, delete("Patient/gone"), delete("Observation/gone1"))
    assert refused.status == 409
    assert (await clinic.ask(SYSTEM, "GET", "Observation/gone1")).status == 200
    moved = observation("Patient/ann", id="gone2")
    kept = await clinic.transaction(
        SYSTEM, delete("Patient/gone"), delete("Observation/gone1"), put(moved)
    )
    assert kept.status == 200, kept.body
    assert (await clinic.ask(SYSTEM, "GET", "Patient/gone")).status == 410


async def test_nothing_may_refer_to_what_the_same_bundle_deletes(clinic: Clinic):
    await clinic.put({"resourceType": "Patient", "id": "leaving"})
    refused = await clinic.transaction(
        SYSTEM, delete("Patient/leaving"), post(observation("Patient/leaving"))
    )
    assert refused.status in (409, 422)
    assert (await clinic.ask(SYSTEM, "GET", "Patient/leaving")).status == 200


async def test_a_long_bundle_may_refer_far_ahead_and_back(clinic: Clinic):
    number = 620  # more than one statement carries
    resources = [observation("Patient/ann", id=f"long{n}") for n in range(number)]
    for n, resource in enumerate(resources):
        resource["hasMember"] = [{"reference": f"Observation/long{number - 1 - n}"}]
    answer = await clinic.transaction(SYSTEM, *(put(resource) for resource in resources))
    assert answer.status == 200, answer.said
    last = resources[0] | {"hasMember": [{"reference": "Observation/nowhere"}]}
    refused = await clinic.transaction(SYSTEM, *(put(r) for r in resources[1:]), put(last))
    assert refused.status == 422


async def test_a_reference_tells_nobody_what_they_may_not_see(clinic: Clinic):
    await clinic.put(observation("Patient/bob", id="bobs"))
    said = []
    for name in ("bobs", "nothing"):
        body = observation("Patient/ann", hasMember=[{"reference": f"Observation/{name}"}])
        single = await clinic.ask(DORA, "POST", "Observation", body)
        whole = await clinic.transaction(DORA, post(body))
        said.append([single.status, whole.status, single.said.replace(name, "")])
    assert said[0] == said[1]
    assert said[0][:2] == [422, 422]
    wanting = observation("Patient/ann", performer=[{"reference": "Patient/bob"}])
    assert (await clinic.ask(DORA, "POST", "Observation", wanting)).status == 403


async def test_a_writer_without_a_scope_to_read_may_still_refer(clinic: Clinic):
    writer = clinician("dora", "user/Observation.c")
    made = await clinic.ask(writer, "POST", "Observation", observation("Patient/ann"))
    assert made.status == 201


async def test_a_batch_answers_each_entry_for_itself(clinic: Clinic):
    bundle = {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [
            {"request": {"method": "GET", "url": "Patient/ann"}},
            {"request": {"method": "GET", "url": "Patient/nobody"}},
            post(observation("Patient/nowhere")),
            post(person("t8")),
            delete("Patient/nobody"),
            {"request": {"method": "GET", "url": "Observation?nonsense=1"}},
        ],
    }
    answer = await clinic.ask(SYSTEM, "POST", "", bundle)
    statuses = [entry["response"]["status"][:3] for entry in answer.body["entry"]]
    assert statuses == ["200", "404", "422", "201", "404", "400"]
    assert await how_many(clinic, "t8") == 1

"""Who may write what, what a version is, and that writers at the same time lose nothing."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from fhir_clinic import SYSTEM, Clinic, caller, clinician, patient, together

from polyclinic.foundation import vault as vaults

V3 = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
DORA = clinician("dora")
DESK = caller("front-desk", "Practitioner/fred", "user/*.cruds")


def observation(name, *people, **more):
    performers = [{"reference": f"Patient/{p}"} for p in people[1:]]
    return {
        "resourceType": "Observation", "id": name, "status": "final", "code": {"text": "x"},
        "subject": {"reference": f"Patient/{people[0]}"},
        **({"performer": performers} if performers else {}),
        **more,
    }  # fmt: skip


def labelled(code):
    return {"meta": {"security": [{"system": V3, "code": code}]}}


@pytest.fixture(scope="module", autouse=True)
async def world(clinic: Clinic) -> AsyncIterator[None]:
    for name in ("ann", "bob"):
        await clinic.put({"resourceType": "Patient", "id": name})
    await clinic.put({"resourceType": "Practitioner", "id": "dora"})
    await clinic.relate("dora", "ann")
    return


async def status(clinic: Clinic, who, method, path, body=None, **headers) -> int:
    return (await clinic.ask(who, method, path, body, headers)).status


async def current(clinic: Clinic, path: str):
    return (await clinic.ask(SYSTEM, "GET", path)).body


# Who may --------------------------------------------------------------------------------------


async def test_a_clinician_writes_into_charts_of_own_patients_only(clinic: Clinic):
    made = await clinic.ask(DORA, "POST", "Observation", observation("x", "ann"))
    assert made.status == 201
    assert await status(clinic, DORA, "POST", "Observation", observation("x", "bob")) == 403
    # A shared resource needs a relation with everybody it is about.
    assert await status(clinic, DORA, "POST", "Observation", observation("x", "ann", "bob")) == 403
    nobody = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    assert await status(clinic, DORA, "POST", "Observation", nobody) == 403
    name = f"Observation/{made.body['id']}"
    assert await status(clinic, DORA, "PUT", name, observation(made.body["id"], "ann")) == 200
    assert await status(clinic, DORA, "DELETE", name) == 204


async def test_what_belongs_to_others_looks_missing_to_a_writer(clinic: Clinic):
    await clinic.put(observation("bobs", "bob"))
    for name in ("bobs", "nothing"):
        assert (
            await status(clinic, DORA, "PUT", f"Observation/{name}", observation(name, "ann"))
            == 404
        )
        assert await status(clinic, DORA, "DELETE", f"Observation/{name}") == 404
    assert (await current(clinic, "Observation/bobs"))["subject"]["reference"] == "Patient/bob"


async def test_a_resource_is_not_moved_into_or_out_of_a_strangers_chart(clinic: Clinic):
    await clinic.put(observation("anns", "ann"), observation("both", "ann", "bob"))
    assert await status(clinic, DORA, "PUT", "Observation/anns", observation("anns", "bob")) == 403
    both = observation("anns", "ann", "bob")
    assert await status(clinic, DORA, "PUT", "Observation/anns", both) == 403
    # Bob is concerned by what is taken out of his chart, too.
    assert await status(clinic, DORA, "PUT", "Observation/both", observation("both", "ann")) == 403
    assert await status(clinic, DORA, "DELETE", "Observation/both") == 403
    assert (await current(clinic, "Observation/both"))["meta"]["versionId"] == "1"
    assert (await current(clinic, "Observation/anns"))["meta"]["versionId"] == "1"


async def test_a_label_can_be_neither_set_nor_taken_away_by_who_may_not_see_it(clinic: Clinic):
    await clinic.put(observation("secret", "ann", **labelled("V")))
    bare = observation("secret", "ann")
    assert await status(clinic, DORA, "PUT", "Observation/secret", bare) == 404
    assert await status(clinic, DORA, "DELETE", "Observation/secret") == 404
    hidden = observation("x", "ann", **labelled("V"))
    assert await status(clinic, DORA, "POST", "Observation", hidden) == 403
    kept = await current(clinic, "Observation/secret")
    assert kept["meta"]["security"][0]["code"] == "V"


async def test_patients_billing_and_administrators_write_nothing(clinic: Clinic):
    for who in (
        patient("ann"),
        caller("billing", None, "user/*.cruds"),
        caller("administrator", None, "user/*.cruds"),
    ):
        assert await status(clinic, who, "POST", "Observation", observation("x", "ann")) == 403
        assert (
            await status(
                clinic, who, "PUT", "Patient/ann", {"resourceType": "Patient", "id": "ann"}
            )
            == 403
        )
        assert await status(clinic, who, "DELETE", "Patient/ann") == 403


async def test_the_desk_writes_demographics_and_coverage_but_no_chart(clinic: Clinic):
    assert await status(clinic, DESK, "POST", "Patient", {"resourceType": "Patient"}) == 201
    assert await status(clinic, DESK, "POST", "Observation", observation("x", "ann")) == 403


async def test_scopes_narrow_what_a_role_may_write(clinic: Clinic):
    reader = clinician("dora", "user/*.rs")
    creator = clinician("dora", "user/Observation.c")
    body = observation("x", "ann")
    assert await status(clinic, reader, "POST", "Observation", body) == 403
    made = await clinic.ask(creator, "POST", "Observation", body)
    assert made.status == 201
    name = f"Observation/{made.body['id']}"
    assert await status(clinic, creator, "PUT", name, {**body, "id": made.body["id"]}) == 403
    assert await status(clinic, creator, "DELETE", name) == 403


# Versions -------------------------------------------------------------------------------------


async def test_versions_count_up_through_deletion_and_recreation(clinic: Clinic):
    path = "Observation/life"
    await clinic.put(observation("life", "ann"), observation("life", "bob"))
    assert await status(clinic, SYSTEM, "DELETE", path) == 204
    assert await status(clinic, SYSTEM, "DELETE", path) == 204
    assert await status(clinic, SYSTEM, "GET", path) == 410
    assert await status(clinic, SYSTEM, "GET", f"{path}/_history/3") == 410
    assert (await clinic.search(SYSTEM, "Observation", [("_id", "life")])).ids == []
    again = await clinic.ask(SYSTEM, "PUT", path, observation("life", "ann"))
    assert (again.status, again.body["meta"]["versionId"]) == (201, "4")
    history = await clinic.ask(SYSTEM, "GET", f"{path}/_history")
    methods = [entry["request"]["method"] for entry in history.body["entry"]]
    assert methods[:3] == ["PUT", "DELETE", "PUT"]
    assert "resource" not in history.body["entry"][1]
    first = await clinic.ask(SYSTEM, "GET", f"{path}/_history/1")
    assert first.body["subject"]["reference"] == "Patient/ann"


async def test_if_match_lets_one_version_through_and_names_the_other(clinic: Clinic):
    await clinic.put(observation("match", "ann"))
    path, body = "Observation/match", observation("match", "ann")
    stale = await clinic.ask(SYSTEM, "PUT", path, body, {"if-match": 'W/"7"'})
    assert stale.status == 412
    assert stale.body["issue"][0]["code"]
    good = await clinic.ask(SYSTEM, "PUT", path, body, {"if-match": 'W/"1"'})
    assert good.headers["etag"] == 'W/"2"'
    assert await status(clinic, SYSTEM, "PUT", path, body, **{"if-match": "1"}) == 400
    assert await status(clinic, SYSTEM, "DELETE", path, **{"if-match": 'W/"1"'}) == 412
    assert await status(clinic, SYSTEM, "DELETE", path, **{"if-match": 'W/"2"'}) == 204


async def test_the_server_alone_decides_version_and_time(clinic: Clinic):
    lie = observation("meta", "ann")
    lie["meta"] = {"versionId": "99", "lastUpdated": "1999-01-01T00:00:00Z"}
    (kept,) = await clinic.put(lie)
    assert kept["meta"]["versionId"] == "1"
    assert not kept["meta"]["lastUpdated"].startswith("1999")


async def test_a_resource_of_two_patients_can_be_changed_and_deleted(clinic: Clinic):
    await clinic.put(observation("two", "ann", "bob"))
    await clinic.put(observation("two", "ann", "bob"))
    await clinic.put(observation("two", "bob"))
    found = await clinic.search(SYSTEM, "Observation", [("subject", "Patient/ann"), ("_id", "two")])
    assert found.ids == []
    await clinic.put(observation("two", "bob", "ann"))
    assert (await clinic.ask(SYSTEM, "DELETE", "Observation/two")).status == 204
    assert (await clinic.ask(SYSTEM, "GET", "Observation/two")).status == 410


async def test_nothing_is_deleted_that_others_refer_to(clinic: Clinic):
    await clinic.put({"resourceType": "Patient", "id": "held"}, observation("holder", "held"))
    refused = await clinic.ask(SYSTEM, "DELETE", "Patient/held")
    assert refused.status == 409
    assert await status(clinic, SYSTEM, "DELETE", "Observation/holder") == 204
    assert await status(clinic, SYSTEM, "DELETE", "Patient/held") == 204


async def test_a_reference_that_leads_nowhere_is_refused_by_name(clinic: Clinic):
    refused = await clinic.ask(SYSTEM, "POST", "Observation", observation("x", "nowhere"))
    assert refused.status == 422
    assert "Patient/nowhere" in refused.said


# At the same time -----------------------------------------------------------------------------


async def test_many_puts_of_one_id_make_versions_without_a_gap(clinic: Clinic):
    bodies = [observation("race", "ann", valueInteger=n) for n in range(60)]
    answers = await together(
        *(clinic.ask(SYSTEM, "PUT", "Observation/race", body) for body in bodies)
    )
    versions = sorted(int(answer.body["meta"]["versionId"]) for answer in answers)
    assert versions == list(range(1, 61))
    assert [a.status for a in answers].count(201) == 1
    kept = {}
    for answer in answers:
        number = answer.body["meta"]["versionId"]
        past = await clinic.ask(SYSTEM, "GET", f"Observation/race/_history/{number}")
        assert past.body == answer.body
        kept[number] = past.body["valueInteger"]
    assert sorted(kept.values()) == list(range(60))


async def test_of_many_who_saw_the_same_version_one_changes_it(clinic: Clinic):
    await clinic.put(observation("once", "ann"))
    body = observation("once", "ann")
    answers = await together(
        *(
            clinic.ask(SYSTEM, "PUT", "Observation/once", body, {"if-match": 'W/"1"'})
            for _ in range(30)
        )
    )
    assert sorted(answer.status for answer in answers) == [200] + [412] * 29


async def test_creates_at_the_same_time_are_all_kept_apart(clinic: Clinic):
    good = [clinic.ask(DORA, "POST", "Observation", observation("x", "ann")) for _ in range(40)]
    bad = [clinic.ask(DORA, "POST", "Observation", observation("x", "bob")) for _ in range(10)]
    dangling = [clinic.ask(SYSTEM, "POST", "Observation", observation("x", "no")) for _ in range(5)]
    answers = await together(*good, *bad, *dangling)
    assert [a.status for a in answers] == [201] * 40 + [403] * 10 + [422] * 5
    assert len({answer.body["id"] for answer in answers[:40]}) == 40
    for answer in answers[:40]:
        assert await current(clinic, f"Observation/{answer.body['id']}") == answer.body


async def test_puts_deletes_and_refusals_of_one_moment_do_not_disturb_each_other(clinic: Clinic):
    await clinic.put(*(observation(f"mix{n}", "ann") for n in range(20)))
    answers = await together(
        *(clinic.ask(SYSTEM, "PUT", f"Observation/mix{n}", observation(f"mix{n}", "bob"))
          for n in range(10)),
        *(clinic.ask(SYSTEM, "DELETE", f"Observation/mix{n}") for n in range(10, 20)),
        *(clinic.ask(SYSTEM, "PUT", f"Observation/new{n}", observation(f"new{n}", "no"))
          for n in range(5)),
        *(clinic.ask(DORA, "PUT", f"Observation/mix{n}", observation(f"mix{n}", "bob"))
          for n in range(0, 10, 2)),
    )  # fmt: skip
    statuses = [answer.status for answer in answers]
    assert statuses[:25] == [200] * 10 + [204] * 10 + [422] * 5
    assert set(statuses[25:]) <= {403, 404}
    found = await clinic.search(
        SYSTEM, "Observation", [("_id", ",".join(f"mix{n}" for n in range(20))), ("_count", "50")]
    )
    assert sorted(found.ids) == sorted(f"Observation/mix{n}" for n in range(10))


async def test_a_key_that_was_brought_along_does_not_grow_too_old_before_it_is_used(clinic: Clinic):
    """Five minutes after it was written a record once was told to be unreadable, for a moment."""
    store, owner = clinic.server.store, b"g" * 16
    key = (await store.keys.of_owners([owner]))[owner]
    store.vault._keys[key.id] = (time.monotonic() + 0.1, key)
    await store.keys.load([key.id])
    await asyncio.sleep(0.2)
    assert store.keys.known(key.id).id == key.id


async def test_keys_of_one_page_are_all_there_however_many_were_used_before(
    clinic: Clinic, monkeypatch
):
    """In a clinic of more than 10,000 charts a key once went while the others were fetched."""
    monkeypatch.setattr(vaults, "_CACHED_KEYS", 8)
    store, owners = clinic.server.store, [bytes([n]) * 16 for n in range(12)]
    made = await store.keys.of_owners(owners)
    names = [made[owner].id for owner in owners]
    for at in range(5):
        page = [names[at], *names[at + 1 :: 2]]
        await store.keys.load(page)
        assert [store.keys.known(name).id for name in page] == page

"""Histories of types and of everything, whole charts, validation: for who may, page by page."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from fhir_clinic import SYSTEM, Clinic, caller, clinician, patient
from more_world import PATIENTS, PEOPLE, build
from oracle import DIRECTORY, Oracle, patients_of

from polyclinic.standards.fhir.definitions import resource_types

DORA, EMIL, ANN = clinician("dora"), clinician("emil"), patient("ann")


@pytest.fixture(scope="module")
async def world(clinic: Clinic) -> Oracle:
    """With resources that were changed, moved to another chart, hidden, and deleted."""
    oracle = await build(clinic, 11, observations=40)
    for number in range(0, 40, 5):
        name = f"Observation/o{number}"
        changed = {**oracle.current[name], "status": "corrected"}
        if number % 2:
            changed["subject"] = {"reference": "Patient/cyd"}
        if number % 3 == 0:
            system = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
            changed["meta"] = {"security": [{"system": system, "code": "V"}]}
        (kept,) = await clinic.put(changed)
        oracle.keep(kept)
    for number in (5, 6, 7):
        assert (await clinic.ask(SYSTEM, "DELETE", f"Observation/o{number}")).status == 204
        oracle.delete(f"Observation/o{number}")
    return oracle


async def pages_of(clinic, who, url):
    pages = [await clinic.ask(who, "GET", url)]
    while pages[-1].status == 200 and pages[-1].next is not None:
        assert len(pages) < 300, "the pages never end"
        pages.append(await clinic.ask(who, "GET", pages[-1].next))
    assert {page.status for page in pages} == {200}, pages[-1].body
    return pages


def versions(pages):
    return [
        (entry["fullUrl"].partition("/fhir/")[2], int(entry["response"]["etag"][3:-1]))
        for page in pages
        for entry in page.body.get("entry", [])
    ]


def expected(world, who, kind=None):
    return {
        (name, number)
        for name in world.versions
        if kind in (None, name.partition("/")[0])
        for number in world.history(who, name)
    }


@pytest.mark.parametrize("count", [1, 7, 200])
async def test_the_history_of_a_type_is_every_version_that_may_be_seen_once(clinic, world, count):
    for person, who in PEOPLE:
        for kind in ("Observation", "Patient", "Organization"):
            pages = await pages_of(clinic, person, f"{kind}/_history?_count={count}")
            found = versions(pages)
            assert len(found) == len(set(found))
            assert set(found) == expected(world, who, kind), (who, kind)
            moments = [
                e["response"]["lastModified"] for p in pages for e in p.body.get("entry", [])
            ]
            assert moments == sorted(moments, reverse=True)
            assert all(len(page.body.get("entry", [])) <= count for page in pages)


async def test_the_history_of_everything_is_that_of_all_types(clinic, world):
    for person, who in PEOPLE:
        found = versions(await pages_of(clinic, person, "_history?_count=9"))
        assert len(found) == len(set(found))
        assert set(found) == expected(world, who), who
    narrow = clinician("dora", "user/Observation.rs")
    found = versions(await pages_of(clinic, narrow, "_history?_count=50"))
    assert set(found) == expected(world, PEOPLE[1][1], "Observation")
    assert (await clinic.ask(narrow, "GET", "Patient/_history")).status == 403
    nobody = caller("clinician", "Practitioner/none", "user/*.s")
    assert versions(await pages_of(clinic, nobody, "_history")) == []


async def test_a_history_is_cut_at_a_moment(clinic, world):
    name = "Observation/o0"
    moment = world.current[name]["meta"]["lastUpdated"]
    found = versions(
        await pages_of(clinic, SYSTEM, f"Observation/_history?_since={moment}&_count=2")
    )
    everything = {
        (n, number)
        for n, past in world.versions.items()
        for number, version in enumerate(past, 1)
        if n.startswith("Observation")
        and (version is None or version["meta"]["lastUpdated"] >= moment)
    }
    assert (name, 2) in found
    assert set(found) == everything
    later = (datetime.now(UTC) + timedelta(days=1)).date()
    assert versions(await pages_of(clinic, SYSTEM, f"_history?_since={later}")) == []


async def test_what_is_deleted_stands_there_without_a_body(clinic, world):
    answer = await clinic.ask(SYSTEM, "GET", "Observation/_history?_count=3")
    assert {e["request"]["method"] for e in answer.body["entry"]} == {"DELETE"}
    assert all("resource" not in entry for entry in answer.body["entry"])
    first = next(e for e in answer.body["entry"] if e["fullUrl"].endswith("/o5"))
    assert first["response"]["status"] == "204"


async def test_a_page_goes_on_while_others_write(clinic, world):
    """A version that was there when the walk began is on it once, whatever comes or goes."""
    first = await clinic.ask(SYSTEM, "GET", "Observation/_history?_count=5")
    before = expected(world, PEOPLE[0][1], "Observation")
    kept = world.current["Observation/o30"]
    world.keep((await clinic.put({**kept, "status": "final"}))[0])
    rest = await pages_of(clinic, SYSTEM, first.next)
    found = versions([first, *rest])
    assert len(found) == len(set(found))
    assert set(found) == before


async def test_a_link_of_a_history_works_for_its_reader_and_its_address_alone(clinic, world):
    answer = await clinic.ask(DORA, "GET", "Observation/_history?_count=1")
    page = answer.next.partition("?")[2]
    assert (await clinic.ask(DORA, "GET", f"Observation/_history?{page}")).status == 200
    for who, path in ((EMIL, "Observation/_history"), (DORA, "Patient/_history"),
                      (DORA, "_history"), (DORA, "Observation"),
                      (DORA, "Patient/ann/$everything")):  # fmt: skip
        assert (await clinic.ask(who, "GET", f"{path}?{page}")).status == 400, path


async def test_a_history_is_logged_by_patient_and_type(clinic, world):
    answer = await clinic.ask(ANN, "GET", "Observation/_history?_count=200")
    rows = await clinic.logged(answer)
    assert {(action, outcome) for action, _, outcome, _ in rows} == {("h", 0)}
    counts = {p: n for _, p, _, n in rows}
    assert counts[clinic.person("ann")] == len(answer.body["entry"])
    nothing = await clinic.ask(patient("nobody"), "GET", "_history?_since=2999")
    assert await clinic.logged(nothing) == [("h", None, 0, 0)]


# Everything ------------------------------------------------------------------------------------


def chart(world, who, name):
    return {
        place
        for place, resource in world.current.items()
        if place.partition("/")[0] not in DIRECTORY
        and f"Patient/{name}" in patients_of(resource)
        and world.sees(who, "r", resource)
    }


@pytest.mark.parametrize("count", [1, 4, 1000])
async def test_everything_is_the_chart_and_whom_it_refers_to(clinic, world, count):
    for person, who in PEOPLE:
        for name in PATIENTS:
            related = (who.person, f"Patient/{name}") in world.relations
            if who.role == "clinician" and not related:
                answer = await clinic.ask(person, "GET", f"Patient/{name}/$everything")
                assert answer.status == 403
                continue
            if who.role == "patient" and name != "ann":
                answer = await clinic.ask(person, "GET", f"Patient/{name}/$everything")
                assert answer.status == 404
                continue
            pages = await pages_of(clinic, person, f"Patient/{name}/$everything?_count={count}")
            found = [place for page in pages for place in page.ids]
            assert found[0] == f"Patient/{name}"
            assert len(found) == len(set(found))
            assert set(found) == chart(world, who, name), (who, name)
            referred = {
                reference
                for place in found
                for reference in re.findall(r"(?:Practitioner|Organization)/\w+",
                                            str(world.current[place]))
            }  # fmt: skip
            assert {place for page in pages for place in page.included} == referred
            assert all(len(page.ids) <= count for page in pages)


async def test_everything_can_be_less(clinic, world):
    url = "Patient/ann/$everything"
    answer = await clinic.ask(ANN, "GET", f"{url}?_type=Observation")
    assert {place.partition("/")[0] for place in answer.ids} == {"Observation"}
    moment = world.current["Observation/o0"]["meta"]["lastUpdated"]
    recent = (await clinic.ask(SYSTEM, "GET", f"{url}?_since={moment}")).ids
    assert set(recent) == {
        place for place in chart(world, PEOPLE[0][1], "ann")
        if world.current[place]["meta"]["lastUpdated"] >= moment
    }  # fmt: skip
    asked = {"resourceType": "Parameters", "parameter": [
        {"name": "_type", "valueCode": "Observation"}, {"name": "_count", "valueInteger": 2},
    ]}  # fmt: skip
    answer = await clinic.ask(SYSTEM, "POST", url, asked)
    assert (answer.status, len(answer.ids)) == (200, 2)
    narrow = caller("patient", "Patient/ann", "patient/Patient.rs")
    assert (await clinic.ask(narrow, "GET", url)).ids == ["Patient/ann"]
    desk = caller("front-desk", None, "user/*.rs")
    assert (await clinic.ask(desk, "GET", url)).ids == ["Patient/ann"]
    assert (await clinic.ask(clinician("dora", "user/Observation.rs"), "GET", url)).status == 403
    for name in ("nobody", "ann/$everything/x"):
        assert (await clinic.ask(SYSTEM, "GET", f"Patient/{name}/$everything")).status == 404


async def test_everything_is_logged_once_a_page(clinic, world):
    answer = await clinic.ask(ANN, "GET", "Patient/ann/$everything?_count=3")
    rows = [row for row in await clinic.logged(answer) if row[1] == clinic.person("ann")]
    assert rows == [("s", clinic.person("ann"), 0, 3)]
    refused = await clinic.ask(EMIL, "GET", "Patient/ann/$everything")
    assert ("s", clinic.person("ann"), 8, 0) in await clinic.logged(refused)


async def test_a_page_of_everything_survives_a_narrower_scope(clinic, world):
    answer = await clinic.ask(ANN, "GET", "Patient/ann/$everything?_count=2")
    narrow = caller("patient", "Patient/ann", "patient/Patient.r", subject="patient:Patient/ann")
    after = await clinic.ask(narrow, "GET", answer.next)
    assert (after.status, after.ids) == (200, [])


# Validation --------------------------------------------------------------------------------------

GOOD = {"resourceType": "Patient", "gender": "male"}
BAD = {"resourceType": "Patient", "gender": "shoe", "birthDate": "yesterday"}


@pytest.mark.parametrize(
    ("url", "body", "errors"),
    [
        ("Patient/$validate", GOOD, []),
        ("Patient/$validate", BAD, ["Patient.birthDate", "Patient.gender"]),
        ("Patient/$validate?mode=create", GOOD, []),
        ("Patient/ann/$validate", {**GOOD, "id": "ann"}, []),
        ("Patient/ann/$validate", {**GOOD, "id": "bob"}, ["Patient.id"]),
        ("Patient/ann/$validate?mode=delete", None, []),
        ("Patient/$validate", {"resourceType": "Parameters", "parameter": [
            {"name": "resource", "resource": BAD}, {"name": "mode", "valueCode": "create"}]},
         ["Patient.birthDate", "Patient.gender"]),
    ],
)  # fmt: skip
async def test_validation_says_what_is_wrong_and_keeps_nothing(clinic, world, url, body, errors):
    before = (await clinic.search(SYSTEM, "Patient", [("_summary", "count")])).body
    answer = await clinic.ask(DORA, "POST", url, body if body is not None else b"")
    assert answer.status == 200, answer.body
    issues = answer.body["issue"]
    found = [e for i in issues if i["severity"] == "error" for e in i["expression"]]
    assert sorted(found) == errors
    assert (await clinic.search(SYSTEM, "Patient", [("_summary", "count")])).body == before


async def test_validation_is_honest_about_profiles(clinic):
    answer = await clinic.ask(SYSTEM, "POST", "Patient/$validate?profile=http://x.example/p", GOOD)
    assert [i["severity"] for i in answer.body["issue"]] == ["warning"]


@pytest.mark.parametrize(
    ("url", "body"),
    [("Patient/$validate?mode=shoe", GOOD), ("Patient/$validate?shoe=1", GOOD),
     ("Patient/$validate", b""), ("Patient/$validate", b"{"), ("Observation/$validate", GOOD),
     ("Patient/$validate?mode=delete", GOOD), ("Patient/$validate", {"resourceType": "Parameters",
                                                                   "parameter": ["x"]})],
)  # fmt: skip
async def test_a_question_that_cannot_be_validated_is_refused(clinic, url, body):
    assert (await clinic.ask(SYSTEM, "POST", url, body)).status == 400


async def test_whoever_reaches_nothing_of_a_type_does_not_validate_it(clinic):
    only = clinician("dora", "user/Observation.rs")
    assert (await clinic.ask(only, "POST", "Patient/$validate", GOOD)).status == 403


# What the server says of itself -------------------------------------------------------------------


async def test_the_capability_statement_tells_what_there_is(clinic):
    (rest,) = (await clinic.ask(SYSTEM, "GET", "metadata")).body["rest"]
    kinds = {resource["type"]: resource for resource in rest["resource"]}
    assert set(kinds) == set(resource_types())
    assert {i["code"] for i in rest["interaction"]} == {"transaction", "batch", "history-system"}
    observation = kinds["Observation"]
    assert {i["code"] for i in observation["interaction"]} == {
        "read", "vread", "history-instance", "history-type", "search-type", "create", "update",
        "patch", "delete",
    }  # fmt: skip
    told = {name: observation[name] for name in observation if name.startswith("conditional")}
    assert told == {"conditionalCreate": True, "conditionalRead": "not-match",
                    "conditionalUpdate": True, "conditionalDelete": "single"}  # fmt: skip
    types = {p["name"]: p["type"] for p in observation["searchParam"]}
    assert types["code-value-quantity"] == "composite"
    assert "Observation:has-member" in observation["searchRevInclude"]
    assert "Provenance:target" in observation["searchRevInclude"]
    assert not any("List:item" in resource["searchRevInclude"] for resource in rest["resource"])
    operations = {o["name"] for o in kinds["Patient"]["operation"]}
    assert operations == {"validate", "everything"}


async def test_the_capability_statement_stays_small(clinic):
    answer = await clinic.client.get("/fhir/metadata")
    assert len(answer.content) < 256_000


async def test_a_reverse_include_by_a_parameter_that_leads_anywhere_works_untold(clinic):
    await clinic.put({"resourceType": "Location", "id": "listed"})
    item = [{"item": {"reference": "Location/listed"}}]
    await clinic.put(
        {"resourceType": "List", "id": "lists", "status": "current", "mode": "working",
         "entry": item}
    )  # fmt: skip
    found = await clinic.search(
        SYSTEM, "Location", [("_id", "listed"), ("_revinclude", "List:item")]
    )
    assert [e["resource"]["id"] for e in found.body["entry"]] == ["listed", "lists"]


async def test_every_parameter_that_is_told_is_answered(clinic, world):
    (rest,) = (await clinic.ask(SYSTEM, "GET", "metadata")).body["rest"]
    values = {"date": "2020", "number": "1", "quantity": "1", "composite": None}
    for resource in rest["resource"][::6]:
        urls = []
        for p in resource["searchParam"]:
            value = values.get(p["type"], "x")
            if value is not None:
                urls.append(f"{resource['type']}?{p['name']}={value}&_summary=count")
            urls.append(f"{resource['type']}?_id=x&{p['name']}:missing=true")
        answer = await clinic.batch(SYSTEM, *urls)
        for url, entry in zip(urls, answer.body["entry"], strict=True):
            status = entry["response"]["status"][:3]
            unmodified = "_id:missing" in url or "_lastUpdated:missing" in url
            composite = any(f"{p['name']}:missing" in url for p in resource["searchParam"]
                            if p["type"] == "composite")  # fmt: skip
            assert status == ("400" if unmodified or composite else "200"), (url, entry)
        for include in resource["searchRevInclude"][:3]:
            answer = await clinic.search(SYSTEM, resource["type"], [("_revinclude", include)])
            assert answer.status == 200, (include, answer.body)

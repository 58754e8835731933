"""An import takes each unit whole and once, and says exactly what it did not take."""

import asyncio
import hashlib
import json

import pytest
from records_door import BASE, Door, bundle, issues_of, observation, patient, places_of, put


def unit(*resources: dict, kind: str = "transaction") -> bytes:
    return json.dumps(bundle(kind, *(put(resource) for resource in resources))).encode()


def lines(*resources: dict | bytes) -> bytes:
    return b"\n".join(r if isinstance(r, bytes) else json.dumps(r).encode() for r in resources)


async def said(door: Door, content: bytes, **how) -> dict:
    answer = await door.unit(content, **how)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def is_there(door: Door, *places: str) -> list[bool]:
    answers = [await door.send("GET", f"/fhir/{place}") for place in places]
    return [answer.status_code == 200 for answer in answers]


async def test_a_transaction_is_imported_once_and_a_rerun_says_so(door):
    content = unit(patient(id="i1"), observation("Patient/i1", id="i1"))
    assert await said(door, content) == {"status": "imported", "resources": 2, "refused": []}
    assert await said(door, content) == {"status": "already", "resources": 2, "refused": []}
    kept = (await door.send("GET", "/fhir/Patient/i1")).json()
    assert kept["meta"]["versionId"] == "1"
    found = await door.send("GET", "/fhir/Observation?patient=Patient/i1&code=718-7")
    assert len(found.json()["entry"]) == 1


async def test_posts_and_urn_references_of_a_bundle_lead_to_their_new_ids(door):
    one, two = "urn:uuid:" + "1" * 8, "urn:uuid:" + "2" * 8
    content = bundle(
        "transaction",
        {
            "fullUrl": two,
            "resource": observation(one),
            "request": {"method": "POST", "url": "Observation"},
        },
        {
            "fullUrl": one,
            "resource": patient(name=[{"family": "Urnruiz"}]),
            "request": {"method": "POST", "url": "Patient"},
        },
    )
    assert (await said(door, json.dumps(content).encode()))["resources"] == 2
    (entry,) = (await door.send("GET", "/fhir/Patient?family=Urnruiz")).json()["entry"]
    name = entry["resource"]["id"]
    chart = await door.send("GET", f"/fhir/Observation?patient=Patient/{name}")
    (found,) = chart.json()["entry"]
    assert found["resource"]["subject"]["reference"] == f"Patient/{name}"


async def test_the_same_content_sent_at_once_is_kept_once(door):
    content = json.dumps(
        bundle(
            "transaction",
            {
                "resource": patient(name=[{"family": "Onceonly"}]),
                "request": {"method": "POST", "url": "Patient"},
            },
        )
    ).encode()
    reports = await asyncio.gather(*(said(door, content) for _ in range(8)))
    assert sorted(report["status"] for report in reports) == ["already"] * 7 + ["imported"]
    found = await door.send("GET", "/fhir/Patient?family=Onceonly")
    assert len(found.json()["entry"]) == 1


async def test_units_that_write_the_same_resources_at_once_are_both_kept_whole(door):
    people = [patient(id=f"race{n}") for n in range(20)]
    contents = [
        unit(*({**each, "active": bool(n % 2)} for each in (people if n % 3 else people[::-1])))
        for n in range(2)
    ] + [lines(*people)]
    answers = await asyncio.gather(
        *(door.unit(content, lines=n == 2) for n, content in enumerate(contents))
    )
    assert [answer.json()["status"] for answer in answers] == ["imported"] * 3
    for each in people:
        past = (await door.send("GET", f"/fhir/Patient/{each['id']}/_history")).json()["entry"]
        assert [entry["response"]["etag"] for entry in past] == ['W/"3"', 'W/"2"', 'W/"1"']


async def test_one_bad_entry_refuses_the_transaction_and_every_bad_entry_is_listed(door):
    content = unit(
        patient(id="bad0"),
        patient(id="bad1", birthDate="2026-02-30", shoe=3),
        observation("Patient/bad0", id="bad2"),
        observation("Patient/bad0", id="bad3", status="perhaps"),
    )
    report = await said(door, content)
    assert (report["status"], report["resources"]) == ("refused", 0)
    assert {(each["entry"], each["place"]) for each in report["refused"]} == {
        (1, "Patient.birthDate"),
        (1, "Patient.shoe"),
        (3, "Observation.status"),
    }
    assert await is_there(door, "Patient/bad0", "Observation/bad2") == [False, False]
    mended = unit(patient(id="bad0"), observation("Patient/bad0", id="bad2"))
    assert (await said(door, mended))["status"] == "imported"


async def test_a_conflict_refuses_the_whole_transaction(door):
    twice = unit(patient(id="twice"), patient(id="twice", active=True))
    report = await said(door, twice)
    assert report["status"] == "refused"
    assert "Patient/twice" in report["refused"][0]["text"]
    stale = json.dumps(
        bundle("transaction", put(patient(id="stale0")), put(patient(id="stale1"), ifMatch='W/"7"'))
    ).encode()
    report = await said(door, stale)
    assert report["status"] == "refused"
    assert report["refused"][0]["place"] == "Bundle.entry[1].request.ifMatch"
    assert await is_there(door, "Patient/twice", "Patient/stale0") == [False, False]


async def test_a_deletion_of_what_is_absent_is_a_refusal_and_not_a_fault(door):
    gone = {"request": {"method": "DELETE", "url": "Patient/never-there"}}
    report = await said(door, json.dumps(bundle("transaction", gone)).encode())
    assert report["status"] == "refused"
    assert report["refused"][0]["place"] == "Bundle.entry[0].request.url"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_read_in_an_import_is_refused_by_its_entry(door, method):
    asked = {"request": {"method": method, "url": "Patient/x"}}
    report = await said(door, json.dumps(bundle("transaction", asked)).encode())
    assert [(each["entry"], each["text"]) for each in report["refused"]] == [
        (0, "An import only writes.")
    ]


async def test_nothing_at_all_is_imported_and_not_refused(door):
    nothing = {"status": "imported", "resources": 0, "refused": []}
    assert await said(door, b"", lines=True) == nothing
    assert await said(door, b"\n\n", lines=True) == nothing
    assert await said(door, json.dumps(bundle("collection")).encode()) == nothing


@pytest.mark.parametrize("kind", ["collection", "searchset", "document", "batch", "history", None])
async def test_of_other_bundles_each_good_resource_is_kept_under_its_own_id(door, kind):
    name = f"kind-{kind}"
    entries = [
        {"resource": patient(id=name)},
        {"resource": patient(id=f"{name}-bad", gender="lady")},
        {"fullUrl": f"{BASE}/x"},
        {"resource": observation(f"Patient/{name}", id=name), "search": {"mode": "match"}},
    ]
    content = {**bundle("collection", *entries), "type": kind}
    report = await said(door, json.dumps(content).encode())
    assert (report["status"], report["resources"]) == ("imported", 2)
    assert sorted({each["entry"] for each in report["refused"]}) == [1, 2]
    assert await is_there(door, f"Patient/{name}", f"Observation/{name}") == [True, True]
    assert await is_there(door, f"Patient/{name}-bad") == [False]


async def test_bad_lines_are_listed_exactly_and_the_good_ones_are_kept(door):
    content = lines(
        patient(id="l1"),
        b"",
        b"{broken",
        patient(id="l4", birthDate="yesterday"),
        b"[]",
        b'{"resourceType": "Shoe"}',
        b'{"resourceType": "Patient", "id": "l7", "gender": "male", "gender": "female"}',
        patient(id="l1", active=True),
        b'{"resourceType": "Patient", "id": "a_b"}',
        b'{"resourceType": "Patient", "id": 5}',
        b"\xff\xfe",
        b'{"resourceType": "Patient", "id": "' + b"x" * 65 + b'"}',
        patient(id="l13"),
        {**patient(), "name": [{"family": "Withoutid"}]},
    )
    report = await said(door, content, lines=True)
    assert (report["status"], report["resources"]) == ("imported", 3)
    assert sorted({each["line"] for each in report["refused"]}) == [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    assert all(each["text"] and each["entry"] is None for each in report["refused"])
    places = {each["line"]: each["place"] for each in report["refused"]}
    assert places[4] == "Patient.birthDate"
    assert places[7] == "gender"
    assert await is_there(door, "Patient/l1", "Patient/l13", "Patient/l4") == [True, True, False]


async def test_lines_may_end_as_on_other_systems_and_hold_unusual_characters(door):
    odd = patient(id="odd", name=[{"family": "Line\u2028sep\u0085nel\u2029par"}])
    content = json.dumps(odd, ensure_ascii=False).encode() + b"\r\n" + lines(patient(id="odd2"))
    report = await said(door, content + b"\r\n", lines=True)
    assert report == {"status": "imported", "resources": 2, "refused": []}
    kept = (await door.send("GET", "/fhir/Patient/odd")).json()
    assert kept["name"] == odd["name"]


async def test_more_than_500_lines_are_refused(door):
    answer = await door.unit(lines(*[b"{}"] * 501), lines=True)
    assert answer.status_code == 400
    assert places_of(answer) == ["body"]


@pytest.mark.parametrize("stated", ["0" * 64, "x", "", "A" * 64])
async def test_a_wrong_hash_is_refused(door, stated):
    headers = {"content-type": "application/fhir+json", "x-content-hash": stated}
    content = unit(patient(id="hash"))
    answer = await door.send("POST", "/records/import", content=content, headers=headers)
    assert answer.status_code == 400
    assert places_of(answer) == ["X-Content-Hash"]
    assert issues_of(answer)
    assert await is_there(door, "Patient/hash") == [False]


async def test_the_hash_may_be_written_in_capitals(door):
    content = unit(patient(id="capital"))
    report = await said(door, content, hashed=hashlib.sha256(content).hexdigest().upper())
    assert report["status"] == "imported"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"resourceType": "Patient"}', b"\xff", b"{}" * 3]
)
async def test_what_is_no_bundle_is_a_refusal_with_a_reason(door, content):
    report = await said(door, content)
    assert (report["status"], report["resources"]) == ("refused", 0)
    assert report["refused"][0]["text"]


async def test_references_across_units_may_come_before_what_they_lead_to(door):
    first = await said(door, unit(observation("Patient/later", id="early")))
    assert first["status"] == "imported"
    second = await said(door, unit(patient(id="later")))
    assert second["status"] == "imported"
    chart = await door.send("GET", "/fhir/Observation?patient=Patient/later")
    assert [entry["resource"]["id"] for entry in chart.json()["entry"]] == ["early"]


async def test_names_of_files_reach_no_table(door):
    await said(door, unit(patient(id="file")), source="Ana Ruiz 1980.json")
    rows = await door.sql("SELECT to_jsonb(l) AS row FROM records.import_ledger l")
    assert rows
    assert not any("Ruiz" in row["row"] for row in rows)

"""Whatever is wrong with a request: a 4xx that names the place, and nothing is kept."""

import json

import pytest
from records_door import (
    EVERYTHING,
    Door,
    bundle,
    issues_of,
    observation,
    patient,
    places_of,
    put,
)

MB = 1024 * 1024


async def size(door: Door) -> tuple[int, ...]:
    """How much is kept: resources, versions, index rows, announcements."""
    query = """SELECT (SELECT count(*) FROM records.resource),
        (SELECT count(*) FROM records.version),
        (SELECT count(*) FROM records.posting), (SELECT count(*) FROM records.date_range),
        (SELECT count(*) FROM records.outbox) + (SELECT count(*) FROM records.feed_entry)"""
    return tuple((await door.sql(query))[0])


BAD_BODIES = {
    "broken off": (b'{"resourceType": "Patient"', 400, "body"),
    "empty": (b"", 400, "body"),
    "blank": (b" \n ", 400, "body"),
    "no object": (b"[]", 400, "body"),
    "a number": (b"1", 400, "body"),
    "null": (b"null", 400, "body"),
    "no type": (b"{}", 400, "resourceType"),
    "a type that is no text": (b'{"resourceType": 5}', 400, "resourceType"),
    "another type": (b'{"resourceType": "Observation"}', 400, "resourceType"),
    "trailing text": (b'{"resourceType": "Patient"} x', 400, "byte"),
    "two objects": (b'{"resourceType": "Patient"}{}', 400, "byte"),
    "a byte order mark": (b'\xef\xbb\xbf{"resourceType": "Patient"}', 400, "byte"),
    "UTF-16": ('{"resourceType": "Patient"}'.encode("utf-16"), 400, None),
    "bad UTF-8": (b'{"resourceType": "Patient", "id": "\xff"}', 400, "body"),
    "overlong UTF-8": (b'{"resourceType": "Patient", "id": "\xc0\xaf"}', 400, "body"),
    "doubled key": (
        b'{"resourceType": "Patient", "gender": "male", "gender": "female"}',
        400,
        "gender",
    ),
    "doubled key behind an escape": (
        b'{"resourceType": "Patient", "gender": "male", "g\\u0065nder": "female"}',
        400,
        "gender",
    ),
    "NaN": (b'{"resourceType": "Patient", "multipleBirthInteger": NaN}', 400, "byte"),
    "Infinity": (b'{"resourceType": "Patient", "multipleBirthInteger": -Infinity}', 400, "byte"),
    "1e999": (b'{"resourceType": "Patient", "multipleBirthInteger": 1e999}', 400, None),
    "a million digits": (
        b'{"resourceType": "Patient", "multipleBirthInteger": ' + b"1" * 10**6 + b"}",
        400,
        None,
    ),
    "an integer beyond 64 bits": (
        b'{"resourceType": "Patient", "multipleBirthInteger": 123456789012345678901234567890}',
        422,
        "Patient.multipleBirth",
    ),
    "a lone surrogate": (b'{"resourceType": "Patient", "language": "\\ud800"}', 400, None),
    "NUL": (b'{"resourceType": "Patient", "language": "a\\u0000b"}', 400, None),
    "100k deep lists": (b'{"resourceType": "Patient", "x": ' + b"[" * 100_000, 400, "body"),
    "100k deep objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400, "body"),
    "unknown element": (b'{"resourceType": "Patient", "shoe": 3}', 422, "Patient.shoe"),
    "unknown element below": (
        b'{"resourceType": "Patient", "name": [{"famly": "x"}]}',
        422,
        "Patient.name[0].famly",
    ),
    "invalid date": (
        b'{"resourceType": "Patient", "birthDate": "2026-02-30"}',
        422,
        "Patient.birthDate",
    ),
    "a date with a time": (
        b'{"resourceType": "Patient", "birthDate": "2026-02-01T10:00:00Z"}',
        422,
        "Patient.birthDate",
    ),
    "empty list": (b'{"resourceType": "Patient", "name": []}', 422, "Patient.name"),
    "empty object": (b'{"resourceType": "Patient", "name": [{}]}', 422, "Patient.name[0]"),
    "null element": (b'{"resourceType": "Patient", "name": null}', 422, "Patient.name"),
    "empty text": (b'{"resourceType": "Patient", "language": ""}', 422, "Patient.language"),
    "text for list": (b'{"resourceType": "Patient", "name": "x"}', 422, "Patient.name"),
    "bad code": (b'{"resourceType": "Patient", "gender": "lady"}', 422, "Patient.gender"),
    "script in the narrative": (
        b'{"resourceType": "Patient", "text": {"status": "generated", "div":'
        b' "<div xmlns=\\"http://www.w3.org/1999/xhtml\\"><script>1</script></div>"}}',
        422,
        "Patient.text.div",
    ),
    "two choices": (
        b'{"resourceType": "Patient", "deceasedBoolean": true, "deceasedDateTime": "2026"}',
        422,
        "Patient",
    ),
}


@pytest.mark.parametrize("name", BAD_BODIES)
async def test_a_bad_body_is_refused_at_its_place_and_nothing_is_kept(door, name):
    body, status, place = BAD_BODIES[name]
    before = await size(door)
    answer = await door.send("POST", "/fhir/Patient", content=body)
    assert answer.status_code == status, answer.text[:500]
    places = places_of(answer)
    assert places, answer.text
    if place is not None:
        assert any(found.startswith(place) for found in places), places
    assert len(answer.content) < 5000
    assert await size(door) == before


@pytest.mark.parametrize("name", BAD_BODIES)
async def test_a_bad_body_is_refused_by_an_update_and_by_a_bundle_too(door, name):
    body, _, _ = BAD_BODIES[name]
    before = await size(door)
    updated = await door.send("PUT", "/fhir/Patient/bad", content=body)
    assert updated.status_code in (400, 422), updated.text[:300]
    assert places_of(updated)
    posted = await door.send("POST", "/fhir", content=body)
    assert posted.status_code == 400, posted.text[:300]
    within = b'{"resourceType": "Bundle", "type": "transaction", "entry": [{"request":'
    within += b' {"method": "POST", "url": "Patient"}, "resource": ' + (body or b"5") + b"}]}"
    entry = await door.send("POST", "/fhir", content=within)
    assert entry.status_code in (400, 422), entry.text[:300]
    assert places_of(entry)
    assert await size(door) == before


def of_size(wanted: int) -> bytes:
    """A patient that is exactly so large once it is kept, with its id and meta."""
    made = patient(
        id="0" * 36,
        meta={"versionId": "1", "lastUpdated": "2026-11-22T08:30:00.000Z"},
        extension=[{"url": "http://example.org/x", "valueString": ""}],
    )
    empty = len(json.dumps(made, separators=(",", ":")))
    made["extension"][0]["valueString"] = "x" * (wanted - empty)
    return json.dumps(made, separators=(",", ":")).encode()


async def test_a_resource_of_one_megabyte_is_kept_and_a_byte_more_is_refused(door):
    before = await size(door)
    over = await door.send("POST", "/fhir/Patient", content=of_size(MB + 1))
    assert over.status_code == 413, over.text[:300]
    assert places_of(over) == ["Patient"]
    assert await size(door) == before
    within = await door.send("POST", "/fhir/Patient", content=of_size(MB))
    assert within.status_code == 201, within.text[:300]
    assert len(within.content) == MB
    again = await door.send("GET", within.headers["location"].removeprefix("http://clinic.test"))
    assert again.content == within.content


async def test_a_resource_that_is_too_large_is_refused_by_update_bundle_and_import(door):
    resource = json.loads(of_size(MB + 1))
    before = await size(door)
    updated = await door.send("PUT", f"/fhir/Patient/{resource['id']}", resource=resource)
    assert updated.status_code == 413, updated.text[:300]
    posted = await door.send("POST", "/fhir", resource=bundle("transaction", put(resource)))
    assert posted.status_code == 413, posted.text[:300]
    assert any(place.startswith("Bundle.entry[0]") for place in places_of(posted))
    imported = await door.unit(json.dumps(bundle("transaction", put(resource))).encode())
    assert imported.json()["status"] == "refused", imported.text[:300]
    assert await size(door) == before


async def test_a_body_of_32_megabytes_and_a_byte_is_refused_whether_it_says_so_or_not(door):
    async def streamed():
        for _ in range(32):
            yield b" " * MB
        yield b" "

    declared = await door.send("POST", "/fhir/Patient", content=b" " * (32 * MB + 1))
    assert declared.status_code == 413
    assert places_of(declared) == ["body"]
    undeclared = await door.send("POST", "/fhir/Patient", content=streamed())
    assert undeclared.status_code == 413
    assert places_of(undeclared) == ["body"]
    by_import = await door.unit(b" " * (32 * MB + 1))
    assert by_import.status_code == 413
    lied = await door.send("POST", "/fhir/Patient", content=b"{}", headers={"content-length": "-1"})
    assert lied.status_code in (400, 413)


async def test_a_stale_if_match_changes_nothing_and_a_malformed_one_is_named(door):
    kept = await door.make(patient())
    path = f"/fhir/Patient/{kept['id']}"
    changed = {**kept, "active": True}
    good = await door.send("PUT", path, resource=changed, headers={"if-match": 'W/"1"'})
    assert good.status_code == 200, good.text
    before = await size(door)
    for verb, more in (("PUT", {"resource": kept}), ("DELETE", {})):
        stale = await door.send(verb, path, headers={"if-match": 'W/"1"'}, **more)
        assert stale.status_code == 412, stale.text
        assert "version" in issues_of(stale)[0]["diagnostics"]
        assert "If-Match" in places_of(stale)
        for malformed in ("1", "W/1", 'W/"x"', 'W/"1", W/"2"', "*", '""', 'W/"99999999999"', "²"):
            header = {"if-match": malformed.encode("utf-8")}
            bad = await door.send(verb, path, headers=header, **more)
            assert bad.status_code == 400, (malformed, bad.text)
            assert places_of(bad) == ["If-Match"]
    assert await size(door) == before


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/xml", "application/fhir+xml", "", "application/json-patch"]
)
async def test_a_body_of_another_kind_is_refused(door, kind):
    headers = {"content-type": kind}
    for verb, path in (("POST", "/fhir/Patient"), ("PUT", "/fhir/Patient/1"), ("POST", "/fhir")):
        answer = await door.send(verb, path, content=b"{}", headers=headers)
        assert answer.status_code == 415, answer.text
        assert places_of(answer) == ["Content-Type"]
    search = await door.send("POST", "/fhir/Patient/_search", content=b"name=x")
    assert search.status_code == 415


BAD_ADDRESSES = [
    ("GET", "/fhir/Shoe", 404),
    ("GET", "/fhir/Shoe/1", 404),
    ("GET", "/fhir/patient", 404),
    ("GET", "/fhir/Patient/a_b", 400),
    ("GET", "/fhir/Patient/" + "a" * 65, 400),
    ("GET", "/fhir/Patient/%00", 400),
    ("GET", "/fhir/Patient/%FF", 400),
    ("GET", "/fhir/Patient/a%0Ab", 404),
    ("GET", "/fhir/Patient/..%2F..%2Fetc%2Fpasswd", 400),
    ("GET", "/fhir/Patient/none", 404),
    ("GET", "/fhir/Patient/none/_history", 404),
    ("GET", "/fhir/Patient/none/_history/1", 404),
    ("GET", "/fhir/Patient/none/_history/x", 400),
    ("GET", "/fhir/Patient/none/_history/%C2%B2", 400),
    ("GET", "/fhir/Patient/none/_history/9999999999", 400),
    ("GET", "/fhir/Patient/none/_history/999999999", 404),
    ("GET", "/fhir/Patient/none/_history/0", 404),
    ("GET", "/fhir/Patient/none/_history/1/2", 404),
    ("GET", "/fhir/Patient/none/_history?_count=x", 400),
    ("GET", "/fhir/Patient/none/_history?_before=9999999999", 400),
    ("GET", "/fhir/Patient/none/_history?shoe=1", 400),
    ("GET", "/fhir/Patient/none/$everything", 404),
    ("GET", "/fhir/Patient/none/Shoe", 404),
    ("GET", "/fhir/Patient/none/Practitioner", 404),
    ("GET", "/fhir/$export", 404),
    ("GET", "/fhir", 404),
    ("GET", "/fhir/", 404),
    ("GET", "/fhir/_history?_count=x", 400),
    ("GET", "/fhir/_history?_since=now", 400),
    ("GET", "/fhir/_history?_page=x", 400),
    ("GET", "/fhir/_history/1", 404),
    ("POST", "/fhir/_history", 405),
    ("GET", "/fhir/Patient/_history?_before=1", 400),
    ("GET", "/fhir/Patient/_history/1", 404),
    ("DELETE", "/fhir/Patient/_history", 405),
    ("GET", "/fhir/Patient/1/$everything?_type=Shoe", 400),
    ("GET", "/fhir/Patient/1/$everything?_since=now", 400),
    ("GET", "/fhir/Patient/1/$everything?_page=x", 400),
    ("GET", "/fhir/Patient/$everything", 404),
    ("GET", "/fhir/Observation/1/$everything", 404),
    ("GET", "/fhir/Patient/$validate", 405),
    ("PUT", "/fhir/Patient/1/$everything", 405),
    ("GET", "/fhir/Patient/_search/x", 404),
    ("GET", "/nowhere", 404),
    ("PATCH", "/fhir/Patient/1", 415),
    ("PATCH", "/fhir/Patient?name=x", 415),
    ("PUT", "/fhir/Patient", 400),
    ("DELETE", "/fhir/Patient", 400),
    ("POST", "/fhir/Patient/1", 405),
    ("DELETE", "/fhir/Patient/1/_history/1", 405),
    ("PUT", "/fhir/metadata", 405),
    ("TRACE", "/fhir/Patient", 405),
    ("OPTIONS", "/fhir/Patient", 405),
    ("PROPFIND", "/fhir/Patient", 405),
    ("DELETE", "/fhir/Patient/none", 404),
]


@pytest.mark.parametrize(("method", "path", "status"), BAD_ADDRESSES)
async def test_a_bad_address_or_method_is_refused(door, method, path, status):
    content = {"content": json.dumps(patient(id="1"))} if method in ("PUT", "POST", "PATCH") else {}
    answer = await door.send(method, path, **content)
    assert answer.status_code == status, answer.text[:300]
    if path.startswith("/fhir"):
        assert issues_of(answer)
        assert places_of(answer), answer.text
    if status == 405:
        assert answer.headers.get("allow"), answer.headers


async def test_head_answers_like_get_without_a_body(door):
    kept = await door.make(patient())
    path = f"/fhir/Patient/{kept['id']}"
    for address in (path, "/fhir/Patient?_count=1", f"{path}/_history", "/fhir/metadata"):
        got, head = await door.send("GET", address), await door.send("HEAD", address)
        assert head.status_code == got.status_code == 200
        assert head.headers.get("etag") == got.headers.get("etag")
        assert head.headers["content-type"] == got.headers["content-type"]
    missing = await door.send("HEAD", "/fhir/Patient/none")
    assert missing.status_code == 404


async def test_the_place_of_a_dangling_reference_is_named(door):
    before = await size(door)
    answer = await door.send("POST", "/fhir/Observation", resource=observation("Patient/nobody"))
    assert answer.status_code == 422
    assert "Patient/nobody" in answer.text
    assert await size(door) == before


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer x"},
        {"authorization": "Basic eDp5"},
        {"authorization": "Bearer " + "x" * 9000},
        {"authorization": b"Bearer \xff\xfe"},
    ],
)
async def test_without_a_good_token_every_address_answers_401(door, headers):
    for method, path in (("GET", "/fhir/Patient"), ("GET", "/fhir/Shoe"), ("POST", "/fhir")):
        answer = await door.send(method, path, headers=headers)
        assert answer.status_code == 401, answer.text
        assert "www-authenticate" in answer.headers
        assert issues_of(answer)


async def test_a_scope_that_does_not_reach_is_403_and_names_the_type(door):
    token = await door.token("narrow", "system/Observation.rs")
    bearer = {"authorization": f"Bearer {token}"}
    for method, path in (("GET", "/fhir/Patient/1"), ("GET", "/fhir/Patient")):
        answer = await door.send(method, path, headers=bearer)
        assert answer.status_code == 403, answer.text
        assert places_of(answer) == ["Patient"]
    written = await door.send(
        "POST", "/fhir/Observation", resource=observation("Patient/1"), headers=bearer
    )
    assert written.status_code == 403
    imported = await door.send("POST", "/records/import", content=b"{}", headers=bearer)
    assert imported.status_code == 403
    assert EVERYTHING not in imported.headers.values()

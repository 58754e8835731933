"""Writes by criteria and patches: over HTTP and in Bundles, for who may and who may not."""

import asyncio
import base64
import json

import pytest
from fhir_clinic import SYSTEM, Clinic, caller, clinician, open_clinic, patient

V3 = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
DORA = clinician("dora")
PATCH = {"content-type": "application/json-patch+json"}


def person(number, **more):
    return {"resourceType": "Patient", "identifier": [{"system": "urn:m", "value": number}], **more}


def observation(name, about="ann", **more):
    return {
        "resourceType": "Observation", "status": "final", "code": {"text": "x"},
        "identifier": [{"value": name}], "subject": {"reference": f"Patient/{about}"}, **more,
    }  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
async def world(clinic: Clinic):
    for name in ("ann", "bob"):
        await clinic.put({"resourceType": "Patient", "id": name})
    await clinic.put({"resourceType": "Practitioner", "id": "dora"})
    await clinic.relate("dora", "ann")


async def found(clinic, kind, who=SYSTEM, **pairs):
    return (await clinic.search(who, kind, list(pairs.items()))).ids


async def claims(clinic):
    return await clinic.database.fetchval("SELECT count(*) FROM conditional_claim")


async def test_64_racing_clients_create_one_and_all_get_it(clinic, postgres_url, key_file):
    async with open_clinic(postgres_url, key_file, beside=clinic) as other:
        body, header = person("race"), {"if-none-exist": "identifier=urn:m|race"}
        answers = await asyncio.gather(*(
            (clinic, other)[n % 2].ask(SYSTEM, "POST", "Patient", body, header) for n in range(64)
        ))  # fmt: skip
        turned = {"if-none-exist": "identifier=urn%3Am%7Crace&_format=json"}
        answers.append(await other.ask(SYSTEM, "POST", "Patient", body, turned))
    assert sorted(a.status for a in answers) == [200] * 64 + [201]
    (name,) = await found(clinic, "Patient", identifier="urn:m|race")
    assert {f"Patient/{a.body['id']}" for a in answers} == {name}
    assert {a.headers["etag"] for a in answers} == {'W/"1"'}
    assert await claims(clinic) == 0


async def test_64_racing_updates_and_bundles_make_one_resource(clinic):
    body = observation("both")
    entry = {"request": {"method": "POST", "url": "Observation", "ifNoneExist": "identifier=both"},
             "resource": body}  # fmt: skip
    puts = {"request": {"method": "PUT", "url": "Observation?identifier=both"}, "resource": body}

    async def one(n):
        if n % 3 == 0:
            return await clinic.ask(SYSTEM, "PUT", "Observation?identifier=both", body)
        return await clinic.transaction(SYSTEM, entry if n % 3 == 1 else puts)

    answers = await asyncio.gather(*(one(n) for n in range(64)))
    assert {a.status for a in answers} <= {200, 201}, [a.body for a in answers if a.status > 201]
    assert len(await found(clinic, "Observation", identifier="both")) == 1
    assert await claims(clinic) == 0


async def test_criteria_of_more_than_one_match_change_nothing(clinic):
    for _ in range(2):
        await clinic.ask(SYSTEM, "POST", "Patient", person("twice"))
    criteria, body = "identifier=urn:m|twice", person("twice", gender="male")
    many = [
        await clinic.ask(SYSTEM, "POST", "Patient", body, {"if-none-exist": criteria}),
        await clinic.ask(SYSTEM, "PUT", f"Patient?{criteria}", body),
        await clinic.ask(SYSTEM, "DELETE", f"Patient?{criteria}"),
        await clinic.ask(SYSTEM, "PATCH", f"Patient?{criteria}", b"[]", PATCH),
        *[await clinic.transaction(SYSTEM, {"request": {"method": method,
                                            "url": f"Patient?{criteria}"}, "resource": body})
          for method in ("PUT", "DELETE")],
    ]  # fmt: skip
    assert [a.status for a in many] == [412] * 6
    names = await found(clinic, "Patient", identifier="urn:m|twice")
    assert len(names) == 2
    for name in names:
        assert (await clinic.ask(SYSTEM, "GET", name)).body["meta"]["versionId"] == "1"


@pytest.mark.parametrize("criteria", ["", "?", "_count=1", "identifier=x&_summary=count", "shoe=1",
                                      "_format=json"])  # fmt: skip
async def test_criteria_that_say_nothing_are_refused(clinic, criteria):
    before = await found(clinic, "Patient", _count="1000")
    header = {"if-none-exist": criteria}
    answers = [await clinic.ask(SYSTEM, "POST", "Patient", person("none"), header)]
    for method in ("PUT", "DELETE", "PATCH"):
        body = b"[]" if method == "PATCH" else person("none")
        headers = PATCH if method == "PATCH" else {}
        answers.append(await clinic.ask(SYSTEM, method, f"Patient?{criteria}", body, headers))
    assert {a.status for a in answers} == {400}, [a.body for a in answers]
    assert await found(clinic, "Patient", _count="1000") == before


async def test_an_update_by_criteria_has_four_cases(clinic):
    url = "Patient?identifier=urn:m|four"
    made = await clinic.ask(SYSTEM, "PUT", url, person("four"))
    name = made.body["id"]
    assert made.status == 201
    again = await clinic.ask(SYSTEM, "PUT", url, person("four", gender="male"))
    assert (again.status, again.body["id"], again.body["meta"]["versionId"]) == (200, name, "2")
    same = await clinic.ask(SYSTEM, "PUT", url, person("four", id=name), {"if-match": 'W/"2"'})
    assert (same.status, same.body["meta"]["versionId"]) == (200, "3")
    stale = await clinic.ask(SYSTEM, "PUT", url, person("four"), {"if-match": 'W/"1"'})
    assert stale.status == 412
    other = await clinic.ask(SYSTEM, "PUT", url, person("four", id="another"))
    assert (other.status, other.body["issue"][0]["expression"]) == (400, ["Patient.id"])
    named = await clinic.ask(SYSTEM, "PUT", "Patient?identifier=urn:m|five", person("5", id="five"))
    assert (named.status, named.body["id"]) == (201, "five")
    taken = await clinic.ask(SYSTEM, "PUT", "Patient?identifier=urn:m|six", person("6", id="ann"))
    assert taken.status == 412
    assert (await clinic.ask(SYSTEM, "GET", "Patient/ann")).body["meta"]["versionId"] == "1"


async def test_a_delete_by_criteria_deletes_the_one_and_is_content_with_none(clinic):
    made = await clinic.ask(SYSTEM, "POST", "Patient", person("gone"))
    url = "Patient?identifier=urn:m|gone"
    assert (await clinic.ask(SYSTEM, "DELETE", url, None, {"if-match": 'W/"7"'})).status == 412
    assert [(await clinic.ask(SYSTEM, "DELETE", url)).status for _ in range(2)] == [204, 204]
    assert (await clinic.ask(SYSTEM, "GET", f"Patient/{made.body['id']}")).status == 410


async def test_a_bundle_writes_by_criteria_and_links_to_what_it_means(clinic):
    patch = base64.b64encode(b'[{"op":"add","path":"/active","value":true}]').decode()
    await clinic.ask(SYSTEM, "POST", "Patient", person("seen"))
    binary = {"resourceType": "Binary", "contentType": PATCH["content-type"], "data": patch}

    def entries():
        return [
            {"fullUrl": "urn:uuid:0b4d3e9e-52c5-4a36-8f0c-0d4f5dfd0001",
             "resource": person("linked"),
             "request": {"method": "PUT", "url": "Patient?identifier=urn:m|linked"}},
            {"resource": {**observation("linked"), "subject": {
                "reference": "urn:uuid:0b4d3e9e-52c5-4a36-8f0c-0d4f5dfd0001"}},
             "request": {"method": "PUT", "url": "Observation?identifier=linked"}},
            {"request": {"method": "PATCH", "url": "Patient?identifier=urn:m|seen"},
             "resource": binary},
            {"request": {"method": "PATCH", "url": "Patient/bob"}, "resource": binary},
            {"request": {"method": "DELETE", "url": "Observation?identifier=nothing"}},
        ]  # fmt: skip

    first = await clinic.transaction(SYSTEM, *entries())
    assert [e["response"]["status"][:3] for e in first.body["entry"]] == [
        "201", "201", "200", "200", "204",
    ]  # fmt: skip
    second = await clinic.transaction(SYSTEM, *entries())
    assert [e["response"]["status"][:3] for e in second.body["entry"]] == [
        "200", "200", "200", "200", "204",
    ]  # fmt: skip
    (one,) = await found(clinic, "Patient", identifier="urn:m|linked")
    about = await clinic.search(SYSTEM, "Observation", [("identifier", "linked")])
    assert about.body["entry"][0]["resource"]["subject"]["reference"] == one
    assert (await clinic.ask(SYSTEM, "GET", "Patient/bob")).body["active"] is True
    none = {"request": {"method": "PATCH", "url": "Patient?identifier=nobody"}, "resource": binary}
    assert (await clinic.transaction(SYSTEM, none)).status == 404
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [*entries()[2:], none]}
    batch = await clinic.ask(SYSTEM, "POST", "", bundle)
    assert [e["response"]["status"][:3] for e in batch.body["entry"]] == [
        "200",
        "200",
        "204",
        "404",
    ]


@pytest.mark.parametrize(
    "resource",
    [
        {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": "!"},
        {"resourceType": "Binary", "contentType": "application/json-patch+json"},
        {"resourceType": "Binary", "contentType": "text/plain", "data": "W10="},
        {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": "e30="},
        {"resourceType": "Parameters"},
    ],
)
async def test_a_patch_in_a_bundle_that_is_none_names_its_entry(clinic, resource):
    entry = {"request": {"method": "PATCH", "url": "Patient/ann"}, "resource": resource}
    answer = await clinic.transaction(SYSTEM, entry)
    assert answer.status in (400, 415)
    assert answer.body["issue"][0]["expression"][0].startswith("Bundle.entry[0]")


# Who may ------------------------------------------------------------------------------------


async def test_criteria_find_only_what_the_caller_may_see(clinic):
    """What is in Bob's chart looks like what is not there, to whoever cares for Ann alone."""
    kept = await clinic.ask(SYSTEM, "POST", "Observation", observation("hidden", "bob"))
    header = {"if-none-exist": "identifier=hidden"}
    answer = await clinic.ask(DORA, "POST", "Observation", observation("hidden"), header)
    assert answer.status == 201
    assert answer.body["id"] != kept.body["id"]
    await clinic.ask(SYSTEM, "DELETE", f"Observation/{answer.body['id']}")
    url = "Observation?identifier=hidden"
    assert (await clinic.ask(DORA, "DELETE", url)).status == 204
    assert (await clinic.ask(DORA, "PATCH", url, b"[]", PATCH)).status == 404
    answer = await clinic.ask(DORA, "PUT", url, observation("hidden"))
    assert answer.status == 201
    assert await found(clinic, "Observation", identifier="hidden", patient="bob")
    now = await clinic.ask(SYSTEM, "GET", f"Observation/{kept.body['id']}")
    assert now.body["meta"]["versionId"] == "1"


async def test_criteria_need_the_right_to_search(clinic):
    blind = clinician("dora", "user/Observation.cud")
    body = observation("blind")
    for method, url, headers in (
        ("POST", "Observation", {"if-none-exist": "identifier=blind"}),
        ("PUT", "Observation?identifier=blind", {}), ("DELETE", "Observation?identifier=blind", {}),
    ):  # fmt: skip
        assert (await clinic.ask(blind, method, url, body, headers)).status == 403
    answer = await clinic.ask(blind, "PATCH", "Observation/x", b"[]", PATCH)
    assert answer.status == 403, "a test operation reads"
    writer = clinician("dora", "user/Observation.cs")
    made = [
        await clinic.ask(writer, "POST", "Observation", body, {"if-none-exist": "identifier=blind"})
        for _ in range(2)
    ]
    assert [a.status for a in made] == [201, 200]
    assert made[1].body is None, "who may not read is told where it is, and no more"


async def test_nobody_writes_by_criteria_who_could_not_write_at_all(clinic):
    for who in (patient("ann"), caller("billing", None, "user/*.cruds")):
        for method, url in (("PUT", "Observation?identifier=x"), ("PATCH", "Patient/ann"),
                            ("DELETE", "Observation?identifier=x"),
                            ("PATCH", "Patient?identifier=x")):  # fmt: skip
            body, headers = (b"[]", PATCH) if method == "PATCH" else (observation("x"), {})
            assert (await clinic.ask(who, method, url, body, headers)).status == 403


# Patches ------------------------------------------------------------------------------------


def patched(*operations):
    return json.dumps(list(operations)).encode()


async def test_a_patch_makes_the_next_version_under_if_match(clinic):
    (kept,) = await clinic.put({**observation("p"), "id": "p1", "note": [{"text": "1"}]})
    add = patched({"op": "test", "path": "/status", "value": "final"},
                  {"op": "replace", "path": "/status", "value": "amended"},
                  {"op": "add", "path": "/note/-", "value": {"text": "2"}})  # fmt: skip
    answer = await clinic.ask(DORA, "PATCH", "Observation/p1", add, {**PATCH, "if-match": 'W/"1"'})
    assert (answer.status, answer.headers["etag"]) == (200, 'W/"2"')
    del kept["meta"], answer.body["meta"]
    assert answer.body == {**kept, "status": "amended", "note": [{"text": "1"}, {"text": "2"}]}
    late = await clinic.ask(DORA, "PATCH", "Observation/p1", add, {**PATCH, "if-match": 'W/"1"'})
    assert late.status == 412
    failed = await clinic.ask(DORA, "PATCH", "Observation/p1", add, PATCH)
    assert failed.status == 422
    assert failed.body["issue"][0]["expression"] == ["patch[0]"]


async def test_racing_patches_all_count(clinic):
    await clinic.put({**observation("many"), "id": "many"})
    add = patched({"op": "add", "path": "/note", "value": [{"text": "x"}]})
    answers = await asyncio.gather(
        *(clinic.ask(SYSTEM, "PATCH", "Observation/many", add, PATCH) for _ in range(3))
    )
    assert [a.status for a in answers] == [200] * 3
    assert sorted(a.headers["etag"] for a in answers) == ['W/"2"', 'W/"3"', 'W/"4"']


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        ({"op": "replace", "path": "/id", "value": "x"}, 422),
        ({"op": "remove", "path": "/id"}, 422),
        ({"op": "move", "path": "/note", "from": "/id"}, 422),
        ({"op": "copy", "path": "/id", "from": "/status"}, 422),
        ({"op": "replace", "path": "/resourceType", "value": "Patient"}, 422),
        ({"op": "remove", "path": "/meta"}, 422),
        ({"op": "add", "path": "/meta/versionId", "value": "9"}, 422),
        ({"op": "move", "path": "/meta/tag", "from": "/meta"}, 422),
        ({"op": "replace", "path": "", "value": {}}, 422),
        ({"op": "remove", "path": "/status"}, 422),
        ({"op": "replace", "path": "/status", "value": "shoe"}, 422),
        ({"op": "add", "path": "/shoe", "value": 1}, 422),
        ({"op": "add", "path": "/note/1000000000", "value": {}}, 422),
        ({"op": "add", "path": "/note/-1", "value": {}}, 422),
        ({"op": "add", "path": "/__proto__/x", "value": {}}, 422),
        ({"op": "replace", "path": "/subject/reference", "value": "Patient/nobody"}, 403),
        ({"op": "replace", "path": "/subject/reference", "value": "Patient/bob"}, 403),
        ({"op": "add", "path": "note", "value": {}}, 400),
        ({"op": "shoe", "path": "/note"}, 400),
        ("x", 400),
    ],
)
async def test_what_a_patch_may_not_do(clinic, operation, status):
    await clinic.put({**observation("fixed"), "id": "fixed"})
    before = (await clinic.ask(SYSTEM, "GET", "Observation/fixed")).body
    body = patched(operation)
    answer = await clinic.ask(DORA, "PATCH", "Observation/fixed", body, PATCH)
    assert answer.status == status, answer.body
    assert answer.body["issue"][0]["expression"]
    assert (await clinic.ask(SYSTEM, "GET", "Observation/fixed")).body == before


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", PATCH["content-type"], 400), (b"", PATCH["content-type"], 400),
        (b"[", PATCH["content-type"], 400), (b"[]", "application/fhir+json", 415),
        (b"[]", "application/xml-patch+xml", 415),
        (b'[{"op":"test","path":"/id","path":"/x","value":1}]', PATCH["content-type"], 400),
        (b"[" * 50_000, PATCH["content-type"], 400),
        (patched(*[{"op": "test", "path": "/status", "value": "final"}] * 1001),
         PATCH["content-type"], 422),
    ],
)  # fmt: skip
async def test_what_is_no_patch_is_refused(clinic, body, kind, status):
    await clinic.put({**observation("fixed"), "id": "fixed"})
    headers = {"content-type": kind}
    answer = await clinic.ask(SYSTEM, "PATCH", "Observation/fixed", body, headers)
    assert answer.status == status, answer.body
    assert answer.body["resourceType"] == "OperationOutcome"


async def test_a_patch_of_what_is_not_there_or_not_yours_is_404(clinic):
    await clinic.put({**observation("bobs", "bob"), "id": "bobs"})
    test = patched({"op": "test", "path": "/status", "value": "final"})
    for name in ("bobs", "none"):
        answer = await clinic.ask(DORA, "PATCH", f"Observation/{name}", test, PATCH)
        assert answer.status == 404
    await clinic.put({**observation("dead"), "id": "dead"})
    await clinic.ask(SYSTEM, "DELETE", "Observation/dead")
    assert (await clinic.ask(DORA, "PATCH", "Observation/dead", test, PATCH)).status == 410


async def test_labels_are_taken_away_by_systems_only(clinic):
    hiv, own = {"system": ACT, "code": "HIV"}, {"system": "urn:own", "code": "kept"}
    labelled = {**observation("label"), "id": "label", "meta": {"security": [hiv, own]}}
    await clinic.put(labelled)
    for operation in (
        {"op": "remove", "path": "/meta/security"}, {"op": "remove", "path": "/meta/security/0"},
        {"op": "remove", "path": "/meta/security/1"},
        {"op": "replace", "path": "/meta/security/0/code", "value": "ETH"},
        {"op": "move", "path": "/meta/tag", "from": "/meta/security"},
    ):  # fmt: skip
        answer = await clinic.ask(DORA, "PATCH", "Observation/label", patched(operation), PATCH)
        assert answer.status == 403, operation
    bare = {**observation("label"), "id": "label"}
    assert (await clinic.ask(DORA, "PUT", "Observation/label", bare)).status == 403
    put = {"request": {"method": "PUT", "url": "Observation/label"}, "resource": bare}
    assert (await clinic.transaction(DORA, put)).status == 403
    more = patched(
        {"op": "add", "path": "/meta/security/-", "value": {"system": ACT, "code": "ETH"}}
    )
    assert (await clinic.ask(DORA, "PATCH", "Observation/label", more, PATCH)).status == 200
    less = patched({"op": "remove", "path": "/meta/security"})
    assert (await clinic.ask(SYSTEM, "PATCH", "Observation/label", less, PATCH)).status == 200


async def test_a_patch_is_logged_as_read_and_changed(clinic):
    await clinic.put({**observation("log"), "id": "log"})
    add = patched({"op": "add", "path": "/note", "value": [{"text": "x"}]})
    answer = await clinic.ask(DORA, "PATCH", "Observation/log", add, PATCH)
    assert {(a, p) for a, p, _, _ in await clinic.logged(answer)} == {
        ("r", clinic.person("ann")), ("u", clinic.person("ann")),
    }  # fmt: skip


async def test_a_transaction_that_lost_a_race_begins_again_with_what_was_sent(clinic, monkeypatch):
    """The ids of the first attempt once stayed in the references of the second."""
    store, tries = clinic.server.store, []
    whole = type(store).apply

    async def apply(self, tx, drafts, *, strict=True):
        kept = await whole(self, tx, drafts, strict=strict)
        tries.append(len(drafts))
        if len(tries) == 1:
            import asyncpg

            raise asyncpg.SerializationError
        return kept

    monkeypatch.setattr(type(store), "apply", apply)
    url = "urn:uuid:0b4d3e9e-52c5-4a36-8f0c-0d4f5dfd0002"
    answer = await clinic.transaction(
        SYSTEM,
        {"fullUrl": url, "resource": person("again"), "request": {"method": "POST",
                                                                  "url": "Patient"}},
        {"resource": {**observation("again"), "subject": {"reference": url}},
         "request": {"method": "POST", "url": "Observation"}},
    )  # fmt: skip
    assert (answer.status, tries) == (200, [2, 2]), answer.body

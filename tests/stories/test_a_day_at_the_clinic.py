"""What people do in a day, told in both topologies: the same clicks, the same answers."""

import asyncio
import json
import re
import uuid
from functools import cache

import asyncpg
import pytest
from story_clinic import PEOPLE, Clinic

MARIA = PEOPLE["maria"].person.partition("/")[2]


def test_a_patient_signs_in_reads_results_and_leaves(topology: Clinic):
    maria = topology.visitor()
    home = maria.sign_in("maria")
    assert home.status_code == 200
    assert str(home.url) == f"{topology.url}/home"
    assert "Maria Keller" in home.text
    results = maria.get("/results")
    assert results.status_code == 200
    (first, *_) = maria.links("/results/")
    assert maria.get(first).status_code == 200
    assert maria.get("/medicines").status_code == 200
    assert maria.get("/conditions").status_code == 200
    assert maria.get(f"/patients/{MARIA}").status_code == 403
    maria.get("/home")
    left = maria.send("/sign-out")
    assert str(left.url).endswith("/signed-out")
    # What the back button would ask for again is not answered any more.
    assert "Maria Keller" not in maria.get("/results").text


def test_no_page_of_a_signed_in_person_may_be_kept(topology: Clinic):
    maria = topology.signed_in("maria")
    for path in ("/home", "/results", "/medicines", "/conditions", "/nowhere"):
        assert maria.get(path).headers["cache-control"] == "no-store", path


def test_a_wrong_password_is_refused_and_says_no_more(topology: Clinic):
    visitor = topology.visitor()
    wrong = visitor.sign_in("maria", "not-her-password")
    nobody = topology.visitor().sign_in("maria", "not-hers-either")
    assert wrong.status_code == nobody.status_code == 401
    assert visitor.get("/home").url.path == "/identity/authorize"


def test_a_clinician_finds_anybody_but_opens_only_charts_in_their_care(topology: Clinic):
    ruiz = topology.signed_in("ruiz")
    ruiz.get("/patients")
    found = ruiz.send("/patients", q="Keller")
    assert found.status_code == 200
    assert "Keller" in found.text
    assert f"/patients/{MARIA}" in ruiz.links("/patients/")
    chart = ruiz.get(f"/patients/{MARIA}")
    assert chart.status_code == 200
    assert "KELLER" in chart.text.upper()
    foreign = _foreign_patient(topology)
    refused = ruiz.get(f"/patients/{foreign}")
    assert refused.status_code == 403
    assert "This chart is not open to you" in refused.text
    for part in ("results", "medicines", "problems", "visits"):
        assert ruiz.get(f"/patients/{MARIA}/{part}").status_code == 200, part
        assert ruiz.get(f"/patients/{foreign}/{part}").status_code == 403, part


def test_the_front_desk_sees_who_somebody_is_and_nothing_clinical(topology: Clinic):
    tom = topology.signed_in("tom")
    tom.get("/desk")
    assert f"/desk/{MARIA}" in tom.send("/desk", q="Keller").text
    card = tom.get(f"/desk/{MARIA}")
    assert card.status_code == 200
    assert "KELLER" in card.text.upper()
    for path in (f"/patients/{MARIA}", f"/patients/{MARIA}/results", "/results", "/admin"):
        assert tom.get(path).status_code == 403, path


def test_the_administrator_sees_how_every_service_is_and_no_chart(topology: Clinic):
    sam = topology.signed_in("sam")
    page = sam.get("/admin")
    assert page.status_code == 200
    for name in ("Identity", "Portal", "Records"):
        assert name in page.text
    assert "Ready" in page.text or "ready" in page.text
    assert sam.get(f"/patients/{MARIA}").status_code == 403


def test_two_people_who_use_the_door_in_turn_never_get_each_others_session(topology: Clinic):
    maria, ruiz = topology.signed_in("maria"), topology.signed_in("ruiz")
    stranger = topology.visitor()
    assert maria.get("/").url.path == "/home"
    assert "Ana Ruiz" in ruiz.get("/").text
    assert stranger.get("/").url.path == "/identity/authorize"
    assert 'name="password"' in stranger.page.text


def test_a_program_reads_searches_and_creates_through_the_front_door(topology: Clinic):
    api = topology.api(topology.token())
    patient = {"resourceType": "Patient", "name": [{"family": "Story", "given": ["Ada"]}]}
    made = api.post("/fhir/Patient", json=patient, headers=_FHIR)
    assert made.status_code == 201, made.text
    assert made.headers["location"].startswith(f"{topology.url}/fhir/Patient/")
    read = api.get(made.headers["location"])
    assert read.status_code == 200
    assert read.json()["name"] == patient["name"]
    found = api.post("/fhir/Patient/_search", data={"family": "Story", "_count": "1"}).json()
    assert found["entry"][0]["resource"]["name"] == patient["name"]
    for link in found["link"]:
        assert link["url"].startswith(f"{topology.url}/fhir"), link
    stale = api.put(
        f"/fhir/Patient/{made.json()['id']}",
        json={**patient, "id": made.json()["id"]},
        headers={**_FHIR, "if-match": 'W/"999"'},
    )
    assert stale.status_code == 412
    assert stale.json()["resourceType"] == "OperationOutcome"


def test_paging_links_lead_on_through_the_front_door(topology: Clinic):
    api = topology.api(topology.token("system/*.rs"))
    first = api.get("/fhir/Observation", params={"patient": MARIA, "_count": "5"}).json()
    following = next(link["url"] for link in first["link"] if link["relation"] == "next")
    assert following.startswith(f"{topology.url}/fhir")
    second = api.get(following).json()
    seen = [{entry["resource"]["id"] for entry in page["entry"]} for page in (first, second)]
    assert len(seen[0]) == len(seen[1]) == 5
    assert not seen[0] & seen[1]


def test_errors_of_records_arrive_word_for_word(topology: Clinic):
    api = topology.api(topology.token("system/*.cruds"))
    asked = [
        ("GET", "/fhir/Patient/nobody", 404),
        ("GET", "/fhir/Starship", 404),
        ("GET", "/fhir/Patient?starship=1", 400),
        ("DELETE", "/fhir/metadata", 405),
    ]
    for method, path, status in asked:
        answer = api.request(method, path)
        assert answer.status_code == status, (method, path, answer.text)
        assert answer.headers["content-type"].startswith("application/fhir+json")
        assert answer.json()["resourceType"] == "OperationOutcome"
        if "records" in topology.urls:
            direct = api.request(method, topology.urls["records"] + path)
            assert direct.content == answer.content
            assert direct.headers.get("allow") == answer.headers.get("allow")
    refused = topology.api("not.a.token").get("/fhir/Patient")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Bearer")


def test_lines_are_imported_through_the_front_door_once(topology: Clinic, tmp_path):
    family = f"Import{uuid.uuid4().hex[:8]}"
    lines = [
        {"resourceType": "Patient", "id": f"{family}-{n}", "name": [{"family": family}]}
        for n in range(20)
    ]
    file = tmp_path / "patients.ndjson"
    file.write_text("\n".join(map(json.dumps, lines)) + "\n")
    for _ in range(2):
        done = topology.command("import", str(file))
        assert done.returncode == 0, done.stderr + done.stdout
    api = topology.api(topology.token("system/*.rs"))
    found = api.get("/fhir/Patient", params={"family": family, "_total": "accurate"}).json()
    assert found["total"] == 20
    assert api.get(f"/fhir/Patient/{family}-7").json()["meta"]["versionId"] == "1"


def test_a_bundle_of_20_mb_goes_through_the_door_and_one_beyond_32_mb_does_not(topology: Clinic):
    api = topology.api(topology.token())
    text = "x" * 900_000
    entries = [
        {
            "request": {"method": "PUT", "url": f"Basic/large-{n}"},
            "resource": {
                "resourceType": "Basic",
                "id": f"large-{n}",
                "code": {"text": text},
            },
        }
        for n in range(22)
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    content = json.dumps(bundle).encode()
    assert len(content) > 19_000_000
    kept = api.post("/fhir", content=content, headers=_FHIR)
    assert kept.status_code == 200, kept.text[:500]
    assert len(api.get("/fhir/Basic/large-21").json()["code"]["text"]) == len(text)
    too_large = b" " * (33 << 20)
    # Said beforehand, and not said beforehand (chunked).
    for body in (too_large, _parts(too_large)):
        refused = api.post("/fhir", content=body, headers=_FHIR)
        assert refused.status_code == 413
        assert refused.json()["resourceType"] == "OperationOutcome"
    assert api.get("/fhir/Basic/large-3").status_code == 200


async def test_the_access_log_says_who_saw_what_under_the_number_of_the_request(
    per_service: Clinic, story_postgres
):
    """The number that the front door gave stands in the log of records, in another process."""

    def look() -> tuple[str, str]:
        ruiz, foreign = per_service.signed_in("ruiz"), _foreign_patient(per_service)
        numbers = str(uuid.uuid4()), str(uuid.uuid4())
        for number, patient in zip(numbers, (MARIA, foreign), strict=True):
            ruiz.http.headers["x-request-id"] = number
            assert ruiz.get(f"/patients/{patient}").headers["x-request-id"] == number
        return numbers

    number, denied = await asyncio.to_thread(look)
    connection = await asyncpg.connect(story_postgres[1])
    rows = await connection.fetch(
        "SELECT actor, client, patient, count FROM records.access_log WHERE request = $1",
        uuid.UUID(number),
    )
    actors = {row["actor"] for row in rows}
    assert len(actors) == 1
    assert {row["client"] for row in rows} == {"portal"}
    assert len({row["patient"] for row in rows if row["patient"] is not None}) == 1
    # The page says that the attempt was noted.
    attempts = await connection.fetchval(
        "SELECT count(*) FROM records.access_log WHERE request = $1 AND patient IS NOT NULL",
        uuid.UUID(denied),
    )
    assert attempts >= 1
    account = await connection.fetchval(
        "SELECT count(*) FROM identity.account WHERE id::text = $1", actors.pop()
    )
    await connection.close()
    assert account == 1


def test_one_number_goes_with_a_request_through_the_logs_of_every_process(per_service: Clinic):
    """Identity notes a sign-in under the number that the front door's answer carries."""
    visitor = per_service.visitor()
    visitor.get("/")
    visitor.http.headers["x-request-id"] = number = str(uuid.uuid4())
    visitor.http.follow_redirects = False
    answer = visitor.send("/identity/sign-in", user="maria", password=PEOPLE["maria"].password)
    assert answer.headers.get_list("x-request-id") == [number]
    noted = [s for s in per_service.programs["identity"].lines() if s.get("request") == number]
    assert "sign-in" in {line["event"] for line in noted}


def test_a_number_of_another_shape_than_ours_is_replaced_and_harms_nothing(topology: Clinic):
    api = topology.api(topology.token("system/*.rs"))
    for number in ("", "short", "with space 1", "x" * 5000, "<script>alert</script>"):
        answer = api.get(f"/fhir/Patient/{MARIA}", headers={"x-request-id": number})
        assert answer.status_code == 200
        assert answer.headers["x-request-id"] != number
        assert uuid.UUID(answer.headers["x-request-id"])


@cache
def _foreign_patient(topology: Clinic) -> str:
    """A patient of the demo clinic whose chart says so to Dr Ruiz."""
    api = topology.api(topology.token("system/*.rs"))
    bundle = api.get("/fhir/Patient", params={"_count": "200"}).json()
    families = {e["resource"]["name"][0]["family"] for e in bundle["entry"]}
    ruiz = topology.signed_in("ruiz")
    for family in sorted(families):
        ruiz.get("/patients")
        text = ruiz.send("/patients", q=family).text
        for row in re.findall(r"<tr>.*?</tr>", text, re.DOTALL):
            # People whom other stories brought in have no visits with anybody.
            if "Chart closed" in row and (found := re.search(r"/patients/([0-9a-f-]{36})\b", row)):
                return found[1]
    pytest.fail("no patient without a relation was found")


def _parts(content: bytes):
    for start in range(0, len(content), 1 << 20):
        yield content[start : start + (1 << 20)]


_FHIR = {"content-type": "application/fhir+json"}

"""AuditEvents under each caller's reach, who saw a record, and that looking is itself logged."""

import pytest

from polyclinic.standards.fhir.validation import validate

ROLES = (
    ("ada.okafor", "patient", "Patient/ada", "Ada Okafor"),
    ("ben.lee", "patient", "Patient/ben", "Ben Lee"),
    ("dr.chen", "clinician", "Practitioner/chen", "Dr. Mei Chen"),
    ("root.admin", "administrator", None, "Ruth Admin"),
)


@pytest.fixture(scope="module")
async def people(house):
    """Tokens of a patient, another patient, a clinician and an administrator."""
    found = {}
    for user, role, person, name in ROLES:
        found[role if role not in found else "other"] = await house.sign_in(
            user, role, person, name
        )
    for name in ("ada", "ben"):
        await house.put({"resourceType": "Patient", "id": name})
        await house.put(
            {"resourceType": "Observation", "id": f"o-{name}", "status": "final",
             "code": {"text": "x"}, "subject": {"reference": f"Patient/{name}"}}
        )  # fmt: skip
    relation = {
        "practitioner": "Practitioner/chen",
        "patient": "Patient/ada",
        "source": "CareTeam/c",
    }
    answer = await house.send("POST", "/records/relations", {"relations": [relation]})
    assert answer.is_success, answer.text
    for path in (
        "Patient/ada",
        "Observation/o-ada",
        "Observation/o-ben",
        "Observation?patient=ada",
    ):
        await house.send("GET", f"/fhir/{path}", token=found["clinician"])
    await house.send("GET", "/fhir/Patient/ada", token=found["patient"])
    await house.gathered()
    return found


async def events(house, search, token=""):
    answer = await house.send("GET", f"/fhir/AuditEvent?{search}", token=token)
    assert answer.status_code == 200, answer.text
    return [entry["resource"] for entry in answer.json().get("entry", ())]


def deeds(found):
    return {(e["subtype"][0]["code"], e["action"], e["outcome"]) for e in found}


async def test_a_patient_sees_what_was_done_to_their_own_record(house, people):
    found = await events(house, "patient=Patient/ada&_count=1000", people["patient"])
    assert {("read", "R", "0"), ("create", "C", "0"), ("search-type", "E", "0")} <= deeds(found)
    whose = {
        x["what"]["reference"]
        for e in found
        for x in e["entity"]
        if x.get("role", {}).get("code") == "1"
    }
    assert whose == {"Patient/ada"}
    assert await events(house, "_count=1000", people["patient"]), "without saying whose: their own"


async def test_a_patient_finds_nothing_of_another_and_the_try_is_logged(house, people):
    assert await events(house, "patient=Patient/ben", people["patient"]) == []
    person = house.running.state.server.store.terms.person("Patient/ben")
    rows = await house.sql("SELECT outcome FROM audit.access_log WHERE patient = $1", person)
    assert [row["outcome"] for row in rows] == [8]


async def test_a_denied_look_is_an_event_with_outcome_8(house, people):
    found = await events(house, "patient=Patient/ben&_count=1000", people["other"])
    assert ("read", "R", "8") in deeds(found)


async def test_staff_see_what_they_did_themselves(house, people):
    found = await events(house, "_count=1000", people["clinician"])
    assert found
    names = {e["agent"][0]["who"].get("display") for e in found}
    assert names == {"Dr. Mei Chen"}
    mine = found[0]["agent"][0]["who"]["identifier"]["value"]
    assert await events(house, f"agent={mine}", people["clinician"])
    assert await events(house, "agent=tester", people["clinician"]) == []


async def test_administrators_see_every_deed_and_no_chart(house, people):
    found = await events(house, "_count=1000", people["administrator"])
    assert {"urn:polyclinic:security-event", "http://hl7.org/fhir/restful-interaction"} <= {
        e["subtype"][0]["system"] for e in found
    }
    chart = await house.send("GET", "/fhir/Observation/o-ada", token=people["administrator"])
    assert chart.status_code == 403


async def test_every_event_is_valid_fhir_and_has_the_roles_of_balp(house, people):
    found = await events(house, "_count=1000")
    assert len(found) > 10
    for each in found:
        assert [issue for issue in validate(each) if issue.severity in ("error", "fatal")] == []
    read = next(e for e in found if e["action"] == "R")
    assert read["meta"]["profile"][0].startswith("https://profiles.ihe.net/ITI/BALP/")
    assert [a["type"]["coding"][0]["code"] for a in read["agent"]] == ["IRCP", "110152", "110153"]
    made = next(e for e in found if e["action"] == "C")
    assert [a["type"]["coding"][0]["code"] for a in made["agent"]] == ["IRCP", "110153", "110152"]


async def test_dates_agents_and_pages_narrow_a_search(house, people):
    every = await events(house, "_count=1000&agent=tester")
    assert {e["agent"][0]["who"]["identifier"]["value"] for e in every} == {"tester"}
    assert await events(house, "date=lt2020") == []
    assert len(await events(house, "date=ge2020&_count=1000&agent=tester")) >= len(every)
    seen, url = [], "/fhir/AuditEvent?agent=tester&_count=3&date=lt2999"
    while url and len(seen) < len(every):
        bundle = await house.get(url)
        seen += [e["resource"]["id"] for e in bundle.get("entry", ())]
        links = {each["relation"]: each["url"] for each in bundle["link"]}
        url = links.get("next", "").removeprefix("http://clinic.test")
    assert len(set(seen)) == len(seen)
    assert {e["id"] for e in every} <= set(seen)


@pytest.mark.parametrize(
    ("search", "place"),
    [("patient=Group/1", "patient"), ("agent=Practitioner/1", "agent"), ("date=xx1", "date"),
     ("date=apple", "date"), ("name=x", "name"), ("_count=0", "_count"), ("_page=9", "_page")],
)  # fmt: skip
async def test_a_search_that_cannot_be_read_names_the_parameter(house, search, place):
    answer = await house.send("GET", f"/fhir/AuditEvent?{search}")
    assert answer.status_code == 400, answer.text
    assert place in answer.text


async def test_reading_the_audit_log_is_in_the_audit_log(house, people):
    before = len(await house.sql("SELECT 1 FROM audit.access_log"))
    await events(house, "patient=Patient/ada", people["patient"])
    assert len(await house.sql("SELECT 1 FROM audit.access_log")) == before + 1
    await house.gathered()
    found = await events(house, "patient=Patient/ada&_count=1000", people["patient"])
    assert any(e["source"]["observer"]["display"] == "polyclinic audit" for e in found)


async def test_one_event_is_read_by_whom_it_concerns(house, people):
    [first, *_] = await events(house, "patient=Patient/ada", people["patient"])
    path = f"/fhir/AuditEvent/{first['id']}"
    assert (await house.get(path, people["patient"])) == first
    assert (await house.send("GET", path, token=people["other"])).status_code == 404
    assert (await house.send("GET", "/fhir/AuditEvent/none")).status_code == 404


async def test_nobody_writes_an_audit_event(house):
    answer = await house.send("POST", "/fhir/AuditEvent", {"resourceType": "AuditEvent"})
    assert answer.status_code == 405
    told = await house.get("/fhir/metadata")
    [own] = [r for r in told["rest"][0]["resource"] if r["type"] == "AuditEvent"]
    assert [i["code"] for i in own["interaction"]] == ["read", "search-type"]


async def test_who_saw_my_record_names_staff_and_leaves_me_out(house, people):
    told = await house.get("/audit/seen", people["patient"])
    who = {(look["role"], look["name"], look["did"]) for look in told["looks"]}
    assert ("clinician", "Dr. Mei Chen", "saw") in who
    assert not any(look["name"] == "Ada Okafor" for look in told["looks"])
    [chen] = [look for look in told["looks"] if look["name"] == "Dr. Mei Chen"]
    assert chen["kinds"]["Observation"] >= 2
    refused = await house.send("GET", "/audit/seen", token=people["clinician"])
    assert refused.status_code == 403


async def test_a_clinic_may_tell_roles_only(house, people):
    running = house.running
    kept, running.settings = running.settings, type(running.settings)(staff_names=False)
    try:
        told = await house.get("/audit/seen", people["patient"])
        found = await events(house, "patient=Patient/ada", people["patient"])
    finally:
        running.settings = kept
    assert {look["name"] for look in told["looks"]} == {None}
    assert "clinician" in {look["role"] for look in told["looks"]}
    assert all("display" not in e["agent"][0]["who"] for e in found)


async def test_only_audit_asks_who_is_behind_an_account(house):
    answer = await house.send("POST", "/identity/people", {"accounts": []})
    assert answer.status_code == 403

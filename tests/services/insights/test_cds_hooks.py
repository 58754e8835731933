"""An EHR gets cards for a moment in its own workflow; a stranger, or a hostile call, gets none."""

import json
import uuid
from datetime import timedelta

import pytest
from ehr import ISSUER, RISKS, Ehr, call, secret
from insights_house import open_house
from people import creatinine, lab, patient

from polyclinic.foundation import clock

LOINC = "http://loinc.org"
PATH = f"/cds-services/{RISKS}"


@pytest.fixture(scope="module")
def ehr():
    return Ehr()


@pytest.fixture(scope="module")
async def clinic(postgres_url, key_file, ehr, tmp_path_factory):
    file = ehr.listed(tmp_path_factory.mktemp("issuers"))
    environ = {
        "POLYCLINIC_INSIGHTS_CDS_ISSUERS": str(file),
        "POLYCLINIC_INSIGHTS_CDS_ORIGINS": "https://ehr.test",
        "POLYCLINIC_INSIGHTS_ALERTS_A_DAY": "3",
        "POLYCLINIC_INSIGHTS_WORKERS": "0",
    }
    public = "http://clinic.test"
    async with open_house(postgres_url, key_file, public_url=public, **environ) as house:
        yield house


async def post(clinic, token, body, path=PATH):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    return await clinic.client.post(path, content=content, headers=headers)


def sick(name, value=2.4, user="eve", **more):
    asked = call(patient(name), creatinine(name, value, name=f"{name}-creatinine"), **more)
    asked["context"]["userId"] = f"Practitioner/{user}"
    return asked


def has_no_empty_member(value):
    if isinstance(value, dict):
        return all(v not in (None, "", [], {}) and has_no_empty_member(v) for v in value.values())
    return all(map(has_no_empty_member, value)) if isinstance(value, list) else True


async def test_services_are_discovered_without_a_proof(clinic):
    answer = await clinic.client.get("/cds-services", headers={"origin": ISSUER})
    hooks = {each["id"]: each["hook"] for each in answer.json()["services"]}
    assert set(hooks.values()) == {"patient-view", "order-sign", "appointment-book"}
    assert has_no_empty_member(answer.json())
    assert answer.headers["access-control-allow-origin"] == ISSUER
    asked = await clinic.client.options(PATH, headers={"origin": ISSUER})
    assert asked.status_code == 204
    assert "POST" in asked.headers["access-control-allow-methods"]
    stranger = await clinic.client.get("/cds-services", headers={"origin": "https://evil.test"})
    assert "access-control-allow-origin" not in stranger.headers


async def test_a_card_has_one_number_a_reason_and_a_draft_to_sign(clinic, ehr):
    answer = await post(clinic, ehr.proof(PATH), sick("uma", user="first"))
    assert answer.status_code == 200, answer.text
    [card] = answer.json()["cards"]
    assert len(card["summary"]) < 140
    assert "mL/min" in card["summary"]
    assert card["indicator"] == "warning"
    assert card["source"]["url"].startswith("https://doi.org/")
    [suggestion] = card["suggestions"]
    [action] = suggestion["actions"]
    assert action["type"] == "create"
    assert action["resource"]["status"] == "draft"
    assert action["resource"]["subject"] == {"reference": "Patient/uma"}
    assert card["selectionBehavior"] == "at-most-one"
    assert {each["code"] for each in card["overrideReasons"]} >= {"not-appropriate"}
    assert has_no_empty_member(answer.json())
    rows = await clinic.sql("SELECT * FROM insights.exposure WHERE place = 'card'")
    assert "uma" not in str([dict(row) for row in rows])
    assert "first" not in str([dict(row) for row in rows])


async def test_the_same_card_is_not_shown_to_the_same_person_again(clinic, ehr):
    first = await post(clinic, ehr.proof(PATH), sick("una", user="again"))
    assert len(first.json()["cards"]) == 1
    again = await post(clinic, ehr.proof(PATH), sick("una", user="again"))
    assert again.json() == {"cards": []}
    other = await post(clinic, ehr.proof(PATH), sick("una", user="other"))
    assert len(other.json()["cards"]) == 1
    worse = await post(clinic, ehr.proof(PATH), sick("una", 9.0, user="again"))
    assert len(worse.json()["cards"]) == 1, "another band is news"


def dying(who, hour, user, heart_rate=135):
    """Vital signs of an hour of today that make NEWS2 high, each an Observation of its own."""
    at = (clock.now() - timedelta(hours=hour)).isoformat(timespec="seconds")
    signs = (
        ("9279-1", 28, "/min"), ("59408-5", 90, "%"), ("3151-8", 4, "L/min"),
        ("8480-6", 88, "mm[Hg]"), ("8867-4", heart_rate, "/min"), ("8310-5", 39.4, "Cel"),
    )  # fmt: skip
    vitals = [
        lab(who, code, value, unit, name=f"{who}-{code}-{hour}", effectiveDateTime=at)
        for code, value, unit in signs
    ]
    awake = lab(who, "67775-7", None, "", name=f"{who}-awake-{hour}", effectiveDateTime=at)
    awake["valueCodeableConcept"] = {"coding": [{"system": LOINC, "code": "LA9340-6"}]}
    body = call(patient(who), *vitals, awake)
    body["context"]["userId"] = f"Practitioner/{user}"
    return body


async def test_what_is_critical_is_shown_again_once_it_rests_on_something_else(clinic, ehr):
    async def shown(*of, **more):
        answer = await post(clinic, ehr.proof(PATH), dying(*of, **more))
        found = [each["indicator"] for each in answer.json()["cards"]]
        return [each for each in found if each == "critical"]

    assert await shown("ida", 5, "night") == ["critical"]
    assert await shown("ida", 5, "night") == [], "the very same"
    assert await shown("ida", 1, "night") == ["critical"], "measured again, and no better"
    assert await shown("ida", 1, "night", heart_rate=140) == ["critical"], "the value was mended"


async def test_a_clinician_is_shown_so_many_cards_a_day(clinic, ehr):
    counts = []
    for number in range(5):
        body = sick(f"uri{number}", user="busy")
        counts.append(len((await post(clinic, ehr.proof(PATH), body)).json()["cards"]))
    assert counts == [1, 1, 1, 0, 0]
    held = await clinic.sql("SELECT count(*) AS n FROM insights.exposure WHERE held = 'budget'")
    assert held[0]["n"] >= 2


async def test_nothing_to_say_is_a_good_answer(clinic, ehr):
    answer = await post(clinic, ehr.proof(PATH), sick("well", 0.8))
    assert (answer.status_code, answer.json()) == (200, {"cards": []})


async def test_orders_that_no_score_bears_on_get_no_card(clinic, ehr):
    path = "/cds-services/polyclinic-orders"

    async def cards_for(drug, user):
        order = {"resourceType": "MedicationRequest", "status": "draft", "intent": "order",
                 "medicationCodeableConcept": {"text": drug},
                 "subject": {"reference": "Patient/ode"}}  # fmt: skip
        body = sick("ode", hook="order-sign", user=user)
        body["context"]["draftOrders"] = {"resourceType": "Bundle", "entry": [{"resource": order}]}
        answer = await post(clinic, ehr.proof(path), body, path)
        assert answer.status_code == 200, answer.text
        return answer.json()["cards"]

    assert len(await cards_for("Ibuprofen 400 mg", "one")) == 1
    assert await cards_for("Amoxicillin 500 mg", "two") == []


async def test_an_appointment_is_answered_and_never_with_double_booking(clinic, ehr):
    path = "/cds-services/polyclinic-visits"
    body = sick("viv", hook="appointment-book", user="desk")
    body["context"]["appointments"] = {"resourceType": "Bundle", "entry": []}
    answer = await post(clinic, ehr.proof(path), body, path)
    assert answer.status_code == 200, answer.text
    assert "book" not in answer.text.lower()


@pytest.mark.parametrize("given", ["left out", "outcome"])
async def test_what_was_not_sent_and_cannot_be_read_is_412(clinic, ehr, given):
    body = sick("gap")
    if given == "outcome":
        body["prefetch"]["observations"] = {"resourceType": "OperationOutcome", "issue": []}
    else:
        del body["prefetch"]["observations"]
    answer = await post(clinic, ehr.proof(PATH), body)
    assert answer.status_code == 412, answer.text
    assert answer.json()["place"] == "prefetch.observations"


async def test_what_is_missing_is_read_from_this_platform_only(clinic, ehr, monkeypatch):
    await clinic.put(patient("rio"))
    await clinic.put(creatinine("rio", 2.6, name="rio-creatinine"))
    token = await clinic.clinician("eve", "rio")
    ours = {"fhirServer": "http://clinic.test/fhir",
            "fhirAuthorization": {"access_token": token, "token_type": "Bearer"}}  # fmt: skip
    body = sick("rio", user="reader", **ours)
    body["prefetch"] = {"patient": patient("rio")}
    answer = await post(clinic, ehr.proof(PATH), body)
    assert len(answer.json()["cards"]) == 1, answer.text
    asked = []
    monkeypatch.setattr(clinic.running.peers, "send", lambda *a, **k: asked.append(a))
    for server in (
        "http://169.254.169.254/latest",
        "http://clinic.test.evil.test/fhir",
        "http://clinic.test@evil.test/fhir",
        "https://clinic.test/fhir",
        "file:///etc/passwd",
    ):
        refused = await post(clinic, ehr.proof(PATH), {**body, "fhirServer": server})
        assert refused.status_code == 412, server
    assert asked == []


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"hook": "order-sign"}, "hook"),
        ({"hookInstance": "1"}, "hookInstance"),
        ({"context": {}}, "context.patientId"),
        ({"context": {"patientId": "../x", "userId": "Practitioner/1"}}, "context.patientId"),
        ({"context": {"patientId": "bad", "userId": "<script>"}}, "context.userId"),
        ({"prefetch": {"patient": "text"}}, "prefetch.patient"),
        ({"prefetch": {"patient": {"resourceType": "Patient", "id": "x"}}}, "prefetch.patient"),
        ({"prefetch": []}, "prefetch"),
        ({"context": 7}, "context"),
    ],
)
async def test_a_call_that_says_something_wrong_is_told_where(clinic, ehr, change, place):
    answer = await post(clinic, ehr.proof(PATH), sick("bad") | change)
    assert answer.status_code == 400, answer.text
    assert answer.json()["place"] == place


async def test_somebody_elses_result_in_a_chart_is_refused(clinic, ehr):
    body = sick("mix")
    other = creatinine("other", 2.0)
    body["prefetch"]["observations"]["entry"].append({"resource": other})
    answer = await post(clinic, ehr.proof(PATH), body)
    assert answer.status_code == 400
    assert "other" not in answer.json()["error_description"].replace("another", "")


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b'{"hook": 1}', b"[" * 100_000, b"\xff\xfe", b"null"]
)
async def test_what_is_no_call_is_refused(clinic, ehr, content):
    assert (await post(clinic, ehr.proof(PATH), content)).status_code == 400


async def test_a_prefetch_of_50_mb_is_refused_before_it_is_read(clinic, ehr):
    body = sick("big")
    body["prefetch"]["padding"] = "x" * (50 * 1024 * 1024)
    answer = await post(clinic, ehr.proof(PATH), body)
    assert answer.status_code == 413
    many = sick("many")
    entry = many["prefetch"]["observations"]["entry"]
    many["prefetch"]["observations"]["entry"] = entry * 5001
    assert (await post(clinic, ehr.proof(PATH), many)).status_code == 400


async def test_a_proof_counts_once_for_exactly_this_address_and_not_for_long(clinic, ehr):
    good = ehr.proof(PATH)
    assert (await post(clinic, good, sick("well", 0.8))).status_code == 200
    assert (await post(clinic, good, sick("well", 0.8))).status_code == 401, "it came before"
    rsa = ehr.proof(PATH, header={"alg": "RS384", "kid": "r1"}, key=ehr.rsa)
    assert (await post(clinic, rsa, sick("well", 0.8))).status_code == 200
    now = 1_700_000_000
    for wrong in (
        {"aud": "http://clinic.test/cds-services"},
        {"aud": f"http://clinic.test{PATH}/"},
        {"aud": None},
        {"iss": "https://other.test"},
        {"exp": now + 60, "iat": now},
        {"exp": None},
        {"iat": None},
        {"jti": None},
        {"jti": ""},
        {"exp": 32_503_680_000},
        {"iat": 32_503_680_000, "exp": 32_503_680_060},
    ):
        refused = await post(clinic, ehr.proof(PATH, **wrong), sick("well", 0.8))
        assert refused.status_code == 401, wrong


async def test_a_forged_proof_is_refused(clinic, ehr):
    stranger = Ehr()
    forged = [
        stranger.proof(PATH),
        ehr.proof(PATH, header={"kid": "k2"}),
        ehr.proof(PATH, header={"alg": "HS384"}, key=secret()),
        ehr.proof(PATH, header={"jku": "https://evil.test/jwks"}),
        ehr.proof(PATH, header={"typ": "at+jwt"}),
        ehr.proof(PATH, header={"x5u": "https://evil.test"}),
        ehr.proof(PATH)[:-4] + "AAAA",
        "a.b.c",
        "",
    ]
    none = ehr.proof(PATH).split(".")
    forged.append(f"eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{none[1]}.")
    for token in forged:
        assert (await post(clinic, token, sick("well", 0.8))).status_code == 401, token[:40]


async def test_our_own_clinicians_may_call_and_others_not(clinic):
    doctor = await clinic.clinician("doc")
    answer = await post(clinic, doctor, sick("own"))
    assert len(answer.json()["cards"]) == 1, answer.text
    her = await clinic.person("patient", "Patient/own", "patient/*.rs")
    assert (await post(clinic, her, sick("own"))).status_code == 403


async def test_feedback_is_kept_once_and_only_of_cards_that_were_shown(clinic, ehr):
    path = f"{PATH}/feedback"
    [card] = (await post(clinic, ehr.proof(PATH), sick("fee", user="fb"))).json()["cards"]
    said = {
        "card": card["uuid"],
        "outcome": "overridden",
        "overrideReason": {
            "reason": {"code": "disagree", "system": "urn:x"},
            "userComment": "Mrs Fee will not come",
        },
        "outcomeTimestamp": "2026-11-28T10:00:00Z",
    }
    unknown = {**said, "card": str(uuid.uuid4())}
    answer = await post(clinic, ehr.proof(path), {"feedback": [said, unknown]}, path)
    assert (answer.status_code, answer.json()) == (200, {"kept": 1})
    again = await post(clinic, ehr.proof(path), {"feedback": [said]}, path)
    assert again.json() == {"kept": 0}
    rows = await clinic.sql("SELECT * FROM insights.feedback")
    assert [row["reason"] for row in rows] == ["disagree"]
    assert "will not come" not in str([dict(row) for row in rows])
    wrong = await post(clinic, ehr.proof(path), {"feedback": [{**said, "outcome": "maybe"}]}, path)
    assert wrong.status_code == 400


async def test_a_service_that_is_not_offered_is_404(clinic, ehr):
    path = "/cds-services/none"
    assert (await post(clinic, ehr.proof(path), sick("well"), path)).status_code == 404

"""The panel says each score with its reasons and sources; its patient reads what was released."""

import pytest
from insights_house import until
from people import creatinine, patient

EGFR = "ckd-epi-2021"


@pytest.fixture(scope="module")
async def ida(house):
    await house.put(patient("ida"))
    await house.put(creatinine("ida", 2.4, name="ida-creatinine"))
    await house.rested()
    return await house.clinician("ruiz", "ida")


async def panel(house, token, who="ida"):
    answer = await house.send("POST", "/insights/chart", {"patient": who}, token)
    assert answer.status_code == 200, answer.text
    return answer.json()


def score(found, method=EGFR):
    return next(each for each in found["scores"] if each["method"] == method)


async def test_a_score_has_a_number_a_reason_a_source_and_one_thing_to_do(house, ida):
    found = await panel(house, ida)
    egfr = score(found)
    assert egfr["status"] == "scored"
    assert egfr["number"]["unit"] == "mL/min/{1.73_m2}"
    assert set(egfr["basis"]) == {"Patient/ida", "Observation/ida-creatinine"}
    assert len(egfr["up"]) <= 3
    assert len(egfr["down"]) <= 3
    assert egfr["action"]["draft"]["type"] == "ServiceRequest"
    assert found["proposed"]["text"] == egfr["action"]["text"]
    assert egfr["citation"]


async def test_what_is_missing_is_named_with_its_codes(house, ida):
    await house.put(patient("ivo"))
    token = await house.clinician("ruiz", "ivo")
    egfr = score(await panel(house, token, "ivo"))
    assert egfr["status"] == "missing"
    assert "loinc 2160-0" in egfr["missing"][0]["codes"]
    assert egfr["would_change_most"]["input"] == "creatinine"
    assert "number" not in egfr


async def test_an_impossible_value_is_named_and_makes_no_score(house, ida):
    await house.put(patient("ike"))
    await house.put(creatinine("ike", 250.0, name="ike-creatinine"))
    token = await house.clinician("ruiz", "ike")
    egfr = score(await panel(house, token, "ike"))
    assert egfr["status"] == "out-of-range"
    assert egfr["impossible"]
    assert egfr["basis"] == ["Observation/ike-creatinine"]


async def test_who_does_not_care_for_somebody_learns_nothing(house, ida):
    stranger = await house.clinician("stranger")
    found = await panel(house, stranger)
    assert found["empty"]
    assert "ida-creatinine" not in str(found)
    assert score(found)["assessment"] is None
    for role, who in (("patient", "Patient/ida"), ("billing", "Practitioner/gil")):
        token = await house.person(role, who, "user/*.cruds patient/*.rs")
        refused = await house.send("POST", "/insights/chart", {"patient": "ida"}, token)
        assert refused.status_code == 403
    nobody = await house.send("POST", "/insights/chart", {"patient": "no-such"}, ida)
    assert nobody.status_code == 404


@pytest.mark.parametrize("who", ["", "Observation/1", "Patient/../x", "a b", "x" * 80, "a?b=c"])
async def test_a_name_that_is_no_patients_is_refused(house, ida, who):
    refused = await house.send("POST", "/insights/chart", {"patient": who}, ida)
    assert refused.status_code == 400
    assert refused.json()["place"] == "patient"


async def test_the_panel_keeps_nothing_but_the_exposure(house, ida):
    before = await house.found("RiskAssessment?patient=ida")
    await panel(house, ida)
    after = await house.found("RiskAssessment?patient=ida")
    assert [each["meta"] for each in before] == [each["meta"] for each in after]
    rows = await house.sql("SELECT * FROM insights.exposure WHERE place = 'chart'")
    assert rows
    assert "ida" not in str([dict(row) for row in rows])


async def test_a_patient_reads_a_score_only_once_it_was_released(house, ida):
    her = await house.person("patient", "Patient/ida", "patient/*.rs")
    assessment = score(await panel(house, ida))["assessment"]
    assert assessment

    async def mine():
        return (await house.get("/insights/mine", her))["scores"]

    async def as_fhir():
        return (
            await house.send("GET", f"/fhir/RiskAssessment/{assessment}", token=her)
        ).status_code

    assert await mine() == []
    assert await as_fhir() == 404
    found = await house.get("/fhir/RiskAssessment", her)
    assert found.get("entry", []) == []
    foreign = await house.clinician("stranger")
    body = {"assessment": assessment}
    refused = await house.send("POST", "/insights/release", body, foreign)
    assert refused.status_code == 404
    released = await house.send("POST", "/insights/release", body, ida)
    assert released.status_code == 200, released.text
    [told] = await mine()
    assert told["released_by"] == "Practitioner/ruiz"
    assert told["says"][0].startswith("Your estimated GFR: ")
    assert "{" not in told["says"][0]
    assert "diagnosis" in told["caution"]
    assert await as_fhir() == 200
    assert score(await panel(house, ida))["released"]
    other = await house.person("patient", "Patient/ivo", "patient/*.rs")
    assert (await house.get("/insights/mine", other))["scores"] == []
    # The same chart scored again leaves it released; a new result does not.
    await house.put(patient("ida", telecom=[{"system": "phone", "value": "1"}]))
    await house.rested()
    assert len(await mine()) == 1
    await house.put(creatinine("ida", 3.1, name="ida-creatinine"))

    async def hidden():
        return await mine() == []

    assert await until(hidden)
    assert await as_fhir() == 404


async def test_what_was_released_can_be_withdrawn(house, ida):
    await house.put(patient("ina"))
    await house.put(creatinine("ina", 2.0, name="ina-creatinine"))
    await house.rested()
    token = await house.clinician("ruiz", "ina")
    her = await house.person("patient", "Patient/ina", "patient/*.rs")
    body = {"assessment": score(await panel(house, token, "ina"))["assessment"]}
    assert (await house.send("POST", "/insights/release", body, token)).status_code == 200
    assert (await house.get("/insights/mine", her))["scores"]
    body["withdraw"] = True
    assert (await house.send("POST", "/insights/release", body, token)).status_code == 200
    assert (await house.get("/insights/mine", her))["scores"] == []


async def test_calculators_are_open_to_whoever_states_values(house):
    listed = (await house.client.get("/insights/calculators")).json()["calculators"]
    egfr = next(each for each in listed if each["id"] == EGFR)
    assert egfr["doi"]
    assert {each["name"] for each in egfr["inputs"]} == {"age", "sex", "creatinine"}
    path = f"/insights/calculators/{EGFR}"
    stated = {
        "age": {"value": 60, "unit": "a"},
        "sex": "female",
        "creatinine": {"value": 0.9, "unit": "mg/dL"},
    }
    found = await house.send("POST", path, {"inputs": stated})
    assert found.json()["status"] == "scored", found.text
    in_umol = {**stated, "creatinine": {"value": 79.56, "unit": "umol/L"}}
    same = await house.send("POST", path, {"inputs": in_umol})
    assert same.json()["number"]["number"] == found.json()["number"]["number"]
    for wrong, place in (
        ({**stated, "creatinine": {"value": 0.9, "unit": "kg"}}, "creatinine"),
        ({**stated, "creatinine": 0.9}, "inputs[...]"),
        ({**stated, "weight": {"value": 70, "unit": "kg"}}, "weight"),
    ):
        refused = await house.send("POST", path, {"inputs": wrong})
        assert refused.status_code == 400, refused.text
        assert place in refused.json()["place"]
    assert (await house.client.post(path, json={"inputs": stated})).status_code == 401
    assert (await house.client.get("/insights/calculators/none")).status_code == 404

"""A result becomes a RiskAssessment in records once, with its exact source, and follows it."""

import pytest
from insights_house import until
from people import creatinine, patient

EGFR = "ckd-epi-2021"


async def egfr_of(house, who):
    found = await house.found(f"RiskAssessment?patient={who}")
    return {each["identifier"][0]["value"]: each for each in found}.get(EGFR)


async def scored(house, who, result, born="1966-03-01"):
    await house.put(patient(who, born))
    await house.put(result)
    return await until(lambda: egfr_of(house, who))


async def test_a_result_becomes_an_assessment_with_its_exact_source(house):
    result = creatinine("ada", 2.4, name="ada-creatinine")
    made = await scored(house, "ada", result)
    assert made["status"] == "final"
    sources = {each["reference"] for each in made["basis"]}
    assert sources == {"Patient/ada", "Observation/ada-creatinine"}, "age and sex are the Patient's"
    assert made["subject"] == {"reference": "Patient/ada"}
    assert made["mitigation"]
    [prediction] = made["prediction"]
    assert prediction["qualitativeRisk"]["coding"][0]["code"] == "G4"
    assert "probabilityDecimal" not in prediction, "an eGFR is no probability"
    [value] = prediction["extension"]
    assert value["valueQuantity"]["code"] == "mL/min/{1.73_m2}"
    device = await house.get(f"/fhir/{made['performer']['reference']}")
    assert device["version"] == [{"value": "1.0"}]
    assert made["meta"]["security"][0]["code"] == "NOPAT"
    await house.rested()  # the worklist hears of it a moment after the chart
    [row] = await house.sql(
        "SELECT * FROM insights.assessment WHERE id = $1::text::uuid", made["id"]
    )
    assert (row["band"], row["method"], row["ended"]) == ("G4", EGFR, None)
    assert b"ada" not in row["subject"]


async def test_the_same_again_writes_nothing_and_another_value_updates(house):
    result = creatinine("bea", 1.9, name="bea-creatinine")
    first = await scored(house, "bea", result)
    await house.put(patient("bea", telecom=[{"system": "phone", "value": "555"}]))
    await house.rested()
    same = await egfr_of(house, "bea")
    assert same["meta"]["versionId"] == first["meta"]["versionId"]
    await house.put({**result, "status": "corrected", "valueQuantity": {
        **result["valueQuantity"], "value": 0.8}})  # fmt: skip

    async def changed():
        found = await egfr_of(house, "bea")
        return found if found["meta"]["versionId"] != first["meta"]["versionId"] else None

    new = await until(changed)
    assert new["id"] == first["id"]
    assert new["prediction"][0]["qualitativeRisk"]["coding"][0]["code"] in ("G1", "G2")


@pytest.mark.parametrize("how", ["deleted", "entered-in-error"])
async def test_an_input_that_was_never_true_takes_its_score_along(house, how):
    who = f"cal-{how}"
    result = creatinine(who, 2.0, name=f"{who}-creatinine")
    await scored(house, who, result)
    if how == "deleted":
        answer = await house.send("DELETE", f"/fhir/Observation/{result['id']}")
        assert answer.is_success, answer.text
    else:
        await house.put({**result, "status": "entered-in-error"})

    async def over():
        found = await egfr_of(house, who)
        return found if found["status"] == "entered-in-error" else None

    ended = await until(over)
    await house.rested()  # the worklist hears of it a moment after the chart
    [row] = await house.sql(
        "SELECT ended FROM insights.assessment WHERE id = $1::text::uuid", ended["id"]
    )
    assert row["ended"] is not None


async def test_a_result_that_turns_out_to_be_somebody_elses_changes_both(house):
    result = creatinine("dee", 2.2, name="dee-creatinine")
    await scored(house, "dee", result)
    await house.put(patient("eve"))
    await house.put({**result, "subject": {"reference": "Patient/eve"}})
    hers = await until(lambda: egfr_of(house, "eve"))
    assert hers["status"] == "final"
    await house.rested()
    assert (await egfr_of(house, "dee"))["status"] in ("cancelled", "entered-in-error")


@pytest.mark.parametrize(("value", "unit"), [(250.0, "mg/dL"), (1.1, "mmol/kg"), (1.1, "furlong")])
async def test_an_impossible_value_or_a_wrong_unit_makes_no_score(house, value, unit):
    who = f"fay-{value:g}-{unit.replace('/', '-')}"
    await house.put(patient(who))
    await house.put(creatinine(who, value, unit))
    await house.rested()
    assert await egfr_of(house, who) is None


async def test_who_was_given_up_for_another_record_is_no_longer_scored(house):
    await scored(house, "gil", creatinine("gil", 2.6))
    await house.put(patient("gil", active=False))

    async def over():
        found = await egfr_of(house, "gil")
        return found if found["status"] == "cancelled" else None

    assert await until(over)


async def test_logs_and_metrics_name_no_patient(house, capfd):
    await scored(house, "hidden-name", creatinine("hidden-name", 2.1))
    await house.rested()
    metrics = (await house.client.get("/insights/metrics")).text
    assert "polyclinic_insights_answers_total" in metrics
    assert "hidden-name" not in metrics
    assert "hidden-name" not in "".join(capfd.readouterr())

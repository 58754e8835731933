"""Whoever objects is not learned from or scored; the erased are forgotten, the merged joined."""

from datetime import UTC, datetime, timedelta

import pytest
from insights_house import until
from people import creatinine, lab, patient

from polyclinic.services.insights.actions import remembering
from polyclinic.services.insights.domain.consents import ACT_REASON, PURPOSE, objections

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def consent(who, *purposes, status="active", **provision):
    made = {"type": "deny", **provision}
    if purposes:
        made["purpose"] = [{"system": system, "code": code} for system, code in purposes]
    return {
        "resourceType": "Consent", "id": f"{who}-consent", "status": status,
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope",
                              "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": f"Patient/{who}"},
        "policyRule": {"coding": [{"system": ACT_REASON, "code": "OPTOUT"}]},
        "provision": made,
    }  # fmt: skip


LEARNING, SCORING = (PURPOSE, "learning"), (PURPOSE, "scoring")


@pytest.mark.parametrize(
    ("said", "denied"),
    [
        (consent("a"), {"learning", "scoring"}),
        (consent("a", LEARNING), {"learning"}),
        (consent("a", (ACT_REASON, "HRESCH")), {"learning"}),
        (consent("a", SCORING, LEARNING), {"learning", "scoring"}),
        (consent("a", (ACT_REASON, "HMARKT")), set()),
        (consent("a", SCORING, type="permit"), set()),
        (consent("a", SCORING, status="inactive"), set()),
        (consent("a", SCORING, period={"end": "2026-11-01"}), set()),
        (consent("a", SCORING, period={"start": "2026-12-24"}), set()),
        (consent("a", SCORING, period={"start": "2026-11-01"}), {"scoring"}),
        (consent("a", actor=[{"role": {"text": "x"}}]), set()),
        (
            consent("a", type="permit", provision=[{"type": "deny", "purpose": [
                {"system": PURPOSE, "code": "scoring"}]}]),
            {"scoring"},
        ),
    ],
)  # fmt: skip
def test_a_consent_denies_what_its_purpose_says_while_it_holds(said, denied):
    assert objections([said], NOW) == denied


async def events_of(house, who):
    """What is remembered of somebody, by the name that only the key knows."""
    engine = house.running.state
    name = remembering.pseudonyms(engine, 1).subject(f"Patient/{who}")
    rows = await house.sql("SELECT code, time FROM insights.event WHERE subject = $1", name)
    return {row["code"]: row["time"] for row in rows}


async def is_scored(house, who):
    found = await house.found(f"RiskAssessment?patient={who}")
    return any(each["status"] == "final" for each in found)


async def test_an_objection_ends_scores_and_panel_and_its_end_brings_them_back(house):
    await house.put(patient("olga"))
    await house.put(creatinine("olga", 2.4))
    await until(lambda: is_scored(house, "olga"))
    token = await house.clinician("cleo", "olga")
    await house.put(consent("olga", SCORING))

    async def panel():
        answer = await house.send("POST", "/insights/chart", {"patient": "olga"}, token)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def is_silent():
        return (await panel()).get("objected")

    assert await until(is_silent)
    assert (await panel())["scores"] == []
    await house.rested()
    assert not await is_scored(house, "olga")
    assert (await house.get("/insights/worklist", token=token))["people"] == []
    assert await events_of(house, "olga"), "only scoring was denied"
    await house.put(creatinine("olga", 3.1))
    await house.rested()
    assert not await is_scored(house, "olga"), "what is new is not scored either"
    await house.put(consent("olga", SCORING, status="inactive"))
    await until(lambda: is_scored(house, "olga"))
    assert (await panel())["scores"]


async def test_who_objects_to_learning_is_scored_but_nothing_of_them_is_remembered(house):
    await house.put(patient("lena"))
    await house.put(creatinine("lena", 2.4))
    await until(lambda: events_of(house, "lena"))
    await house.put(consent("lena", LEARNING))

    async def is_forgotten():
        return not await events_of(house, "lena")

    await until(is_forgotten)
    await house.put(creatinine("lena", 4.0))
    await house.rested()
    assert await events_of(house, "lena") == {}
    assert await is_scored(house, "lena")


async def test_of_whom_records_keeps_nothing_any_more_nothing_is_kept_here(house):
    await house.put(patient("gone"))
    blood = await house.put(lab("gone", "718-7", 12.0, "g/dL"))
    await until(lambda: events_of(house, "gone"))
    engine = house.running.state
    foretold = remembering.score_subject(engine, "Patient/gone")
    await house.sql(
        "INSERT INTO insights.score (model, version, occasion, subject, task, at, matures, shown,"
        " groups) VALUES ('m', '1', 'o', $1, 'no-show', now(), now(), false, '{}')",
        foretold,
    )
    for name in (f"Observation/{blood['id']}", "Patient/gone"):
        await house.rested()
        answer = await house.send("DELETE", f"/fhir/{name}")
        assert answer.is_success, answer.text

    async def is_forgotten():
        return not await events_of(house, "gone")

    await until(is_forgotten)
    await house.rested()
    assert await house.sql("SELECT FROM insights.score WHERE subject = $1", foretold) == []


async def test_two_records_of_one_person_are_one_subject_with_one_move_of_dates(house):
    for who, code in (("anna", "718-7"), ("anne", "2951-2")):
        await house.put(patient(who))
        await house.put(lab(who, code, 12.0, "g/dL"))
    await house.rested()
    before = await events_of(house, "anna")
    body = {"resourceType": "Parameters", "parameter": [
        {"name": "source-patient", "valueReference": {"reference": "Patient/anne"}},
        {"name": "target-patient", "valueReference": {"reference": "Patient/anna"}},
    ]}  # fmt: skip
    answer = await house.send("POST", "/fhir/Patient/$merge", body)
    assert answer.is_success, answer.text

    async def is_joined():
        return "LOINC//2951-2" in await events_of(house, "anna")

    await until(is_joined)
    await house.rested()
    joined = await events_of(house, "anna")
    assert await events_of(house, "anne") == {}
    assert joined["LOINC//718-7"] == before["LOINC//718-7"]
    apart = joined["LOINC//2951-2"] - joined["LOINC//718-7"]
    assert abs(apart) < timedelta(hours=1), "both were measured today"
    name = remembering.pseudonyms(house.running.state, 1).subject("Patient/anna")
    births = await house.sql(
        "SELECT FROM insights.event WHERE code = 'MEDS_BIRTH' AND subject = $1", name
    )
    assert len(births) == 1

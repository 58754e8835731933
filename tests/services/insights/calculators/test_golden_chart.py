"""One whole chart and its scores to the last digit, and the demo clinic's twelve charts."""

import json
from datetime import UTC, date, datetime

import msgspec
import pytest
import zstandard
from charts_made import AT, SNOMED, chart, coded, condition, medicine, observation

import polyclinic.demo
from polyclinic.demo import stay
from polyclinic.services.insights.domain.assessments import Titled, drafted, words_of
from polyclinic.services.insights.domain.calculators import (
    Chart,
    Missing,
    NotForThem,
    OutOfRange,
    Scored,
    answer,
    registry,
)
from polyclinic.services.insights.domain.events import facts_of
from polyclinic.services.insights.domain.life.introduced import introduced
from polyclinic.services.insights.domain.models import predict
from polyclinic.services.insights.domain.plain import told
from polyclinic.services.insights.domain.tasks import Timeline, asked, basis, features, tasks


def golden():
    """A woman of 50 with diabetes and treated pressure: PREVENT's worked example, in SI units."""
    return chart(
        observation("sbp1", "8480-6", 158, "mm[Hg]", "2026-05-02"),
        observation("sbp2", "8480-6", 162, "mm[Hg]", "2026-04-02"),
        observation("sbp3", "8480-6", 190, "mm[Hg]", "2026-01-02"),
        observation("tc", "14647-2", 5.1724, "mmol/L", "2026-03-01"),
        observation("hdl", "14646-4", 1.16380, "mmol/L", "2026-03-01"),
        observation("scr", "14682-9", 70.72, "umol/L", "2026-03-01"),
        observation("wrong", "2160-0", 9.9, "mg/dL", "2026-05-30", status="entered-in-error"),
        observation("bmi", "39156-5", 35, "kg/m2", "2026-03-01"),
        coded("smoke", "72166-2", SNOMED, "266919005", "2026-03-01"),
        condition("dm", "44054006"),
        medicine("ace", "lisinopril 10 MG Oral Tablet"),
        born="1976-02-01",
    )


def test_the_golden_chart_has_its_kidney_function_with_the_observation_behind_it():
    scored = answer(registry()["ckd-epi-2021"], golden(), AT)
    assert isinstance(scored, Scored)
    assert scored.value("egfr").number == 90
    assert scored.band.name == "G1"
    assert [(used.input, used.reference) for used in scored.used] == [
        ("age", "Patient/p1"),
        ("sex", "Patient/p1"),
        ("creatinine", "Observation/scr"),
    ]


def test_the_golden_chart_has_the_risk_of_the_worked_example_and_all_its_sources():
    scored = answer(registry()["prevent"], golden(), AT)
    assert isinstance(scored, Scored)
    ten = ("total_cvd_10y", "ascvd_10y", "heart_failure_10y")
    assert [scored.value(name).number for name in ten] == [14.7, 9.2, 8.1]
    thirty = ("total_cvd_30y", "ascvd_30y", "heart_failure_30y")
    assert [scored.value(name).number for name in thirty] == [53.0, 35.4, 39.0]
    assert scored.band.name == "intermediate"
    assert scored.action.id == "statin"
    assert scored.compared.number < 3
    behind = {used.reference for used in scored.used if used.reference.startswith("Observation/")}
    assert behind == {
        f"Observation/{name}" for name in ("sbp1", "sbp2", "tc", "hdl", "scr", "bmi", "smoke")
    }
    assert {used.reference for used in scored.used} >= {"Condition/dm", "MedicationRequest/ace"}
    assert set(scored.assumed) == {"statin", "cardiovascular_disease"}
    assert [lack.input for lack in scored.lacking] == ["hba1c", "uacr", "sdi"]


def test_another_result_moves_the_golden_chart_to_the_model_that_uses_it():
    of = golden()
    hba1c = chart(observation("a1c", "59261-8", 58.458, "mmol/mol")).measured
    more = Chart(
        of.patient, {**of.measured, **hba1c}, of.problems, of.medicines, of.stays, of.empty
    )
    scored = answer(registry()["prevent"], more, AT)
    assert scored.value("total_cvd_10y").number == 13.6
    assert [lack.input for lack in scored.lacking] == ["uacr", "sdi"]


# Computed by another calculator, whose own inputs stand beside them with their references.
DERIVED = {each.name for one in registry().values() for each in one.inputs if each.derived}


@pytest.fixture(scope="module")
def clinic():
    """The demo clinic's charts by the patient's birth date."""
    packed = next(iter(polyclinic.demo.__path__)) + "/data/northside.ndjson.zst"
    with open(packed, "rb") as file:  # noqa: PTH123 - a path of the package
        raw = zstandard.ZstdDecompressor().decompressobj().decompress(file.read())
    charts = {}
    for line in raw.splitlines():
        resources = [entry["resource"] for entry in json.loads(line)["entry"]]
        people = [each for each in resources if each["resourceType"] == "Patient"]
        if people:
            own = [{k: v for k, v in each.items() if k not in ("subject", "patient")}
                   for each in resources]  # fmt: skip
            charts[people[0]["birthDate"]] = Chart.of(people[0], own)
    assert len(charts) == 12
    return charts


def test_every_calculator_answers_every_chart_of_the_demo_clinic(clinic):
    at = datetime(2026, 6, 1, tzinfo=UTC)
    kinds = set()
    for of in clinic.values():
        for calculator in registry().values():
            answered = answer(calculator, of, at)
            kinds.add(type(answered))
            if isinstance(answered, Scored):
                for used in answered.used:
                    assert used.reference or used.assumed or used.input in DERIVED, used
    assert kinds == {Scored, Missing, NotForThem, OutOfRange}


def test_the_chart_with_atrial_fibrillation_has_its_stroke_score(clinic):
    at = datetime(2026, 6, 1, tzinfo=UTC)
    answers = [answer(registry()["cha2ds2-vasc"], of, at) for of in clinic.values()]
    scored = [each for each in answers if isinstance(each, Scored)]
    assert len(scored) == 1
    assert scored[0].band.name == "high"
    assert "vascular_disease" in {reason.input for reason in scored[0].reasons}


@pytest.fixture(scope="module")
def maria():
    """Maria Keller of the demo clinic with her days in hospital, a few days after she went home."""
    packed = next(iter(polyclinic.demo.__path__)) + "/data/northside.ndjson.zst"
    with open(packed, "rb") as file:  # noqa: PTH123 - a path of the package
        raw = zstandard.ZstdDecompressor().decompressobj().decompress(file.read())
    for line in raw.splitlines():
        resources = [entry["resource"] for entry in json.loads(line)["entry"]]
        if any(each.get("birthDate") == "1968-03-14" for each in resources):
            [days] = json.loads(stay.bundle(date(2026, 10, 1)))["entry"]
            return [*resources, days["resource"]]
    raise AssertionError("the demo clinic has no Maria Keller")


def test_marias_return_to_hospital_is_told_by_model_and_lace_of_the_same_stay(maria):
    at = datetime(2026, 9, 15, tzinfo=UTC)
    [made] = [each for each in introduced() if each.model.task == "readmission-30d-diabetes"]
    task, facts = tasks()[made.model.task], list(facts_of(maria))
    trigger = asked(task, facts, at)
    assert trigger.reference == f"Encounter/{stay.ID}"
    row = features(task, Timeline(facts), trigger.time, trigger)
    said = predict(made.model, {name: row[name] for name in made.model.columns})
    assert abs(said.base + sum(said.contributions.values()) - said.logit) < 1e-6
    assert 0.05 < said.probability < made.threshold
    behind = basis(task, Timeline(facts), trigger.time)
    assert behind["stays.count"] == behind["stay_days.last"] == (f"Encounter/{stay.ID}",)
    assert len(behind["visits.count"]) == row["visits.count"] == 7
    [sugar] = behind["hba1c.last"]
    [kept] = [each for each in maria if f"{each['resourceType']}/{each['id']}" == sugar]
    assert kept["valueQuantity"]["value"] == row["hba1c.last"]
    person = next(each for each in maria if each["resourceType"] == "Patient")
    own = [{k: v for k, v in e.items() if k not in ("subject", "patient")} for e in maria]
    lace = answer(registry()["lace"], Chart.of(person, own), at)
    assert isinstance(lace, Scored)
    assert f"Encounter/{stay.ID}" in {used.reference for used in lace.used}


def test_whom_a_score_is_not_for_has_plain_words_too():
    """An input that only tells whom a formula is for is assumed like any other, and named."""
    prevent = registry()["prevent"]
    scored = answer(prevent, golden(), AT)
    words = {name: words_of(prevent, name) for name in scored.assumed}
    assert words["cardiovascular_disease"].startswith("cardiovascular disease (")
    assert "_" not in "".join(words.values())


def test_a_patient_reads_the_horizon_once():
    prevent = registry()["prevent"]
    titled = Titled("1", "Patient/p1", prevent)
    made = json.loads(msgspec.json.encode(drafted(titled, answer(prevent, golden(), AT), AT)))
    said = told(made)["says"]
    assert said[0] == ("Of 100 people like you, about 9 have this — heart attack or stroke "
                       "(ASCVD) within 10 years: intermediate.")  # fmt: skip
    assert all(each.count("within") == 1 for each in said)
    made["prediction"][0]["outcome"]["text"] = "cardiovascular disease"
    assert told(made)["says"][0].count("within the next 10 years") == 1

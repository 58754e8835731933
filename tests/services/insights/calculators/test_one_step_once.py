"""Nothing is proposed that is done already or being ordered, and no step is proposed twice."""

import dataclasses

import pytest
import yaml
from charts_made import AT
from test_registry import GOOD

from polyclinic.foundation.errors import Invalid
from polyclinic.services.insights.domain import asking, assessments, cards, ranking
from polyclinic.services.insights.domain.calculators import (
    Chart,
    Quantity,
    answer,
    compute,
    registry,
)
from polyclinic.services.insights.domain.calculators.reading import read_calculator
from polyclinic.services.insights.domain.cds import SERVICES, Asked

SNOMED = "http://snomed.info/sct"


def problem(code):
    return {
        "resourceType": "Condition", "id": f"c{code}", "subject": {"reference": "Patient/p1"},
        "code": {"coding": [{"system": SNOMED, "code": code}]}, "recordedDate": "2026-01-01",
    }  # fmt: skip


def medicine(name, **more):
    return {
        "resourceType": "MedicationRequest", "id": f"m-{name[:5]}", "status": "active",
        "intent": "order", "subject": {"reference": "Patient/p1"},
        "medicationCodeableConcept": {"text": name}, "authoredOn": "2026-01-02",
    } | more  # fmt: skip


def found(*resources, hook="patient-view", orders=()):
    """The cards for a woman of 80 with atrial fibrillation and high blood pressure."""
    her = {"resourceType": "Patient", "id": "p1", "birthDate": "1946-01-01", "gender": "female"}
    chart = Chart.of(her, [problem("49436004"), problem("38341003"), *resources])
    answers = {
        name: (registry()[name], answer(registry()[name], chart, AT))
        for name in ("cha2ds2-va", "cha2ds2-vasc")
    }
    service = next(each for each in SERVICES.values() if each.hook == hook)
    return cards.candidates(Asked(service, "p1", "Practitioner/eve", tuple(orders)), answers)


def test_two_scores_of_stroke_propose_an_anticoagulant_once():
    [one] = found(medicine("Metformin 500 mg"))
    assert (one.calculator.id, one.action.id) == ("cha2ds2-va", "anticoagulate")


@pytest.mark.parametrize("name", ["Apixaban 5 mg", "warfarin sodium 5 mg"])
def test_an_anticoagulant_is_not_proposed_beside_one(name):
    assert found(medicine(name)) == []
    stopped = found(medicine(name, status="stopped"))
    assert [each.action.id for each in stopped] == ["anticoagulate"]


def test_an_anticoagulant_is_not_proposed_while_one_is_being_signed():
    drafted = medicine("Edoxaban 60 mg", status="draft")
    assert found(medicine("Metformin 500 mg"), hook="order-sign", orders=[drafted]) == []


PREVENT = {
    "age": Quantity(60, "a"), "sex": "male", "sbp": Quantity(165, "mm[Hg]"),
    "bp_treatment": True, "total_cholesterol": Quantity(250, "mg/dL"),
    "hdl": Quantity(35, "mg/dL"), "diabetes": True, "smoking": True,
    "egfr": Quantity(60, "mL/min/{1.73_m2}"), "bmi": Quantity(32, "kg/m2"),
}  # fmt: skip


@pytest.mark.parametrize(("taken", "proposed"), [(False, "statin-now"), (True, "goals")])
def test_a_statin_is_offered_only_to_whoever_takes_none(taken, proposed):
    scored = compute(registry()["prevent"], {**PREVENT, "statin": taken})
    assert scored.band.name == "high"
    assert assessments.proposed(scored).id == proposed


def test_a_better_score_speaks_alone_only_where_it_proposes_the_same():
    better, plain = registry()["ckd-epi-2021-cystatin"], registry()["ckd-epi-2021"]
    refer = next(each for each in plain.actions if each.id == "refer")
    other = dataclasses.replace(refer, text="Something else.")
    same = {better.id: (better, refer), plain.id: (plain, refer)}
    assert ranking.gives_way(same) == {plain.id}
    assert ranking.gives_way({**same, better.id: (better, other)}) == frozenset()
    assert ranking.gives_way({plain.id: (plain, refer)}) == frozenset()


def test_what_a_score_replaces_is_there_and_is_due_with_it():
    for each in registry().values():
        assert set(each.replaces) <= set(registry())
    cystatin = {"code": {"coding": [{"system": "http://loinc.org", "code": "33863-2"}]}}
    due = {each.id for each in asking.due([{"resourceType": "Observation", **cystatin}])}
    assert {"ckd-epi-2021", "ckd-epi-2021-cystatin"} <= due


def test_a_draft_says_in_words_what_is_proposed_and_a_source_without_a_doi_has_no_link():
    [one] = found(medicine("Metformin 500 mg"))
    drafted = cards.card(one, "p1", "n")["suggestions"][0]
    assert drafted["label"].startswith("Recommend an oral anticoagulant")
    assert drafted["actions"][0]["resource"]["code"]["text"] == one.action.text
    news2 = dataclasses.replace(one, calculator=registry()["news2"])
    assert "url" not in cards.card(news2, "p1", "n")["source"]
    assert cards.card(one, "p1", "n")["source"]["url"].startswith("https://doi.org/10.")


@pytest.mark.parametrize("what", ["unless", "instead"])
def test_an_action_that_names_what_there_is_not_is_refused(what):
    actions = {name: {**each, what: "nothing"} for name, each in GOOD["actions"].items()}
    with pytest.raises(Invalid) as refused:
        read_calculator(yaml.safe_dump({**GOOD, "actions": actions}), "made.yaml")
    assert refused.value.place == f"made.yaml: {what}"

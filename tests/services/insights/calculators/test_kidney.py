"""Kidney function: CKD-EPI 2021 with and without cystatin C, by hand and at each cut-off."""

import math

import pytest
from charts_made import AT, chart, observation

from polyclinic.services.insights.domain.calculators import (
    Missing,
    OutOfRange,
    Quantity,
    Scored,
    answer,
    compute,
    registry,
)

EGFR = registry()["ckd-epi-2021"]


def of(creatinine, unit="mg/dL", age=60, sex="female"):
    stated = {"age": Quantity(age, "a"), "sex": sex, "creatinine": Quantity(creatinine, unit)}
    return compute(EGFR, stated)


# By hand from the publication: 142 x (Scr/k)^a x 0.9938^age x 1.012 [if female].
@pytest.mark.parametrize(
    ("creatinine", "age", "sex", "expected"),
    [
        (0.7, 50, "female", 142 * 0.9938**50 * 1.012),
        (0.9, 50, "male", 142 * 0.9938**50),
        (1.4, 60, "female", 142 * 2**-1.2 * 0.9938**60 * 1.012),
        (1.8, 60, "male", 142 * 2**-1.2 * 0.9938**60),
        (0.35, 40, "female", 142 * 0.5**-0.241 * 0.9938**40 * 1.012),
        (0.45, 40, "male", 142 * 0.5**-0.302 * 0.9938**40),
    ],
)
def test_the_equation_gives_what_it_gives_by_hand(creatinine, age, sex, expected):
    scored = of(creatinine, age=age, sex=sex)
    assert isinstance(scored, Scored)
    assert math.isclose(scored.value("egfr").exact, expected, rel_tol=1e-12)


def test_a_chart_in_micromoles_gives_the_same_number_with_the_observation_behind_it():
    lab = observation("scr", "14682-9", 79.6, "umol/L")
    scored = answer(EGFR, chart(lab), AT)
    assert isinstance(scored, Scored)
    creatinine = next(used for used in scored.used if used.input == "creatinine")
    assert creatinine.reference == "Observation/scr"
    assert creatinine.version == "1"
    assert creatinine.number == pytest.approx(0.9, abs=0.001)
    assert scored.value("egfr").number == of(0.9).value("egfr").number


def test_an_impossible_creatinine_is_refused_and_scores_nothing():
    refused = of(3.8, "umol/L")
    assert isinstance(refused, OutOfRange)
    assert refused.impossible


def test_a_creatinine_without_a_unit_is_missing_with_the_reason():
    lab = observation("scr", "2160-0", 79.6, "mg/dL", valueQuantity={"value": 79.6})
    missing = answer(EGFR, chart(lab), AT)
    assert isinstance(missing, Missing)
    assert missing.what[0].reference == "Observation/scr"
    assert "unit is missing" in missing.what[0].why

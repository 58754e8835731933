"""Scores worked out by hand or printed in their publications: a plain clone proves these."""

import math

import pytest
from oracles import score

from polyclinic.services.insights.domain.calculators import registry
from polyclinic.services.insights.domain.calculators.formulas import prevent

# The publication's worked example, and what other information does to it (preventr 0.12.0).
EXAMPLE = {
    "age": 50, "sex": "female", "sbp": 160, "bp_treatment": True, "total_cholesterol": 200,
    "hdl": 45, "statin": False, "diabetes": True, "smoking": False, "egfr": 90, "bmi": 35,
}  # fmt: skip


@pytest.mark.parametrize(
    ("more", "years", "expected"),
    [
        ({}, 10, (14.7, 9.2, 8.1, 4.4, 5.4)),
        ({}, 30, (53.0, 35.4, 39.0, 19.8, 22.1)),
        ({"hba1c": 7.5}, 10, (13.6, 8.3, 8.1, 4.1, 4.6)),
        ({"hba1c": 7.5}, 30, (50.1, 32.2, 38.9, 18.2, 18.8)),
        ({"uacr": 92}, 10, (18.1, 11.1, 10.5, 5.5, 6.5)),
        ({"uacr": 92}, 30, (56.5, 38.1, 43.7, 22.0, 24.1)),
    ],
)
def test_the_worked_example_of_prevent(more, years, expected):
    scored = score("prevent", **EXAMPLE, **more)
    found = tuple(scored.value(f"{name}_{years}y").number for name in prevent.ENDPOINTS)
    assert found == expected


def test_the_reasons_of_prevent_and_its_constant_sum_to_the_logit():
    scored = score("prevent", **EXAMPLE, hba1c=7.5, sdi=8)
    risk = scored.value("total_cvd_10y").exact / 100
    logit = math.log(risk / (1 - risk))
    total = scored.base + math.fsum(reason.amount for reason in scored.reasons)
    assert abs(total - logit) < 1e-9
    top = max(scored.reasons, key=lambda reason: reason.amount)
    assert top.input == "diabetes"


def test_the_reasons_of_kidney_function_and_its_constant_sum_to_the_logarithm():
    scored = score("ckd-epi-2021", age=70, sex="female", creatinine=1.8)
    total = scored.base + math.fsum(reason.amount for reason in scored.reasons)
    assert total == pytest.approx(math.log(scored.value("egfr").exact), abs=1e-12)
    assert min(scored.reasons, key=lambda reason: reason.amount).input == "creatinine"


def test_a_risk_is_compared_to_a_healthy_person_of_the_same_age_and_sex():
    scored = score("prevent", **EXAMPLE, hba1c=7.5)
    assert scored.compared.name == "ascvd_10y"
    assert scored.compared.number < scored.value("ascvd_10y").number
    well = {**EXAMPLE, **registry()["prevent"].healthy}
    assert score("prevent", **well).value("ascvd_10y") == scored.compared
    assert score("fib-4", age=60, ast=80, alt=64, platelets=150).compared is None


def test_above_59_years_prevent_says_nothing_of_thirty_years():
    scored = score("prevent", **{**EXAMPLE, "age": 60})
    assert {value.horizon_years for value in scored.values} == {10}
    assert {value.horizon_years for value in score("prevent", **EXAMPLE).values} == {10, 30}


@pytest.mark.parametrize(
    ("sex", "race", "printed"),
    [
        ("female", "white", 2.1),
        ("female", "black", 3.0),
        ("male", "white", 5.4),  # the guideline prints 5.3: its own coefficients are rounded
        ("male", "black", 6.1),
    ],
)
def test_the_worked_example_of_the_pooled_cohort_equations(sex, race, printed):
    scored = score(
        "pooled-cohort", age=55, sex=sex, race=race, sbp=120, bp_treatment=False,
        total_cholesterol=213, hdl=50, diabetes=False, smoking=False,
    )  # fmt: skip
    assert scored.value("ascvd_10y").number == printed


@pytest.mark.parametrize(
    ("region", "survival"), [("north-america", (0.975, 0.924)), ("elsewhere", (0.9832, 0.9365))]
)
def test_the_kidney_failure_equation_at_its_own_means(region, survival):
    """At the means of age, eGFR and UACR only the part of sex is left: 0.2467 x (1 - 0.5642)."""
    scored = score(
        "kidney-failure-4", age=70.36, sex="male", egfr=36.11, uacr=math.exp(5.137), region=region
    )
    hazard = math.exp(0.2467 * (1 - 0.5642))
    for years, at in zip((2, 5), survival, strict=True):
        expected = 100 * (1 - at**hazard)
        assert scored.value(f"risk_{years}y").exact == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("sex", ["female", "male"])
@pytest.mark.parametrize("creatinine", [0.5, 0.7, 0.9, 1.4, 2.8])
@pytest.mark.parametrize("cystatin", [0.6, 0.8, 1.6])
def test_ckd_epi_with_cystatin_c(sex, creatinine, cystatin):
    """135 x (cr/k)^a or ^-0.544 above k, x (cy/0.8)^-0.323 or ^-0.778 above 0.8, x 0.9961^age."""
    kappa, alpha, last = (0.7, -0.219, 0.963) if sex == "female" else (0.9, -0.144, 1)
    expected = 135 * 0.9961**60 * last
    expected *= (creatinine / kappa) ** (alpha if creatinine < kappa else -0.544)
    expected *= (cystatin / 0.8) ** (-0.323 if cystatin < 0.8 else -0.778)
    scored = score(
        "ckd-epi-2021-cystatin", age=60, sex=sex, creatinine=creatinine, cystatin_c=cystatin
    )
    assert scored.value("egfr").exact == pytest.approx(expected, rel=1e-12)


NOT_ILL = {
    each.name: False
    for each in registry()["lace"].inputs
    if each.kind == "condition"
}  # fmt: skip


@pytest.mark.parametrize(
    ("days", "acute", "visits", "ills", "expected"),
    [
        (0, False, 0, (), 0),
        (1, False, 0, (), 1),
        (2, False, 0, (), 2),
        (3, False, 0, (), 3),
        (4, False, 0, (), 4),
        (6, False, 0, (), 4),
        (7, False, 0, (), 5),
        (13, False, 0, (), 5),
        (14, False, 0, (), 7),
        (60, False, 0, (), 7),
        (1, True, 0, (), 4),
        (1, False, 3, (), 4),
        (1, False, 4, (), 5),
        (1, False, 9, (), 5),
        (1, False, 0, ("myocardial_infarction",), 2),
        (1, False, 0, ("heart_failure",), 3),
        (1, False, 0, ("dementia",), 4),
        (1, False, 0, ("heart_failure", "diabetes_uncomplicated"), 4),
        (1, False, 0, ("aids",), 6),
        (1, False, 0, ("metastatic_tumour", "solid_tumour"), 6),
        (1, False, 0, ("diabetes_uncomplicated", "diabetes_complicated"), 3),
        (1, False, 0, ("mild_liver", "severe_liver"), 6),
        (1, False, 0, ("leukaemia", "lymphoma"), 3),
        (5, True, 2, ("heart_failure", "diabetes_uncomplicated"), 12),
        (20, True, 5, ("aids", "dementia"), 19),
    ],
)
def test_lace_by_hand(days, acute, visits, ills, expected):
    values = {**NOT_ILL, **dict.fromkeys(ills, True)}
    scored = score("lace", age=70, days=days, acute=acute, emergency_visits=visits, **values)
    assert scored.value("score").number == expected
    assert sum(reason.amount for reason in scored.reasons) == expected


def test_meld_3_by_hand_and_within_the_bounds_of_the_publication():
    # All bounded inputs at their healthy end: 6 and nothing more; a woman has 1.33.
    well = {
        "age": 50, "bilirubin": 0.5, "sodium": 145, "inr": 0.9, "creatinine": 0.6, "albumin": 4.5,
        "dialysis": False,
    }  # fmt: skip
    assert score("meld-3", sex="male", **well).value("score").exact == 6
    assert score("meld-3", sex="female", **well).value("score").exact == pytest.approx(7.33)
    ill = {**well, "bilirubin": 4, "sodium": 130, "inr": 2, "creatinine": 2, "albumin": 2.5}
    expected = (
        6 + 4.56 * math.log(4) + 0.82 * 7 - 0.24 * 7 * math.log(4) + 9.09 * math.log(2)
        + 11.14 * math.log(2) + 1.85 * 1 - 1.83 * 1 * math.log(2)
    )  # fmt: skip
    assert score("meld-3", sex="male", **ill).value("score").exact == pytest.approx(expected)
    on_dialysis = score("meld-3", sex="male", **{**ill, "dialysis": True})
    assert on_dialysis.value("score").exact == pytest.approx(
        expected + (11.14 - 1.83) * (math.log(3) - math.log(2))
    )


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("fib-4", {"age": 60, "ast": 80, "alt": 64, "platelets": 150}, 4.0),
        ("body-mass-index", {"weight": 81, "height": 180}, 25.0),
        ("gad-7", {f"item{n}": 3 for n in range(1, 8)}, 21),
        ("phq-9", {f"item{n}": 1 for n in range(1, 10)}, 9),
        ("audit-c", {"sex": "male", "often": 4, "drinks": 4, "six_or_more": 4}, 12),
    ],
)
def test_simple_scores_by_hand(name, values, expected):
    scored = score(name, **values)
    assert scored.value(registry()[name].decides).number == expected


def test_all_signs_at_once_give_the_most_that_a_wells_score_can_be():
    dvt = {each.name: True for each in registry()["wells-dvt"].inputs}
    assert score("wells-dvt", **dvt).value("score").number == 9 - 2
    pe = {each.name: True for each in registry()["wells-pe"].inputs if each.is_flag}
    assert score("wells-pe", **pe, heart_rate=120).value("score").number == 12.5

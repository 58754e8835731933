"""At each cut-off the number itself and the step before it fall where the publication says."""

from dataclasses import replace

import pytest
from oracles import score, stated

from polyclinic.services.insights.domain.calculators import compute, registry
from polyclinic.services.insights.domain.calculators.values import Outcome

BY_FORMULA = {"cha2ds2-vasc", "fib-4", "audit-c"}
CUTS = [
    (name, before.name, band)
    for name, calculator in registry().items()
    if name not in BY_FORMULA
    for before, band in zip(calculator.bands, calculator.bands[1:], strict=False)
    if band.low > before.low
]


@pytest.mark.parametrize(("name", "before", "band"), CUTS)
def test_a_band_begins_at_its_cut_off_and_not_before(name, before, band):
    calculator = registry()[name]
    decides = {each.name: each for each in calculator.outputs}[calculator.decides]

    def banded(number):
        open_to_all = replace(
            calculator, inputs=(), gates=(), formula=lambda _: Outcome({decides.name: number})
        )
        return compute(open_to_all, {}).band

    assert banded(band.low).name == band.name
    assert banded(band.low).action == band.action
    assert banded(band.low - 10.0**-decides.digits).name == before


NEWS2 = {
    "respiratory_rate": 16, "spo2": 98, "oxygen_flow": 0, "sbp": 120, "heart_rate": 70,
    "consciousness": "alert", "temperature": 37.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("parameter", "points"),
    [
        ("respiratory_rate", {8: 3, 9: 1, 11: 1, 12: 0, 20: 0, 21: 2, 24: 2, 25: 3}),
        ("spo2", {91: 3, 92: 2, 93: 2, 94: 1, 95: 1, 96: 0}),
        ("oxygen_flow", {0: 0, 1: 2}),
        ("sbp", {90: 3, 91: 2, 100: 2, 101: 1, 110: 1, 111: 0, 219: 0, 220: 3}),
        (
            "heart_rate",
            {40: 3, 41: 1, 50: 1, 51: 0, 90: 0, 91: 1, 110: 1, 111: 2, 130: 2, 131: 3},
        ),
        ("temperature", {35.0: 3, 35.1: 1, 36.0: 1, 36.1: 0, 38.0: 0, 38.1: 1, 39.0: 1, 39.1: 2}),
    ],
)
def test_each_parameter_of_news2_has_the_points_of_the_chart(parameter, points):
    for value, expected in points.items():
        assert score("news2", **{**NEWS2, parameter: value}).value("score").number == expected


def test_saturation_scale_2_of_news2_aims_at_88_to_92():
    air = {83: 3, 84: 2, 85: 2, 86: 1, 87: 1, 88: 0, 92: 0, 93: 0, 100: 0}
    oxygen = {83: 3, 87: 1, 88: 0, 92: 0, 93: 1, 94: 1, 95: 2, 96: 2, 97: 3}
    for flow, points in ((0, air), (2, oxygen)):
        for value, expected in points.items():
            values = {**NEWS2, "spo2": value, "oxygen_flow": flow, "scale_2": True}
            scored = score("news2", **values).value("score").number
            assert scored == expected + (2 if flow else 0), (flow, value)


def test_three_points_in_one_parameter_lift_a_low_news2():
    lifted = score("news2", **{**NEWS2, "consciousness": "confused"})
    assert (lifted.value("score").number, lifted.band.name) == (3, "low-medium")
    spread = score("news2", **{**NEWS2, "heart_rate": 91, "temperature": 38.1, "spo2": 95})
    assert (spread.value("score").number, spread.band.name) == (3, "low")


def of(name, base, **change):
    return score(name, **{**base, **change}).value("score").number


QSOFA = {"respiratory_rate": 16, "sbp": 120, "consciousness": "alert"}
CURB = {
    "age": 50, "confusion": False, "urea": 5, "respiratory_rate": 16, "sbp": 120, "dbp": 75
}  # fmt: skip
AF = {
    "age": 60, "heart_failure": False, "hypertension": False, "diabetes": False,
    "stroke": False, "vascular_disease": False,
}  # fmt: skip
BLED = {
    "sbp": 130, "creatinine": 1.0, "renal_replacement": False, "liver_disease": False,
    "stroke": False, "bleeding": False, "labile_inr": False, "age": 60,
    "antiplatelet_or_nsaid": False, "alcohol": False,
}  # fmt: skip
PUGH = {
    "bilirubin": 1, "albumin": 4, "inr": 1, "ascites": "none", "encephalopathy": "none"
}  # fmt: skip
FIND = {
    "age": 30, "sex": "male", "bmi": 22, "waist": 80, "active": True, "vegetables_daily": True,
    "bp_treatment": False, "high_glucose": False, "family_diabetes": "none",
}  # fmt: skip
PE = {
    "signs_of_dvt": False, "pe_most_likely": False, "heart_rate": 80,
    "immobilised_or_surgery": False, "previous_vte": False, "haemoptysis": False,
    "active_cancer": False,
}  # fmt: skip
PERC = {
    "age": 40, "heart_rate": 80, "spo2": 98, "leg_swelling": False, "haemoptysis": False,
    "surgery_or_trauma": False, "previous_vte": False, "oestrogen": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "base", "parameter", "points"),
    [
        ("qsofa", QSOFA, "respiratory_rate", {21: 0, 22: 1}),
        ("qsofa", QSOFA, "sbp", {101: 0, 100: 1}),
        ("qsofa", QSOFA, "consciousness", {"alert": 0, "confused": 1, "voice": 1, "pain": 1}),
        ("curb-65", CURB, "age", {64: 0, 65: 1}),
        ("curb-65", CURB, "urea", {7: 0, 7.1: 1}),
        ("curb-65", CURB, "respiratory_rate", {29: 0, 30: 1}),
        ("curb-65", CURB, "sbp", {90: 0, 89: 1}),
        ("curb-65", CURB, "dbp", {61: 0, 60: 1}),
        ("cha2ds2-va", AF, "age", {64: 0, 65: 1, 74: 1, 75: 2}),
        ("cha2ds2-va", AF, "stroke", {False: 0, True: 2}),
        ("has-bled", BLED, "sbp", {160: 0, 161: 1}),
        ("has-bled", BLED, "creatinine", {2.26: 0, 2.27: 1}),
        ("has-bled", BLED, "age", {65: 0, 66: 1}),
        ("child-pugh", PUGH, "bilirubin", {1.9: 5, 2: 6, 3: 6, 3.1: 7}),
        ("child-pugh", PUGH, "albumin", {3.6: 5, 3.5: 6, 2.8: 6, 2.7: 7}),
        ("child-pugh", PUGH, "inr", {1.6: 5, 1.7: 6, 2.3: 6, 2.4: 7}),
        ("child-pugh", PUGH, "ascites", {"none": 5, "mild": 6, "severe": 7}),
        ("findrisc", FIND, "age", {44: 0, 45: 2, 54: 2, 55: 3, 64: 3, 65: 4}),
        ("findrisc", FIND, "bmi", {24.9: 0, 25: 1, 30: 1, 30.1: 3}),
        ("findrisc", FIND, "waist", {93: 0, 94: 3, 102: 3, 103: 4}),
        ("findrisc", {**FIND, "sex": "female"}, "waist", {79: 0, 80: 3, 88: 3, 89: 4}),
        ("wells-pe", PE, "heart_rate", {100: 0, 101: 1.5}),
        ("perc", PERC, "age", {49: 0, 50: 1}),
        ("perc", PERC, "heart_rate", {99: 0, 100: 1}),
        ("perc", PERC, "spo2", {95: 0, 94: 1}),
    ],
)
def test_a_point_begins_where_the_publication_says(name, base, parameter, points):
    for value, expected in points.items():
        assert of(name, base, **{parameter: value}) == expected, (parameter, value)


def test_the_point_of_female_sex_alone_moves_nobody():
    alone = score("cha2ds2-vasc", sex="female", **AF)
    assert (alone.value("score").number, alone.band.name, alone.action) == (1, "low", None)
    one = score("cha2ds2-vasc", sex="female", **{**AF, "diabetes": True})
    assert (one.value("score").number, one.band.name) == (2, "intermediate")
    two = score("cha2ds2-vasc", sex="male", **{**AF, "diabetes": True, "hypertension": True})
    assert (two.value("score").number, two.band.name) == (2, "high")


def test_the_lower_cut_off_of_fib_4_is_higher_from_65_years_on():
    """(age x AST) / (platelets x square root of ALT), with AST chosen to land on it."""

    def band(age, index):
        return score("fib-4", age=age, ast=index * 100 / age, alt=1, platelets=100).band.name

    assert [band(64, index) for index in (1.29, 1.3, 2.67, 2.68)] == [
        "low", "indeterminate", "indeterminate", "high"
    ]  # fmt: skip
    assert [band(65, index) for index in (1.3, 1.99, 2.0, 2.67, 2.68)] == [
        "low", "low", "indeterminate", "indeterminate", "high"
    ]  # fmt: skip


def test_audit_c_is_positive_from_3_for_women_and_from_4_for_men():
    def band(sex, points):
        return score("audit-c", sex=sex, often=points, drinks=0, six_or_more=0).band.name

    assert [band("female", points) for points in (2, 3)] == ["negative", "positive"]
    assert [band("male", points) for points in (3, 4)] == ["negative", "positive"]


def test_the_index_of_charlson_adds_a_point_for_each_ten_years_from_50_on():
    none = {each.name: False for each in registry()["charlson"].inputs if each.name != "age"}
    ages = {49: 0, 50: 1, 59: 1, 60: 2, 70: 3, 79: 3, 80: 4, 95: 4}
    for age, expected in ages.items():
        scored = compute(registry()["charlson"], stated("charlson", {**none, "age": age}))
        assert scored.value("index_with_age").number == expected
        assert scored.value("index").number == 0

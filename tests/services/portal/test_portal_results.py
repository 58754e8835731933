"""Observations as a patient and a clinician read them, on tidy and on odd data."""

from datetime import date

import pytest
import sample
from hypothesis import given
from hypothesis import strategies as st

from polyclinic.services.portal.domain.charts import bar, spark, trend
from polyclinic.services.portal.domain.observations import read_results
from polyclinic.services.portal.domain.patient import read_patient
from polyclinic.services.portal.domain.reading import moment
from polyclinic.services.portal.domain.results import Person, Result, days, number, series

WOMAN = Person("female", moment("1968-03-14"))
CHILD = Person("female", moment("2020-03-14"))


def one(observation: dict, person: Person = WOMAN) -> Result:
    (result,) = read_results([observation], person)
    return result


def lab(value: float | None, code: str = "6298-4", unit: str = "mmol/L", **more: object) -> dict:
    return sample.observation(code, "Potassium", "2026-11-12", value, unit, **more)


@pytest.mark.parametrize(
    ("value", "words", "flag", "tone"),
    [
        (4.0, "In usual range", "Normal", "ok"),
        (3.6, "Just below usual range", "Low", "warn"),
        (3.0, "Below usual range", "Low", "warn"),
        (5.3, "Just above usual range", "High", "warn"),
        (6.4, "Above usual range", "High", "warn"),
    ],
)
def test_every_status_has_words_for_patients_and_a_flag_for_staff(value, words, flag, tone):
    status = one(lab(value)).status
    assert (status.words, status.flag, status.tone) == (words, flag, tone)


def test_the_limits_themselves_are_in_range():
    assert {one(lab(v)).status.place for v in (3.7, 5.2)} == {"in"}


def test_what_is_shown_decides_and_not_hidden_decimals():
    result = one(lab(5.2049999))
    assert (result.shown, result.status.place) == ("5.2", "in")


def test_the_laboratorys_range_wins_over_the_usual_one():
    result = one(lab(5.4, referenceRange=sample.reference_range(3.5, 5.5, "mmol/L")))
    assert (result.status.place, result.range.source, result.range.text) == (
        "in",
        "laboratory",
        "3.5–5.5",
    )


def test_a_range_in_another_unit_is_not_used():
    given = sample.reference_range(10, 20, "mg/dL")
    assert one(lab(4.0, code="9999-9", referenceRange=given)).range is None


def test_a_usual_range_is_never_guessed_for_another_unit():
    result = one(lab(4.0, unit="mg/dL"))
    assert (result.range, result.status.words, result.unit) == (None, "", "mg/dL")


def test_a_usual_range_is_for_adults_only():
    assert one(lab(9.0), CHILD).range is None


def test_a_range_that_differs_by_sex_needs_the_sex():
    blood = lab(12.5, code="718-7", unit="g/dL")
    by_sex = {
        s: one(blood, Person(s, WOMAN.born)).status.place for s in ("female", "male", "other")
    }
    assert by_sex == {"female": "in", "male": "below", "other": "unknown"}


def test_a_critical_result_is_what_the_laboratory_says_is_critical():
    status = one(lab(7.1, interpretation=sample.interpretation("HH"))).status
    assert (status.tone, status.words, status.flag) == (
        "crit",
        "Far above usual range",
        "Critical high",
    )


def test_a_result_without_a_range_keeps_the_laboratorys_own_word():
    result = one(lab(7.0, code="9999-9", interpretation=sample.interpretation("H")))
    assert (result.range, result.status.flag) == (None, "High")


def test_a_nought_as_lower_limit_says_nothing():
    given = sample.reference_range(0, 200, "mg/dL")
    assert one(lab(150, code="2093-3", unit="mg/dL", referenceRange=given)).range.text == "≤ 200"


def test_below_the_measurable_is_shown_and_not_judged():
    observation = lab(None)
    observation["valueQuantity"] = {**sample.quantity(0.2, "mmol/L"), "comparator": "<"}
    result = one(observation)
    assert (result.shown, result.status.place) == ("< 0.2", "unknown")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"valueString": "Trace"}, "Trace"),
        (
            {"valueCodeableConcept": {"coding": [{"display": "Negative (qualifier value)"}]}},
            "Negative",
        ),
        ({"valueBoolean": False}, "No"),
        ({"valueInteger": 3}, "3"),
        ({"dataAbsentReason": {"text": "Sample clotted"}}, "Sample clotted"),
        ({}, "No value recorded"),
    ],
)
def test_results_that_are_no_numbers_are_shown_in_their_words(value, shown):
    result = one(lab(None, **value))
    assert (result.shown, result.value, bar(result)) == (shown, None, None)


def test_blood_pressure_is_one_result_of_two_numbers():
    result = one(sample.pressure("2026-11-12", 142.4, 91.2))
    assert (result.shown, result.unit, result.status.place) == ("142/91", "mmHg", "above")


def test_half_a_blood_pressure_is_not_shown_as_a_whole():
    observation = sample.pressure("2026-11-12", 120, 80)
    observation["component"].pop()
    assert read_results([observation], WOMAN) == []


def test_the_halves_of_a_blood_pressure_are_not_repeated_beside_it():
    halves = [lab(142, code="8480-6", unit="mm[Hg]"), lab(91, code="8462-4", unit="mm[Hg]")]
    found = read_results([*halves, sample.pressure("2026-11-12", 142, 91)], WOMAN)
    assert [r.short for r in found] == ["Blood pressure"]


def test_what_was_entered_in_error_is_hidden():
    assert read_results([lab(4.0, status="entered-in-error")], WOMAN) == []


def test_questions_about_a_life_are_not_laboratory_results():
    assert read_results([lab(3, code="63512-8", unit="{#}")], WOMAN) == []


def test_the_same_result_sent_twice_is_shown_once():
    assert len(read_results([lab(4.0), lab(4.0)], WOMAN)) == 1


def test_a_result_without_unit_date_or_code_text_is_still_shown():
    observation = lab(4.25, code="9999-9", unit="")
    del observation["effectiveDateTime"], observation["code"]["coding"][0]["display"]
    result = one(observation)
    assert (result.short, result.shown, result.unit, result.when) == ("9999-9", "4.25", "", None)


def test_results_of_a_record_are_grouped_by_day_newest_first():
    found = days(read_results(sample.record(), WOMAN)[:])
    assert [d.when.iso for d in found][:2] == ["2026-11-12", "2026-04-21"]
    assert [name for name, _ in found[0].panels] == [
        "Blood sugar",
        "Kidneys and salts",
        "Cholesterol",
        "Blood count",
        "Vital signs",
    ]
    assert found[0].notable == 4


def test_a_series_has_a_sparkline_and_a_trend_with_every_result():
    (sugar,) = [s for s in series(read_results(sample.record(), WOMAN)) if s.code == "4548-4"]
    picture = trend(sugar, 760, 300)
    assert picture is not None
    assert len(picture.dots) == len(sugar.results) == 7
    assert picture.dots[-1].label == "12 November 2026: 7.4 %"
    assert spark(sugar) is not None


def test_a_trend_leaves_out_other_units_and_needs_two_results():
    found = [lab(4.0), sample.observation("6298-4", "K", "2025-01-01", 15.6, "mg/dL")]
    (potassium,) = series(read_results(found, WOMAN))
    assert trend(potassium, 760, 300) is None
    assert spark(potassium) is None


def test_a_small_wobble_within_a_wide_range_looks_small():
    (creatinine,) = [s for s in series(read_results(sample.record(), WOMAN)) if s.code == "38483-4"]
    picture = spark(creatinine)
    assert picture is not None
    heights = [float(place.split()[1]) for place in picture.path[1:].split(" L")]
    assert max(heights) - min(heights) < 3


@given(value=st.floats(-1e6, 1e6), low=st.floats(-1e3, 1e3), width=st.floats(0, 1e3))
def test_a_range_bar_stays_within_its_picture(value, low, width):
    given = sample.reference_range(round(low, 2), round(low + width, 2), "mmol/L")
    picture = bar(one(lab(value, code="9999-9", referenceRange=given)))
    assert picture is not None
    assert 4 <= picture.low_x <= picture.high_x <= 236
    assert 11 <= picture.dot_x <= 229


@given(values=st.lists(st.floats(0, 1e5), min_size=2, max_size=6))
def test_a_trend_stays_within_its_axes(values):
    found = [
        sample.observation("9999-9", "X", f"20{10 + n}-01-01", v, "U/L")
        for n, v in enumerate(values)
    ]
    (line,) = series(read_results(found, WOMAN))
    picture = trend(line, 760, 300)
    assert picture is not None
    assert all(picture.top - 1 <= d.y <= picture.bottom + 1 for d in picture.dots)
    assert all(picture.left <= d.x <= picture.right for d in picture.dots)


def test_there_is_no_minus_zero():
    assert (number(-0.004, 2), number(-0.4, 1)) == ("0.00", "-0.4")


def test_a_patient_is_named_aged_and_numbered():
    patient = read_patient(sample.patient(), date(2026, 3, 13))
    assert (patient.formal, patient.age, patient.mrn) == ("KELLER, Maria", 57, "20411877")


def test_an_empty_patient_is_still_a_patient():
    patient = read_patient({"resourceType": "Patient", "id": "x"}, date(2026, 1, 1))
    assert (patient.name, patient.age_text, patient.sex_word) == (
        "Name not recorded",
        "age not known",
        "Not known",
    )

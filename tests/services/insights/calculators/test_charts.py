"""What counts in a chart: final results in time, named diagnoses, kept lists; absent is not no."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from charts_made import AT, LOINC, SNOMED, chart, coded, condition, medicine, observation, patient

from polyclinic.foundation.errors import Invalid
from polyclinic.services.insights.domain.calculators import (
    Missing,
    NotForThem,
    OutOfRange,
    Quantity,
    Scored,
    answer,
    registry,
    wanted,
)
from polyclinic.services.insights.domain.charts import Chart, Found, Lack, find

EGFR = registry()["ckd-epi-2021"]
PREVENT = registry()["prevent"]


def asked(calculator, name):
    gates = [gate.input for gate in calculator.gates]
    return {each.name: each for each in (*calculator.inputs, *gates)}[name]


def found(of_chart, name, calculator=PREVENT, at=AT):
    return find(of_chart, asked(calculator, name), at)


def references(answered):
    return [used.reference for used in answered.used]


@pytest.mark.parametrize("status", ["final", "amended", "corrected"])
def test_a_finished_result_counts(status):
    lab = observation("a", "2160-0", 1.0, "mg/dL", status=status)
    assert isinstance(answer(EGFR, chart(lab), AT), Scored)


@pytest.mark.parametrize(
    "status", ["registered", "preliminary", "cancelled", "entered-in-error", "unknown", None]
)
def test_a_result_that_is_not_final_does_not_count(status):
    lab = observation("a", "2160-0", 1.0, "mg/dL", status=status)
    assert isinstance(answer(EGFR, chart(lab), AT), Missing)


def test_the_newest_result_decides_and_nothing_after_the_moment_is_seen():
    old = observation("old", "2160-0", 1.0, "mg/dL", "2025-06-01")
    new = observation("new", "2160-0", 2.0, "mg/dL", "2026-05-01")
    later = observation("later", "2160-0", 5.0, "mg/dL", "2026-06-02")
    before = answer(EGFR, chart(new, old), AT)
    assert answer(EGFR, chart(old, later, new), AT) == before
    assert "Observation/new" in references(before)


def test_a_result_beyond_the_look_back_is_too_old_and_says_so():
    edge = AT - timedelta(days=730)
    just = observation("just", "2160-0", 1.0, "mg/dL", edge.isoformat())
    assert isinstance(answer(EGFR, chart(just), AT), Scored)
    old = observation("old", "2160-0", 1.0, "mg/dL", (edge - timedelta(seconds=1)).isoformat())
    missing = answer(EGFR, chart(old), AT)
    assert isinstance(missing, Missing)
    assert "too old" in missing.what[0].why
    assert missing.what[0].reference == "Observation/old"


def test_two_results_of_one_moment_are_ordered_by_when_they_were_said():
    one = observation("b", "2160-0", 1.0, "mg/dL", issued="2026-05-01T10:00:00Z")
    two = observation("a", "2160-0", 2.0, "mg/dL", issued="2026-05-01T11:00:00Z")
    for order in ((one, two), (two, one)):
        assert "Observation/a" in references(answer(EGFR, chart(*order), AT))


def panel(name, systolic, day):
    parts = [
        {
            "code": {"coding": [{"system": LOINC, "code": code}]},
            "valueQuantity": {"value": value, "code": "mm[Hg]"},
        }
        for code, value in (("8480-6", systolic), ("8462-4", 80))
    ]
    whole = observation(name, "85354-9", 0, "1", day, component=parts)
    del whole["valueQuantity"]
    return whole


def test_pressures_come_out_of_panels_as_the_mean_of_the_last_two():
    three = (panel("p1", 180, "2026-01-01"), panel("p2", 130, "2026-03-01"),
             panel("p3", 140, "2026-05-01"))  # fmt: skip
    pressure = found(chart(*three), "sbp")
    assert isinstance(pressure, Found)
    assert pressure.answer == 135
    assert [used.reference for used in pressure.used] == ["Observation/p3", "Observation/p2"]
    alone = found(chart(three[0]), "sbp")
    assert isinstance(alone, Found)
    assert alone.answer == 180


def test_a_measurement_under_two_codes_or_given_twice_is_still_one():
    both = {"coding": [{"system": LOINC, "code": code} for code in ("2160-0", "38483-4")]}
    lab = observation("a", "2160-0", 1.0, "mg/dL", code=both)
    scored = answer(EGFR, chart(lab, lab), AT)
    assert references(scored).count("Observation/a") == 1
    first, second = panel("p1", 120, "2026-01-01"), panel("p2", 140, "2026-05-01")
    pressure = found(chart(first, second, second), "sbp")
    assert [used.reference for used in pressure.used] == ["Observation/p2", "Observation/p1"]
    assert pressure.answer == 130


def test_a_resource_that_comes_twice_counts_as_it_came_last():
    old = observation("a", "2160-0", 1.0, "mg/dL")
    corrected = observation(
        "a", "2160-0", 2.0, "mg/dL", status="corrected", meta={"versionId": "2"}
    )
    scored = answer(EGFR, chart(old, corrected), AT)
    used = next(each for each in scored.used if each.input == "creatinine")
    assert (used.number, used.version) == (2.0, "2")


def test_a_number_beyond_all_measure_is_missing_and_breaks_nothing():
    lab = observation("a", "2160-0", Decimal("1e300"), "g/L")
    missing = answer(EGFR, chart(lab), AT)
    assert isinstance(missing, Missing)
    assert missing.what[0].reference == "Observation/a"


def test_decimals_as_the_store_keeps_them_are_numbers():
    lab = observation("a", "2160-0", Decimal("1.00"), "mg/dL")
    assert isinstance(answer(EGFR, chart(lab), AT), Scored)


def test_a_diagnosis_is_a_yes_with_its_reference():
    diabetes = found(chart(condition("c1", "44054006")), "diabetes")
    assert isinstance(diabetes, Found)
    assert diabetes.answer is True
    assert diabetes.used[0].reference == "Condition/c1"
    coded_otherwise = condition("c2", "E11.9", system="http://hl7.org/fhir/sid/icd-10-cm")
    assert found(chart(coded_otherwise), "diabetes").answer is True


def test_without_a_problem_list_nothing_is_a_no():
    diabetes = found(chart(), "diabetes")
    assert isinstance(diabetes, Lack)
    assert "keeps no such list" in diabetes.why


def test_on_a_kept_list_an_absent_diagnosis_is_a_no_that_is_marked_as_assumed():
    diabetes = found(chart(condition("c1", "195967001")), "diabetes")
    assert isinstance(diabetes, Found)
    assert diabetes.answer is False
    assert [used.assumed for used in diabetes.used] == [True]


UNCODED = {"text": "what somebody typed"}
LOCAL = {"coding": [{"system": "http://example.org/local", "code": "44054006"}]}
ICD9 = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-9-cm", "code": "250.00"}]}


@pytest.mark.parametrize("concept", [UNCODED, LOCAL, ICD9, None])
def test_an_open_entry_that_cannot_be_read_makes_the_silence_of_the_list_say_nothing(concept):
    typed = condition("c1", "", code=concept)
    of = chart(typed, condition("c2", "195967001"))
    diabetes = found(of, "diabetes")
    assert isinstance(diabetes, Lack)
    assert diabetes.reference == "Condition/c1"
    gate = found(of, "cardiovascular_disease")
    assert isinstance(gate, Lack)
    said = chart(typed, condition("c2", "44054006"))
    assert found(said, "diabetes").answer is True


def test_an_unreadable_entry_that_is_over_or_refuted_hides_only_what_counts_for_ever():
    over = chart(condition("c1", "", "resolved", code=UNCODED))
    assert found(over, "diabetes").answer is False
    assert isinstance(found(over, "cardiovascular_disease"), Lack)
    refuted = chart(condition("c1", "", "active", "refuted", code=UNCODED))
    assert found(refuted, "cardiovascular_disease").answer is False


@pytest.mark.parametrize(
    ("code", "calculator", "name"),
    [
        ("313436004", "prevent", "diabetes"),
        ("313435000", "prevent", "diabetes"),
        ("313436004", "charlson", "diabetes_uncomplicated"),
        ("195080001", "cha2ds2-va", "atrial_fibrillation"),
        ("443254009", "cha2ds2-va", "heart_failure"),
        ("394659003", "prevent", "cardiovascular_disease"),
        ("429457004", "cha2ds2-va", "hypertension"),
    ],
)
def test_what_a_diagnosis_is_called_more_exactly_counts_too(code, calculator, name):
    said = found(chart(condition("c1", code)), name, registry()[calculator])
    assert isinstance(said, Found)
    assert said.answer is True


def test_a_list_that_says_none_is_known_is_kept():
    none = {
        "resourceType": "List",
        "id": "l1",
        "status": "current",
        "subject": {"reference": "Patient/p1"},
        "code": {"coding": [{"system": LOINC, "code": "11450-4"}]},
        "emptyReason": {"coding": [{"code": "nilknown"}]},
        "date": "2026-05-20",
    }
    assert found(chart(none), "diabetes").answer is False
    assert isinstance(found(chart(none), "statin"), Lack)
    unasked = {**none, "emptyReason": {"coding": [{"code": "notasked"}]}}
    assert isinstance(found(chart(unasked), "diabetes"), Lack)


@pytest.mark.parametrize(
    ("clinical", "verified", "expected"),
    [
        ("active", "confirmed", True),
        ("relapse", "confirmed", True),
        ("resolved", "confirmed", False),
        ("inactive", "confirmed", False),
        ("active", "refuted", False),
        ("active", "provisional", None),
        ("active", "differential", None),
        ("active", "unconfirmed", None),
    ],
)
def test_what_a_diagnosis_of_diabetes_says_by_its_status(clinical, verified, expected):
    diabetes = found(chart(condition("c1", "44054006", clinical, verified)), "diabetes")
    if expected is None:
        assert isinstance(diabetes, Lack)
        assert diabetes.reference == "Condition/c1"
    else:
        assert diabetes.answer is expected
        assert diabetes.used[0].reference == "Condition/c1"
        assert diabetes.used[0].assumed is False


def test_a_diagnosis_entered_in_error_does_not_even_show_that_a_list_is_kept():
    wrong = condition("c1", "44054006", verified="entered-in-error")
    assert isinstance(found(chart(wrong), "diabetes"), Lack)


def test_a_stroke_that_is_over_still_counts_and_one_to_come_does_not():
    past = condition("c1", "230690007", "resolved")
    assert found(chart(past), "cardiovascular_disease").answer is True
    future = condition("c1", "230690007", onsetDateTime="2026-07-01")
    asthma = condition("c2", "195967001")
    assert found(chart(future, asthma), "cardiovascular_disease").answer is False
    assert isinstance(found(chart(future), "cardiovascular_disease"), Lack)


@pytest.mark.parametrize(
    ("text", "statin", "pressure"),
    [
        ("atorvastatin 20 MG Oral Tablet", True, False),
        ("amLODIPine 2.5 MG Oral Tablet", False, True),
        ("Hydrochlorothiazide 25 MG / lisinopril 10 MG", False, True),
        ("nystatin cream", False, False),
        ("Lipitor 20 MG", True, False),
        ("CADUET 5/10", True, True),
    ],
)
def test_a_medicine_is_known_by_the_name_of_its_ingredient(text, statin, pressure):
    of = chart(medicine("m1", text))
    assert found(of, "statin").answer is statin
    assert found(of, "bp_treatment").answer is pressure


def test_a_medicine_that_no_list_knows_is_named_beside_the_no():
    of = chart(medicine("m1", "Atorbeg 20"), medicine("m2", "lisinopril"),
               medicine("m3", "Somethingelse", "stopped"))  # fmt: skip
    statin = found(of, "statin")
    assert statin.answer is False
    beside = {used.reference: used.code for used in statin.used if used.reference}
    assert beside == {"MedicationRequest/m1": "not recognised"}
    assert all(used.assumed for used in statin.used)


def test_a_medicine_is_known_by_its_atc_code():
    concept = {"coding": [{"system": "http://www.whocc.no/atc", "code": "C10AA05"}]}
    of = chart(medicine("m1", "", medicationCodeableConcept=concept))
    assert found(of, "statin").answer is True
    assert found(of, "bp_treatment").answer is False


def test_a_medicine_is_read_inside_and_beside_the_request():
    kind = {"text": "simvastatin"}
    inside = medicine(
        "m1", "", contained=[{"resourceType": "Medication", "id": "x", "code": kind}],
        medicationReference={"reference": "#x"}, medicationCodeableConcept=None,
    )  # fmt: skip
    assert found(chart(inside), "statin").answer is True
    beside = medicine(
        "m1", "", medicationReference={"reference": "Medication/y"}, medicationCodeableConcept=None
    )
    known = {"resourceType": "Medication", "id": "y", "code": kind}
    assert found(chart(beside, known), "statin").answer is True
    unreadable = found(chart(beside), "statin")
    assert isinstance(unreadable, Lack)
    assert unreadable.reference == "MedicationRequest/m1"


@pytest.mark.parametrize("status", ["stopped", "completed", "cancelled", "on-hold", "ended"])
def test_a_medicine_that_is_not_taken_any_more_is_a_no_on_a_kept_list(status):
    statin = found(chart(medicine("m1", "simvastatin", status)), "statin")
    assert statin.answer is False


@pytest.mark.parametrize(
    "more",
    [
        {"status": "entered-in-error"},
        {"status": "draft"},
        {"intent": "proposal"},
        {"intent": "plan"},
        {"doNotPerform": True},
    ],
)
def test_what_nobody_ordered_is_no_medicine_and_no_list(more):
    assert isinstance(found(chart(medicine("m1", "simvastatin", **more)), "statin"), Lack)


@pytest.mark.parametrize(
    ("code", "expected"),
    [("449868002", True), ("266919005", False), ("8517006", False), ("266927001", None)],
)
def test_smoking_is_what_was_said_and_unknown_is_missing(code, expected):
    smoking = found(chart(coded("s1", "72166-2", SNOMED, code)), "smoking")
    if expected is None:
        assert isinstance(smoking, Lack)
        assert smoking.reference == "Observation/s1"
    else:
        assert smoking.answer is expected


def test_a_code_of_an_unknown_system_means_nothing():
    smoking = found(
        chart(coded("s1", "72166-2", "http://example.org/local", "449868002")), "smoking"
    )
    assert isinstance(smoking, Lack)


@pytest.mark.parametrize(
    ("born", "age"),
    [("1966-06-01", 60), ("1966-06-02", 59), ("1966-05-31", 60)],
)
def test_age_is_in_whole_years_at_the_moment(born, age):
    assert found(chart(born=born), "age").answer == age


@pytest.mark.parametrize("born", ["1966", "1966-06", None, "yesterday"])
def test_an_age_that_is_not_known_to_the_day_is_missing(born):
    assert isinstance(found(chart(born=born), "age"), Lack)


@pytest.mark.parametrize("sex", ["other", "unknown", None])
def test_a_sex_that_the_equation_does_not_know_is_missing(sex):
    assert isinstance(found(chart(sex=sex), "sex"), Lack)


def test_the_dead_are_not_scored():
    lab = observation("a", "2160-0", 1.0, "mg/dL")
    gone = Chart.of(patient(deceasedDateTime="2026-01-01"), [lab])
    assert isinstance(answer(EGFR, gone, AT), NotForThem)


def test_a_chart_of_two_people_is_refused():
    other = observation("a", "2160-0", 1.0, "mg/dL", subject={"reference": "Patient/p2"})
    with pytest.raises(Invalid) as refused:
        chart(other)
    assert refused.value.place == "Observation.subject"
    with pytest.raises(Invalid):
        Chart.of({"resourceType": "Practitioner", "id": "p1"}, [])


def test_a_moment_without_a_zone_is_refused():
    with pytest.raises(Invalid) as refused:
        answer(EGFR, chart(), datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point
    assert refused.value.place == "at"


@pytest.mark.parametrize(
    "broken",
    [
        {"resourceType": "Observation", "id": "x", "status": "final", "code": "2160-0"},
        {"resourceType": "Observation", "id": "x", "status": "final", "component": [1, None]},
        {"resourceType": "Observation", "id": "x", "status": "final", "effectiveDateTime": 7},
        {"resourceType": "Condition", "id": "x", "code": {"coding": "E11"}},
        {"resourceType": "MedicationRequest", "id": "x", "status": "active", "intent": "order"},
        {"resourceType": "Encounter", "id": "x", "status": "finished", "period": []},
        {"resourceType": "QuestionnaireResponse", "id": "x", "status": "completed", "item": {}},
        {"resourceType": None},
    ],
)
def test_a_resource_of_a_strange_shape_gives_nothing_and_breaks_nothing(broken):
    for calculator in registry().values():
        assert answer(calculator, chart(broken), AT) is not None


def test_kidney_function_and_body_mass_are_computed_where_none_is_recorded():
    weight = observation("w", "29463-7", 81, "kg")
    height = observation("h", "8302-2", 180, "cm", "2020-01-01")
    lab = observation("scr", "38483-4", 0.9, "mg/dL")
    of = chart(weight, height, lab)
    missing = answer(PREVENT, of, AT)
    assert isinstance(missing, Missing)
    assert {"egfr", "bmi"}.isdisjoint(lack.input for lack in missing.what)
    behind = {used.input: used.reference for used in missing.used}
    assert behind["bmi.weight"] == "Observation/w"
    assert behind["bmi.height"] == "Observation/h"
    assert behind["egfr.creatinine"] == "Observation/scr"


def behind(of_chart, name="egfr"):
    """What PREVENT takes for an input: its number and reference, or why it has none."""
    missing = answer(PREVENT, of_chart, AT)
    used = {each.input: (each.number, each.reference) for each in missing.used}
    return used.get(name) or next(each for each in missing.what if each.input == name)


def test_a_recorded_kidney_function_goes_before_one_computed_of_values_as_old():
    lab = observation("scr", "38483-4", 0.9, "mg/dL")
    said = observation("gfr", "98979-8", 55, "mL/min/{1.73_m2}")
    older = observation("scr", "38483-4", 0.9, "mg/dL", "2026-04-01")
    assert behind(chart(lab, said)) == (55, "Observation/gfr")
    assert behind(chart(older, said)) == (55, "Observation/gfr")
    assert behind(chart(said)) == (55, "Observation/gfr")


@pytest.mark.parametrize("day", ["2024-07-01", "2024-03-01"])
def test_a_newer_creatinine_goes_before_a_recorded_kidney_function(day):
    """Whether the recorded one is still within the look-back or beyond it."""
    said = observation("gfr", "98979-8", 90, "mL/min/{1.73_m2}", day)
    failing = observation("scr", "2160-0", 2.5, "mg/dL", "2026-05-31")
    number, reference = behind(chart(said, failing))
    assert number == pytest.approx(21, abs=1)
    assert reference == ""
    four = registry()["kidney-failure-4"]
    risk = answer(
        four, chart(said, failing, observation("u", "9318-7", 300, "mg/g"),
                    condition("c", "38341003"), address=[{"country": "US"}]), AT,
    )  # fmt: skip
    assert isinstance(risk, Scored)
    assert "Observation/scr" in references(risk)
    assert "Observation/gfr" not in references(risk)


def test_a_newer_creatinine_that_cannot_be_read_is_not_hidden_by_an_older_kidney_function():
    said = observation("gfr", "98979-8", 90, "mL/min/{1.73_m2}", "2026-05-01")
    unread = observation("scr", "2160-0", 3.5, "", "2026-05-31")
    lack = behind(chart(said, unread))
    assert isinstance(lack, Lack)
    assert "2026-05-01" in lack.why
    assert lack.reference == "Observation/scr"


def test_a_newer_weight_goes_before_a_recorded_body_mass_if_there_is_a_height():
    said = observation("bmi", "39156-5", 24, "kg/m2", "2024-07-01")
    weight = observation("w", "29463-7", 110, "kg", "2026-05-31")
    height = observation("h", "8302-2", 170, "cm", "2020-01-01")
    assert behind(chart(said, weight, height), "bmi")[0] == pytest.approx(38.1)
    assert behind(chart(said, weight), "bmi") == (24, "Observation/bmi")
    old = observation("w", "29463-7", 110, "kg", "2024-06-01")
    assert behind(chart(said, old, height), "bmi") == (24, "Observation/bmi")


def test_a_score_for_people_with_a_disease_asks_whether_they_have_it():
    va = registry()["cha2ds2-va"]
    assert isinstance(answer(va, chart(condition("c1", "195967001")), AT), NotForThem)
    unknown = answer(va, chart(), AT)
    assert isinstance(unknown, Missing)
    assert "atrial_fibrillation" in {lack.input for lack in unknown.what}
    scored = answer(va, chart(condition("c1", "49436004")), AT)
    assert isinstance(scored, Scored)
    assert "heart_failure" in scored.assumed
    assert "atrial_fibrillation" not in scored.assumed


def test_somebody_with_a_heart_attack_is_not_scored_by_prevent():
    shut = answer(PREVENT, chart(condition("c1", "22298006", "resolved")), AT)
    assert isinstance(shut, NotForThem)
    assert shut.used[0].reference == "Condition/c1"


def stay(name, start, end, kind="IMP", came="emd"):
    return {
        "resourceType": "Encounter",
        "id": name,
        "status": "finished",
        "class": {"code": kind},
        "subject": {"reference": "Patient/p1"},
        "period": {"start": start, "end": end},
        "hospitalization": {"admitSource": {"coding": [{"code": came}]}},
    }


def test_lace_is_read_from_stays_visits_and_the_problem_list():
    of = chart(
        stay("s1", "2026-05-20T08:00:00Z", "2026-05-25T10:00:00Z"),
        stay("e0", "2026-05-20T02:00:00Z", "2026-05-20T07:30:00Z", "EMER"),
        stay("e1", "2026-02-01T02:00:00Z", "2026-02-01T07:30:00Z", "EMER"),
        stay("e2", "2025-10-01T02:00:00Z", "2025-10-01T07:30:00Z", "EMER"),
        condition("c1", "84114007"),
    )
    scored = answer(registry()["lace"], of, AT)
    assert isinstance(scored, Scored)
    # 5 days: 4; as an emergency: 3; heart failure: 2; one visit (e0 led to the stay): 1.
    assert scored.value("score").number == 10
    assert scored.band.name == "high"
    used = {each.input: each.reference for each in scored.used}
    assert used["days"] == "Encounter/s1"
    assert used["emergency_visits"] == "Encounter/e1"


def test_without_a_stay_lace_is_missing_it():
    missing = answer(registry()["lace"], chart(condition("c1", "84114007")), AT)
    assert isinstance(missing, Missing)
    assert {lack.input for lack in missing.what} == {"days", "acute", "emergency_visits"}


@pytest.mark.parametrize(
    ("end", "counts"),
    [("2026-05-02T12:00:00Z", True), ("2026-05-02T11:00:00Z", False), ("2019-05-25", False)],
)
def test_a_stay_of_more_than_30_days_ago_calls_for_no_lace(end, counts):
    of = chart(stay("s1", "2019-05-20T08:00:00Z", end), condition("c1", "84114007"))
    days, acute = (found(of, name, registry()["lace"]) for name in ("days", "acute"))
    assert isinstance(days, Found) is counts
    assert isinstance(acute, Found) is counts
    if not counts:
        assert isinstance(answer(registry()["lace"], of, AT), Missing)
        assert (days.reference, "too old" in days.why) == ("Encounter/s1", True)


def test_a_stay_lasts_until_now_only_while_it_is_not_over():
    lace = registry()["lace"]
    begun = stay("s1", "2026-05-20T08:00:00Z", None)
    lasting = {**begun, "status": "in-progress"}
    assert found(chart(lasting), "days", lace).answer == 12
    over = found(chart(begun), "days", lace)
    assert isinstance(over, Lack)
    assert over.reference == "Encounter/s1"
    old = stay("s1", "2019-05-20T08:00:00Z", None)
    assert isinstance(found(chart(old), "acute", lace), Lack)


PHQ = ("44250-9", "44255-8", "44259-0", "44254-1", "44251-7", "44258-2", "44252-5", "44253-3",
       "44260-8")  # fmt: skip
OFTEN = ("LA6568-5", "LA6569-3", "LA6570-1", "LA6571-9")


def phq(answers):
    return [
        coded(f"q{n}", code, LOINC, OFTEN[points], "2026-05-30")
        for n, (code, points) in enumerate(zip(PHQ, answers, strict=True))
        if points is not None
    ]


def test_phq_9_is_read_from_coded_answers():
    scored = answer(registry()["phq-9"], chart(*phq((1, 1, 2, 2, 1, 1, 1, 1, 0))), AT)
    assert isinstance(scored, Scored)
    assert scored.value("score").number == 10
    assert scored.safety == ()


def test_item_9_raises_the_safety_action_whatever_the_sum_and_whatever_is_missing():
    scored = answer(registry()["phq-9"], chart(*phq((0, 0, 0, 0, 0, 0, 0, 0, 1))), AT)
    assert (scored.value("score").number, scored.band.name) == (1, "minimal")
    assert [action.urgency for action in scored.safety] == ["critical"]
    alone = answer(registry()["phq-9"], chart(*phq((None,) * 8 + (1,))), AT)
    assert isinstance(alone, Missing)
    assert [action.id for action in alone.safety] == ["safety"]
    old_person = chart(*phq((0, 0, 0, 0, 0, 0, 0, 0, 3)), sex="unknown")
    assert answer(registry()["phq-9"], old_person, AT).safety


def test_phq_9_is_read_from_a_completed_questionnaire():
    items = [
        {
            "linkId": f"/{code}",
            "answer": [{"valueCoding": {"system": LOINC, "code": OFTEN[1]}}],
        }
        for code in PHQ
    ]
    whole = {
        "resourceType": "QuestionnaireResponse",
        "id": "r1",
        "status": "completed",
        "subject": {"reference": "Patient/p1"},
        "authored": "2026-05-30T10:00:00Z",
        "item": [{"linkId": "all", "item": items}],
    }
    scored = answer(registry()["phq-9"], chart(whole), AT)
    assert scored.value("score").number == 9
    assert set(references(scored)) == {"QuestionnaireResponse/r1"}
    assert scored.safety
    unfinished = {**whole, "status": "in-progress"}
    assert isinstance(answer(registry()["phq-9"], chart(unfinished), AT), Missing)


def test_the_country_of_the_address_chooses_the_baseline_of_the_kidney_failure_equation():
    four = registry()["kidney-failure-4"]
    lived = {
        "US": "north-america", "ca": "north-america", "FR": "elsewhere", "NO": "elsewhere",
        "United States": "north-america", "U.S.A.": "north-america", "Germany": "elsewhere",
    }  # fmt: skip
    for country, region in lived.items():
        of = chart(address=[{"country": country}])
        assert found(of, "region", four).answer == region
    assert isinstance(found(chart(), "region", four), Lack)
    for unclear in ("NA", "PR", "unknown", "Los Estados Unidos"):
        assert isinstance(found(chart(address=[{"country": unclear}]), "region", four), Lack)


def test_kidney_function_is_not_computed_of_creatinine_on_dialysis():
    lab = observation("scr", "2160-0", 7.5, "mg/dL")
    for code, system in (("105502003", SNOMED), ("Z99.2", "http://hl7.org/fhir/sid/icd-10-cm")):
        dialysis = condition("c1", code, system=system)
        assert isinstance(answer(EGFR, chart(lab, dialysis), AT), NotForThem)
    assert isinstance(answer(EGFR, chart(lab, condition("c1", "195967001")), AT), Scored)


def test_liver_fibrosis_is_not_told_of_an_acute_hepatitis_nor_of_results_years_apart():
    fib = registry()["fib-4"]

    def liver(ast, alt, ast_day="2026-05-01"):
        return chart(observation("ast", "1920-8", ast, "U/L", ast_day),
                     observation("alt", "1742-6", alt, "U/L"),
                     observation("plt", "777-3", 200, "10*9/L"))  # fmt: skip

    assert isinstance(answer(fib, liver(80, 64), AT), Scored)
    assert isinstance(answer(fib, liver(3000, 3500), AT), OutOfRange)
    assert isinstance(answer(fib, liver(80, 64, "2026-02-01"), AT), Scored)
    apart = answer(fib, liver(80, 64, "2026-01-30"), AT)
    assert isinstance(apart, Missing)
    assert [(lack.input, lack.reference) for lack in apart.what] == [("ast", "Observation/ast")]


def test_body_mass_is_not_computed_of_a_childs_height():
    bmi = registry()["body-mass-index"]
    weight = observation("w", "29463-7", 70, "kg")
    small, grown = (observation("h", "8302-2", cm, "cm", day)
                    for cm, day in ((130, "2016-05-01"), (180, "2025-05-01")))  # fmt: skip
    young = answer(bmi, chart(weight, small, born="2007-02-01"), AT)
    assert isinstance(young, Missing)
    assert "since the age of 18" in young.what[0].why
    assert answer(bmi, chart(weight, grown, born="2007-02-01"), AT).value("bmi").number == 21.6


VITALS = (("rr", "9279-1", 26, "/min"), ("o2", "59408-5", 90, "%"), ("flow", "3151-8", 2, "L/min"),
          ("sbp", "8480-6", 95, "mm[Hg]"), ("hr", "8867-4", 112, "/min"),
          ("t", "8310-5", 38.5, "Cel"))  # fmt: skip


def vitals(**hours):
    """A whole set of 10 o'clock, of which some are of another hour."""
    day = "2026-06-01T{:02}:00:00Z"
    made = [observation(name, code, value, unit, day.format(hours.get(name, 10)))
            for name, code, value, unit in VITALS]  # fmt: skip
    return [*made, coded("avpu", "67775-7", LOINC, "LA9340-6", day.format(10))]


def test_an_early_warning_is_of_one_set_of_vital_signs():
    news = registry()["news2"]
    assert isinstance(answer(news, chart(*vitals()), AT), Scored)
    assert isinstance(answer(news, chart(*vitals(hr=6)), AT), Scored)
    mixed = answer(news, chart(*vitals(rr=1, hr=5)), AT)
    assert isinstance(mixed, Missing)
    assert {lack.input for lack in mixed.what} == {"respiratory_rate", "heart_rate"}
    assert isinstance(answer(registry()["qsofa"], chart(*vitals(rr=1)), AT), Missing)


@pytest.mark.parametrize("name", ["news2", "qsofa", "body-mass-index"])
def test_a_score_with_a_limit_of_age_is_not_told_where_the_age_is_unknown(name):
    measured = [*vitals(), observation("w", "29463-7", 70, "kg"),
                observation("h", "8302-2", 180, "cm")]  # fmt: skip
    assert isinstance(answer(registry()[name], chart(*measured), AT), Scored)
    unknown = answer(registry()[name], chart(*measured, born=None), AT)
    assert isinstance(unknown, Missing)
    assert [lack.input for lack in unknown.what] == ["age"]
    assert isinstance(
        answer(registry()[name], chart(*measured, born="2015-01-01"), AT), OutOfRange | Missing
    )


@pytest.mark.parametrize("name", ["cha2ds2-va", "cha2ds2-vasc"])
def test_a_stroke_score_does_not_decide_where_the_valve_does(name):
    af, stenosis = condition("c1", "49436004"), condition("c2", "79619009")
    valve = condition("c3", "Z95.2", system="http://hl7.org/fhir/sid/icd-10-cm")
    assert isinstance(answer(registry()[name], chart(af), AT), Scored)
    for each in (stenosis, valve):
        assert isinstance(answer(registry()[name], chart(af, each), AT), NotForThem)


def test_of_the_strokes_has_bled_counts_no_transient_attack():
    bled = registry()["has-bled"]
    assert found(chart(condition("c1", "266257000")), "stroke", bled).answer is False
    assert found(chart(condition("c1", "230690007")), "stroke", bled).answer is True
    assert found(chart(condition("c1", "266257000")), "stroke", registry()["cha2ds2-va"]).answer


def test_what_a_person_adds_at_the_screen_goes_before_the_chart_and_is_checked():
    lab = observation("scr", "2160-0", 1.0, "mg/dL")
    added = answer(EGFR, chart(lab), AT, {"creatinine": Quantity(2.0, "mg/dL")})
    assert isinstance(added, Scored)
    assert "Observation/scr" not in references(added)
    with pytest.raises(Invalid):
        answer(EGFR, chart(lab), AT, {"creatinine": Quantity(2.0, "")})
    with pytest.raises(Invalid):
        answer(EGFR, chart(lab), AT, {"creatine": Quantity(2.0, "mg/dL")})


def test_everything_that_is_asked_is_among_what_is_wanted():
    asked_for = wanted([PREVENT])
    assert {"Observation", "Condition", "MedicationRequest", "List"} <= set(asked_for.types)
    # Of kidney function and body mass what they are computed from, too.
    assert {"8480-6", "98979-8", "38483-4", "29463-7", "8302-2"} <= set(asked_for.loinc)
    assert asked_for.days is None
    assert wanted([EGFR]).days == 730
    assert wanted([registry()["lace"]]).types == ("Encounter", "Condition", "List")


def test_a_future_event_changes_no_answer():
    now = [observation("scr", "2160-0", 1.0, "mg/dL"), condition("c1", "195967001")]
    later = [
        observation("n1", "2160-0", 9.0, "mg/dL", "2026-06-02"),
        condition("n2", "49436004", recordedDate="2026-06-02"),
        medicine("n3", "simvastatin", authoredOn="2026-06-02"),
        stay("n4", "2026-06-02T00:00:00Z", "2026-06-03T00:00:00Z"),
    ]
    for calculator in registry().values():
        before = answer(calculator, chart(*now), AT)
        assert answer(calculator, chart(*now, *later[:2], later[3]), AT) == before
    # A medicine ordered later would show that a list is kept: also that is not seen.
    assert isinstance(found(chart(*now, later[2]), "statin"), Lack)
    assert datetime(2026, 6, 2, tzinfo=UTC) > AT

"""Charts become events that name nobody: no id, no text, no true date, no full zip code."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyclinic.services.insights.domain.events import (
    Pseudonyms,
    events_of,
    facts_of,
    shown,
    shown_counts,
)

TODAY = datetime(2026, 6, 1, tzinfo=UTC)
KEYED = Pseudonyms(b"k" * 32, 1)
LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
OMB = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race"


def coded(system, code, text="Mrs Ada Lovelace"):
    return {"coding": [{"system": system, "code": code, "display": text}], "text": text}


def observation(code, value, unit, at="2026-03-01T08:00:00Z", **more):
    return {
        "resourceType": "Observation", "id": "o1", "status": "final", "code": coded(LOINC, code),
        "subject": {"reference": "Patient/ada", "display": "Ada Lovelace"},
        "effectiveDateTime": at, "valueQuantity": {"value": value, "code": unit}, **more,
    }  # fmt: skip


PATIENT = {
    "resourceType": "Patient", "id": "ada", "birthDate": "1950-02-03", "gender": "female",
    "name": [{"family": "Lovelace", "given": ["Ada"]}], "telecom": [{"value": "555-0123"}],
    "address": [{"line": ["12 Long Lane"], "city": "Boston", "postalCode": "02139-1234"}],
    "extension": [{"url": OMB, "extension": [
        {"url": "ombCategory", "valueCoding": {"system": "urn:oid:x", "code": "2054-5"}},
        {"url": "text", "valueString": "Ada says so"}]}],
}  # fmt: skip
CHART = [
    PATIENT,
    observation("2345-7", 98.0, "mg/dL", issued="2026-03-02T09:00:00Z", note=[{"text": "Ada"}]),
    {"resourceType": "Condition", "id": "c1", "code": coded(SNOMED, "44054006"),
     "onsetDateTime": "2024-01-05", "recordedDate": "2025-01-05",
     "meta": {"lastUpdated": "2026-01-01T00:00:00Z"}},
    {"resourceType": "Encounter", "id": "e1", "status": "finished", "class": {"code": "IMP"},
     "period": {"start": "2026-02-01T10:00:00Z", "end": "2026-02-04T10:00:00Z"},
     "reasonCode": [{"text": "Ada fell down"}]},
    {"resourceType": "MedicationRequest", "id": "m1", "status": "active", "intent": "order",
     "authoredOn": "2026-02-04", "medicationCodeableConcept": coded(
         "http://www.nlm.nih.gov/research/umls/rxnorm", "860975")},
    {"resourceType": "Appointment", "id": "a1", "status": "noshow",
     "created": "2026-01-01T00:00:00Z", "start": "2026-01-20T09:00:00Z", "comment": "Ada"},
]  # fmt: skip


def by_code(facts):
    return {each.code: each for each in facts}


def test_a_chart_is_read_as_coded_facts_with_the_day_on_which_they_were_known():
    found = by_code(facts_of(CHART))
    assert found.keys() == {
        "MEDS_BIRTH", "SEX//female", "ZIP3//021", "RACE//2054-5", "LOINC//2345-7",
        "SNOMED//44054006", "STAY//IMP//START", "STAY//IMP//END", "RXNORM//860975",
        "APPOINTMENT//PLANNED", "APPOINTMENT//MISSED",
    }  # fmt: skip
    sugar = found["LOINC//2345-7"]
    assert (sugar.value, sugar.unit, sugar.known_at.day) == (98.0, "mg/dL", 2)
    diabetes = found["SNOMED//44054006"]
    assert (diabetes.time.year, diabetes.known_at.year) == (2024, 2025)
    assert found["STAY//IMP//END"].value == 3.0
    planned = found["APPOINTMENT//PLANNED"]
    assert planned.known_at < planned.time


@pytest.mark.parametrize(
    ("version", "recorded", "known"),
    [("1", None, 2026), ("2", None, 2010), ("2", "2012-05-01", 2012), (None, None, 2026)],
)
def test_an_old_diagnosis_that_was_mended_is_not_known_only_since_then(version, recorded, known):
    meta = {"versionId": version, "lastUpdated": "2026-01-01T00:00:00Z"}
    old = {"resourceType": "Condition", "id": "c1", "code": coded(SNOMED, "44054006"),
           "onsetDateTime": "2010-03-01", "recordedDate": recorded, "meta": meta}  # fmt: skip
    [diabetes] = facts_of([old])
    assert (diabetes.time.year, diabetes.known_at.year) == (2010, known)


def test_no_word_of_a_chart_and_no_true_date_is_in_an_event():
    rows = events_of(KEYED, "Patient/ada", CHART, TODAY)
    text = str(rows).encode()
    for word in (b"Ada", b"ada", b"Lovelace", b"02139", b"Boston", b"555", b"1950-02-03", b"fell"):
        assert word not in text
    true = {each.time for each in facts_of(CHART)}
    assert not true.intersection(each.time for each in rows)
    assert len({each.subject for each in rows}) == 1
    assert all(len(each.subject) == len(each.source) == 16 for each in rows)


def test_all_times_of_a_patient_move_alike_to_the_past_and_weekdays_stay():
    facts = by_code(facts_of(CHART))
    rows = by_code(events_of(KEYED, "Patient/ada", CHART, TODAY))
    moved = {facts[code].time - rows[code].time for code in facts}
    assert len(moved) == 1
    days = moved.pop().days
    assert days >= 7
    assert days % 7 == 0
    assert {facts[c].known_at - rows[c].known_at for c in facts} == {timedelta(days=days)}


@given(st.text(min_size=1), st.text(min_size=1))
def test_names_and_shifts_are_keyed_and_a_new_generation_has_others(one, other):
    assert KEYED.subject(one) == KEYED.subject(one)
    assert (KEYED.subject(one) == KEYED.subject(other)) == (one == other)
    for changed in (Pseudonyms(b"x" * 32, 1), Pseudonyms(b"k" * 32, 2)):
        assert changed.subject(one) != KEYED.subject(one)
    assert Pseudonyms(b"x" * 32, 1).source(one) != KEYED.source(one)
    assert KEYED.subject(one) != KEYED.source(one)
    assert timedelta(weeks=-156) <= KEYED.shift(one) <= timedelta(weeks=-1)


def test_the_secret_is_not_in_what_is_printed():
    assert "kkk" not in repr(KEYED)


def test_nothing_tells_that_somebody_is_older_than_90():
    old, older = ({**PATIENT, "birthDate": born} for born in ("1931-01-01", "1919-07-09"))
    assert events_of(KEYED, "Patient/ada", [old], TODAY) == events_of(
        KEYED, "Patient/ada", [older], TODAY
    )
    young = events_of(KEYED, "Patient/ada", [PATIENT], TODAY)
    assert young != events_of(KEYED, "Patient/ada", [old], TODAY)


def test_a_zip_code_of_few_people_is_given_as_000():
    few = {**PATIENT, "address": [{"postalCode": "03601"}]}
    assert "ZIP3//000" in by_code(facts_of([few]))
    strange = {**PATIENT, "address": [{"postalCode": "SW1A 2AA"}]}
    assert not [code for code in by_code(facts_of([strange])) if code.startswith("ZIP3")]


@pytest.mark.parametrize(
    "said",
    [
        observation("2345-7", 98.0, "mg/dL", status="entered-in-error"),
        observation("2345-7", 98.0, "mg/dL", at=None),
        {**CHART[1], "code": coded("urn:our-own", "Ada Lovelace")},
        observation("Ada Lovelace was here", 98.0, "mg/dL"),
        {"resourceType": "Condition", "id": "c", "code": coded(SNOMED, "44054006"),
         "onsetDateTime": "2024-01-05", "verificationStatus": coded("x", "refuted")},
        {"resourceType": "Patient", "id": "p"},
        {"resourceType": "Practitioner", "id": "p"},
        {"resourceType": "Encounter", "id": "e", "status": "planned", "class": {"code": "IMP"}},
    ],
)  # fmt: skip
def test_what_is_in_error_undated_or_in_own_words_says_nothing(said):
    assert list(facts_of([said])) == []


def test_a_number_without_a_known_unit_is_no_number():
    for unit in ("", "stones per fortnight", None):
        fact = next(iter(facts_of([observation("2345-7", 98.0, unit)])))
        assert (fact.value, fact.unit) == (None, "")


def test_fewer_than_11_people_are_not_counted_out():
    assert [shown(n) for n in (0, 1, 10, 11, 500)] == [0, None, None, 11, 500]


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 60), min_size=1))
def test_one_hidden_part_is_never_alone_where_the_sum_would_betray_it(counts):
    answer = shown_counts(counts)
    hidden = [name for name, count in answer.items() if count is None]
    others = [name for name, count in counts.items() if count and name not in hidden]
    assert len(hidden) != 1 or not others
    assert all(
        counts[name] >= 11 or not counts[name] for name in answer if answer[name] is not None
    )

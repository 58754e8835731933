"""Medicines, conditions, allergies, searches and sessions as rules."""

from datetime import date

import pytest
import sample

from polyclinic.foundation.errors import Invalid
from polyclinic.services.portal.domain import session as rules
from polyclinic.services.portal.domain.medicines import dosage, read_medicines, tidy
from polyclinic.services.portal.domain.problems import (
    care_team,
    people_of,
    read_allergies,
    read_conditions,
    read_visits,
)
from polyclinic.services.portal.domain.search import read_search

RECORD = sample.record()
KEY = b"k" * 32


def of(kind: str) -> list[dict]:
    return [r for r in RECORD if r["resourceType"] == kind]


def test_a_medicine_ordered_twice_is_one_medicine():
    found = read_medicines(of("MedicationRequest"))
    metformin = next(m for m in found if m.name.startswith("Metformin"))
    assert (metformin.orders, metformin.dose, metformin.is_current) == (
        2,
        "1 tablet, twice a day",
        True,
    )
    assert [m.is_current for m in found] == [True, True, True, False]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("Simvastatin 10 MG Oral Tablet", "Simvastatin 10 mg oral tablet"),
        ("insulin isophane 100 UNT/ML [Humulin N]", "Insulin isophane 100 units/mL [Humulin N]"),
    ],
)
def test_names_of_medicines_are_readable(given, said):
    assert tidy(given) == said


@pytest.mark.parametrize(
    ("instruction", "said"),
    [
        ({"text": "Take with food"}, "Take with food"),
        ({"timing": {"repeat": {"frequency": 1, "period": 8, "periodUnit": "h"}}}, "Every 8 hours"),
        ({"asNeededBoolean": True}, "When needed"),
        ({"doseAndRate": [{"doseQuantity": {"value": 2}}]}, "2 at a time"),
        ({}, ""),
    ],
)
def test_a_dose_is_said_in_words(instruction, said):
    assert dosage({"dosageInstruction": [instruction]}) == said


def test_conditions_lose_their_tags_and_circumstances_stand_apart():
    found = read_conditions(of("Condition"))
    assert [(c.name, c.is_active) for c in found if not c.is_circumstance] == [
        ("Hyperlipidemia", True),
        ("Diabetes mellitus type 2", True),
        ("Essential hypertension", True),
        ("Acute viral pharyngitis", False),
    ]
    assert [c.name for c in found if c.is_circumstance] == ["Full-time employment"]


def test_a_condition_that_is_back_is_listed_once_since_its_first_day():
    first, again = (
        dict(of("Condition")[0], onsetDateTime=day) for day in ("2019-01-01", "2022-01-01")
    )
    (found,) = read_conditions([again, first])
    assert found.since is not None
    assert found.since.year == 2019


def test_nothing_recorded_is_not_the_same_as_no_allergies():
    none = {
        "resourceType": "AllergyIntolerance",
        "code": sample.coded(sample.SCT, "716186003", "None"),
    }
    assert read_allergies([]).words == "No allergies recorded"
    assert read_allergies([none]).words == "No known allergies"
    assert [a.text for a in read_allergies(of("AllergyIntolerance")).known] == [
        "Penicillin: anaphylaxis"
    ]


def test_the_care_team_is_named_with_roles():
    people = people_of(of("Practitioner"))
    assert care_team(of("CareTeam"), of("Encounter"), people) == [
        ("Dr Ana Ruiz", "Primary care physician"),
        ("Priya Nair", "Diabetes nurse"),
    ]


def test_visits_are_newest_first_with_who_was_seen():
    found = read_visits(of("Encounter"), people_of(of("Practitioner")))
    assert (found[0].what, found[0].who) == ("Follow-up encounter", "Dr Ana Ruiz")


@pytest.mark.parametrize(
    ("typed", "names", "born", "number"),
    [
        ("Keller", ("Keller",), None, ""),
        ("keller, maria 3/14/1968", ("keller", "maria"), date(1968, 3, 14), ""),
        ("14 Mar 1968", (), date(1968, 3, 14), ""),
        ("1968-03-14 20411877", (), date(1968, 3, 14), "20411877"),
        ("O'Brien", ("O'Brien",), None, ""),
    ],
)
def test_one_box_takes_names_dates_and_numbers(typed, names, born, number):
    found = read_search(typed)
    assert (found.names, found.born, found.number) == (names, born, number)


@pytest.mark.parametrize("typed", ["", "  ", "k", "2/30/1968", "1968-13-01"])
def test_a_search_that_cannot_work_says_how_it_would(typed):
    with pytest.raises(Invalid, match=r"Enter|Write"):
        read_search(typed)


def test_an_attempt_to_sign_in_follows_from_its_cookie_alone():
    begun = rules.begin(KEY, "/results")
    again = rules.attempt(KEY, begun.cookie)
    assert again == begun
    assert again.next == "/results"
    assert rules.attempt(b"x" * 32, begun.cookie).state != begun.state


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "https://evil.example", "/a?b", "/\\evil", ""]
)
def test_signing_in_never_leads_to_another_site(wanted):
    assert rules.begin(KEY, wanted).next == "/"


@pytest.mark.parametrize("change", [{"state": "x"}, {"iss": "urn:other"}, {"code": ""}])
def test_an_answer_of_another_attempt_or_issuer_is_refused(change):
    begun = rules.begin(KEY, "/")
    answer = {"state": begun.state, "iss": "urn:polyclinic", "code": "c"} | change
    with pytest.raises(Invalid):
        rules.answered_code(begun, answer, "urn:polyclinic")


def test_an_id_token_with_another_nonce_is_refused():
    begun = rules.begin(KEY, "/")
    claims = {"iss": "urn:polyclinic", "aud": "portal", "exp": 200, "sub": "s", "nonce": "x"}
    with pytest.raises(Invalid):
        rules.check_id_token(claims, begun, "urn:polyclinic", 100)
    good = claims | {"nonce": begun.nonce, "name": "Ana"}
    assert rules.check_id_token(good, begun, "urn:polyclinic", 100) == ("s", "Ana")

import hashlib
import re
from collections import Counter
from importlib.resources import files

import msgspec
import pytest

from polyclinic.demo import people
from polyclinic.demo.fixture import PATH, bundles, relations
from polyclinic.standards.fhir.codec import decode
from polyclinic.standards.fhir.validation import validate

DATA = files("polyclinic.demo")


@pytest.fixture(scope="module")
def decoded():
    return [msgspec.json.decode(line) for line in bundles()]


@pytest.fixture(scope="module")
def records(decoded):
    """For each patient the resources of the record, by type."""
    found = {}
    for bundle in decoded[1:]:
        by_type = {}
        for entry in bundle["entry"]:
            resource = entry["resource"]
            by_type.setdefault(resource["resourceType"], []).append(resource)
        (patient,) = by_type["Patient"]
        found[patient["name"][0]["family"]] = by_type
    return found


def references(value):
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def code(resource):
    return resource["code"].get("coding", [{}])[0].get("code")


def test_the_fixture_is_small_and_is_the_one_that_its_readme_describes():
    assert len(DATA.joinpath(PATH).read_bytes()) <= 4_000_000
    whole = b"".join(line + b"\n" for line in bundles())
    assert hashlib.sha256(whole).hexdigest() in DATA.joinpath("data/README.md").read_text()


def test_there_are_twelve_patients_and_some_thousand_resources(decoded, records):
    assert len(records) == 12
    assert 5_000 <= sum(len(bundle["entry"]) for bundle in decoded) <= 10_000


def test_every_entry_is_put_at_its_own_id_and_no_id_is_used_twice(decoded):
    places = []
    for bundle in decoded:
        assert bundle["type"] == "transaction"
        for entry in bundle["entry"]:
            resource = entry["resource"]
            place = f"{resource['resourceType']}/{resource['id']}"
            assert entry["request"] == {"method": "PUT", "url": place}
            assert re.fullmatch(r"[A-Za-z0-9.-]{1,64}", resource["id"])
            places.append(place)
    assert [place for place, count in Counter(places).items() if count > 1] == []


def test_every_reference_resolves_within_its_bundle_or_in_the_clinic_that_comes_first(decoded):
    clinic = {entry["request"]["url"] for entry in decoded[0]["entry"]}
    for bundle in decoded:
        own = {entry["fullUrl"] for entry in bundle["entry"]}
        assert len(own) == len(bundle["entry"])
        assert set(references(bundle)) - own - clinic == set()


def test_every_resource_is_valid_r4():
    found = []
    for line in bundles():
        for entry in decode(line)["entry"]:
            found += validate(entry["resource"])
    assert found == []


def test_each_patient_has_a_name_a_birth_date_and_a_record_number_of_their_own(records):
    numbers = []
    for by_type in records.values():
        (patient,) = by_type["Patient"]
        assert patient["active"] is True
        assert patient["name"][0]["given"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", patient["birthDate"])
        numbers += [
            identifier["value"]
            for identifier in patient["identifier"]
            if identifier["system"] == "https://northside.example/mrn"
        ]
    assert len(numbers) == len(set(numbers)) == 12


def test_each_record_is_complete_enough_to_look_alive(records):
    for by_type in records.values():
        assert {"Encounter", "Observation", "Immunization", "CareTeam"} <= by_type.keys()
        assert {"DiagnosticReport", "Coverage", "DocumentReference"} <= by_type.keys()
        categories = {o["category"][0]["coding"][0]["code"] for o in by_type["Observation"]}
        assert {"laboratory", "vital-signs"} <= categories


def test_the_patients_are_of_all_kinds(records):
    def allergies(family):
        return {
            code_["code"]["coding"][0]["display"] for code_ in records[family]["AllergyIntolerance"]
        }

    def problems(family):
        return {
            condition["code"]["coding"][0]["display"]
            for condition in records[family]["Condition"]
            if condition["clinicalStatus"]["coding"][0]["code"] == "active"
        }

    born = {family: by_type["Patient"][0]["birthDate"] for family, by_type in records.items()}
    assert min(born.values()) < "1945"
    assert max(born.values()) > "2020"
    assert "Penicillin V" in allergies("Ortiz") & allergies("Kim")
    assert any("pregnancy" in problem for problem in problems("Nguyen"))
    assert problems("Adeyemi") == set()
    assert {"Diabetes mellitus type 2 (disorder)", "Essential hypertension (disorder)"} <= problems(
        "Keller"
    )


def test_no_problem_and_no_current_medicine_is_listed_twice(records):
    for by_type in records.values():
        problems = Counter(
            code(condition)
            for condition in by_type.get("Condition", [])
            if condition["clinicalStatus"]["coding"][0]["code"] == "active"
        )
        drugs = Counter(
            order["medicationCodeableConcept"]["coding"][0]["code"]
            for order in by_type.get("MedicationRequest", [])
            if order["status"] == "active"
        )
        assert set((problems + drugs).values()) <= {1}


def test_maria_keller_has_years_of_blood_tests_with_ranges_and_a_note_on_the_latest(records):
    keller = records["Keller"]
    (patient,) = keller["Patient"]
    assert f"Patient/{patient['id']}" == people.MARIA_KELLER
    assert patient["birthDate"] == "1968-03-14"
    for test in ("4548-4", "2339-0", "38483-4", "6298-4", "718-7", "18262-6"):
        results = [o for o in keller["Observation"] if code(o) == test]
        days = sorted(result["effectiveDateTime"][:10] for result in results)
        assert len(days) >= 8
        assert days[-1] == "2026-11-12"
        assert all(result["referenceRange"] and result["interpretation"] for result in results)
    latest = max(keller["DiagnosticReport"], key=lambda report: report["effectiveDateTime"])
    assert "Keep taking metformin" in latest["conclusion"]


def test_the_interpretation_is_what_the_range_says(records):
    for by_type in records.values():
        for result in by_type["Observation"]:
            if "referenceRange" not in result or "valueQuantity" not in result:
                continue
            value = result["valueQuantity"]["value"]
            (span,) = result["referenceRange"]
            letter = result["interpretation"][0]["coding"][0]["code"]
            low = span.get("low", {}).get("value", value)
            high = span.get("high", {}).get("value", value)
            assert letter[0] == ("L" if value < low else "H" if value > high else "N")


def test_nothing_happens_after_the_reference_date(records):
    for by_type in records.values():
        for kind in ("Encounter", "Observation", "DiagnosticReport", "MedicationRequest"):
            for resource in by_type.get(kind, []):
                when = (
                    resource.get("effectiveDateTime")
                    or resource.get("authoredOn")
                    or resource["period"]["start"]
                )
                assert when < "2026-11-16"


def test_dr_ruiz_looks_after_some_patients_and_not_after_others(records):
    hers = {
        family
        for (family, _), line in zip(records.items(), bundles()[1:], strict=True)
        if people.ANA_RUIZ in {relation.practitioner for relation in relations(line)}
    }
    assert hers == {"Keller", "Ortiz", "Chen", "Adeyemi", "Haddad"}


def test_relations_come_from_active_care_teams_and_from_visits():
    team = msgspec.json.encode(
        {
            "entry": [
                entry("Patient", "p"),
                entry("CareTeam", "old", status="inactive", participant=[member("gone")]),
                entry(
                    "CareTeam",
                    "new",
                    status="active",
                    period={"start": "2021-01-04"},
                    participant=[member("ruiz"), {"member": {"reference": "urn:uuid:p"}}],
                ),
                entry(
                    "Encounter",
                    "visit",
                    period={"start": "2020-02-02"},
                    participant=[{"individual": {"reference": f"Practitioner/{name}"}}
                                 for name in ("ruiz", "nurse")],
                ),
            ]
        }
    )  # fmt: skip
    told = [(r.practitioner, r.patient, r.since, r.source) for r in relations(team)]
    assert told == [
        ("Practitioner/ruiz", "Patient/p", "2021-01-04", "CareTeam/new"),
        ("Practitioner/nurse", "Patient/p", "2020-02-02", "Encounter/visit"),
    ]


def entry(kind, key, **parts):
    return {"resource": {"resourceType": kind, "id": key, **parts}}


def member(name):
    return {"member": {"reference": f"Practitioner/{name}"}}


def test_the_clinic_itself_looks_after_nobody():
    assert relations(bundles()[0]) == ()


def test_each_sign_in_is_a_person_of_the_clinic(decoded):
    everybody = {entry["request"]["url"] for bundle in decoded for entry in bundle["entry"]}
    signed_in = people.sign_ins()
    assert {sign_in.person for sign_in in signed_in} <= everybody
    assert [sign_in.role for sign_in in signed_in] == [
        "patient",
        "clinician",
        "front-desk",
        "billing",
        "administrator",
    ]
    assert len({sign_in.password for sign_in in signed_in}) == len(signed_in)

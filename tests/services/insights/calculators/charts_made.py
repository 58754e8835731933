"""Small FHIR charts for the tests: a patient, and resources with a value, a code and a day."""

from datetime import UTC, datetime

from polyclinic.services.insights.domain.charts import Chart

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
UCUM = "http://unitsofmeasure.org"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"


def patient(born="1966-03-01", sex="female", **more):
    return {"resourceType": "Patient", "id": "p1", "birthDate": born, "gender": sex, **more}


def observation(name, loinc, value, unit, day="2026-05-01", **more):
    """`unit` is a UCUM code; `more` replaces members of the resource."""
    return {
        "resourceType": "Observation",
        "id": name,
        "meta": {"versionId": "1"},
        "status": "final",
        "subject": {"reference": "Patient/p1"},
        "code": {"coding": [{"system": LOINC, "code": loinc}]},
        "effectiveDateTime": day,
        "valueQuantity": {"value": value, "unit": unit, "system": UCUM, "code": unit},
        **more,
    }


def coded(name, loinc, system, code, day="2026-05-01"):
    answer = {"coding": [{"system": system, "code": code}]}
    whole = observation(name, loinc, 0, "1", day)
    del whole["valueQuantity"]
    return {**whole, "valueCodeableConcept": answer}


def condition(name, snomed, clinical="active", verified="confirmed", system=SNOMED, **more):
    return {
        "resourceType": "Condition",
        "id": name,
        "subject": {"reference": "Patient/p1"},
        "code": {"coding": [{"system": system, "code": snomed}]},
        "clinicalStatus": {"coding": [{"code": clinical}]},
        "verificationStatus": {"coding": [{"code": verified}]},
        "recordedDate": "2020-01-01",
        **more,
    }


def medicine(name, text, status="active", **more):
    return {
        "resourceType": "MedicationRequest",
        "id": name,
        "status": status,
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
        "medicationCodeableConcept": {"text": text},
        "authoredOn": "2025-01-01",
        **more,
    }


def chart(*resources, **of_patient):
    return Chart.of(patient(**of_patient), resources)

"""Resources as messages for others: what goes out and comes back by our own tables is the same."""

import pytest
from messages_by_hand import Rules, keep, of_bytes, only, resolved

from polyclinic.services.integration.domain.mapping.outward import (
    Addressed,
    admission,
    results,
    scheduling,
)
from polyclinic.standards.fhir.validation import validate
from polyclinic.standards.hl7v2 import Header, parse

TO = Addressed(
    Header(("POLY", "CLINIC"), ("LIS", "WEST"), "M1", "20260105101500-0500"),
    {"urn:oid:2.999.1.1": "WEST"},
)
PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "identifier": [
        {
            "system": "urn:oid:2.999.1.1",
            "value": "4711",
            "type": {
                "coding": [
                    {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}
                ]
            },
        }
    ],
    "name": [
        {"use": "official", "family": "O'Kafor & Søn", "given": ["Ada", "Mae"], "prefix": ["Dr."]},
        {"use": "maiden", "family": "Eze"},
    ],
    "gender": "female",
    "birthDate": "1984-02-29",
    "address": [
        {
            "use": "home",
            "line": ["1 Elm St", "Apt 2"],
            "city": "Troy",
            "state": "NY",
            "postalCode": "12180",
            "country": "US",
        }
    ],
    "telecom": [
        {"system": "phone", "value": "(518)555-0101", "use": "home"},
        {"system": "phone", "value": "(518)555-0102", "use": "mobile"},
        {"system": "email", "value": "ada@example.org"},
        {"system": "phone", "value": "(518)555-0103", "use": "work"},
    ],
    "maritalStatus": {
        "coding": [
            {"system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "code": "M"}
        ]
    },
    "deceasedBoolean": False,
    "multipleBirthInteger": 2,
    "communication": [{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "en"}]}}],
    "extension": [
        {
            "url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race",
            "extension": [
                {
                    "url": "ombCategory",
                    "valueCoding": {
                        "system": "urn:oid:2.16.840.1.113883.6.238",
                        "code": "2054-5",
                        "display": "Black or African American",
                    },
                },
                {"url": "text", "valueString": "Black or African American"},
            ],
        }
    ],
}
ENCOUNTER = {
    "resourceType": "Encounter",
    "id": "e1",
    "status": "in-progress",
    "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
    "identifier": [
        {
            "system": "urn:oid:2.999.1.1",
            "value": "V1",
            "type": {
                "coding": [
                    {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "VN"}
                ]
            },
        }
    ],
    "location": [{"location": {"display": "Ward 3"}, "status": "active"}],
    "participant": [
        {
            "type": [
                {
                    "coding": [
                        {
                            "system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
                            "code": "ATND",
                        }
                    ]
                }
            ],
            "individual": {
                "type": "Practitioner",
                "display": "Noor Weiss",
                "identifier": {"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"},
            },
        }
    ],
    "period": {"start": "2026-01-05T08:00:00-05:00"},
}
# What a round trip adds or cannot say, by element: everything else comes back as it was.
LOST = {
    "id": "it comes back as one more identifier",
    "identifier": "one is added, our own id",
    "resourceType": "no loss",
    "telecom": "an address of electronic mail comes back as one of the home",
    "address": "comes back with a type that the use implies",
    "location": "a place comes back as a text with its kind",
}


def back(message):
    """What our own tables make of a message of ours, which passes through bytes."""
    return of_bytes(message.write(), Rules())


def same(before, after, lost=LOST):
    for element, value in before.items():
        if element not in lost:
            assert after.get(element) == value, element


def test_a_person_comes_back_as_she_was():
    made = back(admission(TO, "A08", PATIENT, None)).person.resource
    same(PATIENT, made)
    assert made["identifier"][0] == PATIENT["identifier"][0]
    assert made["identifier"][1]["value"] == "p1"
    assert [(each["value"], each["system"]) for each in made["telecom"]] == [
        (each["value"], each["system"]) for each in PATIENT["telecom"]
    ]
    assert PATIENT["address"][0].items() <= made["address"][0].items()


def test_a_visit_comes_back_as_it_was():
    made = back(admission(TO, "A04", PATIENT, ENCOUNTER))
    visit = only(made, "Encounter").resource
    same(ENCOUNTER, visit, {**LOST, "status": "A04 says that the person arrived"})
    assert visit["identifier"] == ENCOUNTER["identifier"]
    assert visit["location"][0]["location"]["display"] == "Ward 3"


# ATK-086
def test_nothing_in_a_text_becomes_a_field_or_a_segment():
    evil = {**PATIENT, "name": [{"family": "A|B^C~D&E\\F\rPID|9", "given": ["\x0bx\x1c"]}]}
    message = parse(admission(TO, "A08", evil, None).write())
    assert [each.name for each in message.segments()] == ["MSH", "EVN", "PID", "PV1"]
    assert message.get("PID-5.1") == "A|B^C~D&E\\F\rPID|9"
    assert not {"\x0b", "\x1c"} & set(message.write().decode())


APPOINTMENT = {
    "resourceType": "Appointment",
    "id": "a1",
    "status": "booked",
    "start": "2026-01-10T09:00:00-05:00",
    "end": "2026-01-10T09:30:00-05:00",
    "minutesDuration": 30,
    "serviceType": [{"coding": [{"code": "checkup", "display": "Check-up"}], "text": "Check-up"}],
    "reasonCode": [{"text": "Follow up"}],
    "comment": "Bring papers",
    "participant": [
        {"actor": {"reference": "Patient/p1"}, "status": "accepted"},
        {"actor": {"reference": "Practitioner/d1", "display": "Noor Weiss"}, "status": "accepted"},
        {"actor": {"reference": "Location/l1", "display": "West"}, "status": "accepted"},
    ],
}


@pytest.mark.parametrize(
    ("event", "status"),
    [("S12", "booked"), ("S13", "booked"), ("S15", "cancelled"), ("S26", "noshow")],
)
def test_a_booking_comes_back_as_it_was(event, status):
    message = scheduling(TO, event, {**APPOINTMENT, "status": status}, PATIENT)
    made = back(message).intents[-1]
    visit = made.visit
    assert visit.status == status
    assert (visit.start, visit.end, visit.minutes) == (APPOINTMENT["start"], APPOINTMENT["end"], 30)
    assert (visit.service, visit.reason, visit.comment) == ("checkup", "Follow up", "Bring papers")
    assert [each.display for each in visit.practitioners] == ["Noor Weiss"]
    assert visit.practitioners[0].identifiers[0].value == "d1"
    assert [each.display for each in visit.places] == ["West"]
    assert visit.identifiers[0].value == "a1"


def observation(**value):
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {
            "coding": [{"system": "http://loinc.org", "code": "718-7", "display": "Hb"}],
            "text": "Hb",
        },
        "effectiveDateTime": "2026-01-05T09:00:00-05:00",
        "interpretation": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/"
                        "v3-ObservationInterpretation",
                        "code": "L",
                    }
                ]
            }
        ],
        "note": [{"text": "Hemolyzed"}],
        **value,
    }


UNIT = {"unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL"}
REPORT = {
    "resourceType": "DiagnosticReport",
    "id": "r1",
    "status": "final",
    "code": {
        "coding": [{"system": "http://loinc.org", "code": "57021-8", "display": "CBC"}],
        "text": "CBC",
    },
    "effectiveDateTime": "2026-01-05T09:00:00-05:00",
    "issued": "2026-01-05T10:00:00-05:00",
    "conclusion": "All well",
    "presentedForm": [{"contentType": "application/pdf", "data": "JVBERi0xLjc="}],
}


@pytest.mark.parametrize(
    "value",
    [
        {"valueQuantity": {"value": 11.2, **UNIT}},
        {"valueQuantity": {"value": 5, "comparator": "<", **UNIT}},
        {"valueRange": {"low": {"value": 1, **UNIT}, "high": {"value": 2, **UNIT}}},
        {"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}}},
        {"valueString": "two\nlines & more"},
        {
            "valueCodeableConcept": {
                "coding": [
                    {"system": "http://snomed.info/sct", "code": "260385009", "display": "Negative"}
                ],
                "text": "Negative",
            }
        },
        {"valueDateTime": "2026-01-05T09:30:00Z"},
        {"valueTime": "09:30:00"},
        {"valuePeriod": {"start": "2026-01-05", "end": "2026-01-06"}},
    ],
    ids=lambda value: next(iter(value)),
)
def test_a_result_comes_back_as_it_was(value):
    sent = observation(**value)
    assert not [each for each in validate(resolved(sent)) if each.severity == "error"]
    made = back(results(TO, REPORT, [sent], PATIENT))
    first = next(each for each in keep(made).documents if each.kind == "Observation")
    same(sent, first.resource)
    report = only(made, "DiagnosticReport").resource
    same(REPORT, report, {**LOST, "presentedForm": "a file is an observation of its own"})


@pytest.mark.parametrize("status", ["preliminary", "final", "corrected", "cancelled"])
def test_the_state_of_a_result_goes_with_it(status):
    sent = {**observation(valueString="x"), "status": status}
    made = back(results(TO, {**REPORT, "status": status}, [sent], PATIENT))
    first = next(each for each in keep(made).documents if each.kind == "Observation")
    assert first.resource["status"] == status
    assert only(made, "DiagnosticReport").resource["status"] == status

"""Made-up charts, shaped like Synthea's: the same number gives the same chart on every machine."""

import json
import random
import uuid
from collections.abc import Iterator
from typing import Any

MARK = "@@@@@@@@@@@@"  # the load generator writes a new number of this length in its place
LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
TERMS = "http://terminology.hl7.org/CodeSystem"
CORE = "http://hl7.org/fhir/us/core/StructureDefinition"

# code, display, unit, low, high: what a chart of Synthea holds most of.
TESTS = (
    ("8867-4", "Heart rate", "/min", 55, 105),
    ("9279-1", "Respiratory rate", "/min", 11, 18),
    ("8302-2", "Body Height", "cm", 145, 200),
    ("29463-7", "Body Weight", "kg", 45, 120),
    ("39156-5", "Body mass index (BMI) [Ratio]", "kg/m2", 17, 41),
    ("8310-5", "Body temperature", "Cel", 36, 39),
    ("2339-0", "Glucose [Mass/volume] in Blood", "mg/dL", 65, 140),
    ("6299-2", "Urea nitrogen [Mass/volume] in Blood", "mg/dL", 7, 20),
    ("38483-4", "Creatinine [Mass/volume] in Blood", "mg/dL", 1, 4),
    ("2947-0", "Sodium [Moles/volume] in Blood", "mmol/L", 136, 144),
    ("6298-4", "Potassium [Moles/volume] in Blood", "mmol/L", 3, 6),
    ("2069-3", "Chloride [Moles/volume] in Blood", "mmol/L", 101, 111),
    ("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "%", 4, 9),
    ("2093-3", "Cholesterol [Mass/volume] in Serum or Plasma", "mg/dL", 140, 260),
    ("2571-8", "Triglycerides", "mg/dL", 90, 220),
    ("718-7", "Hemoglobin [Mass/volume] in Blood", "g/dL", 11, 18),
    ("6690-2", "Leukocytes [#/volume] in Blood by Automated count", "10*3/uL", 3, 11),
    ("777-3", "Platelets [#/volume] in Blood by Automated count", "10*3/uL", 150, 450),
    ("59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry", "%", 92, 100),
    ("33914-3", "Glomerular filtration rate/1.73 sq M.predicted", "mL/min/{1.73_m2}", 30, 120),
)
FINDINGS = (
    ("59621000", "Essential hypertension (disorder)"),
    ("44054006", "Diabetes mellitus type 2 (disorder)"),
    ("195662009", "Acute viral pharyngitis (disorder)"),
    ("444814009", "Viral sinusitis (disorder)"),
    ("162864005", "Body mass index 30+ - obesity (finding)"),
    ("73595000", "Stress (finding)"),
)
FAMILIES = ("Abbott", "Brekke", "Connelly", "Daniel", "Emard", "Feest", "Hane", "Jacobi", "Mraz")
GIVEN = ("Ada", "Bea", "Carl", "Dina", "Emil", "Fay", "Gus", "Hana", "Ivan", "June", "Milo", "Pia")
TOWNS = ("Ashford", "Bedford", "Camden", "Dalton", "Easton", "Fairview", "Grafton", "Hadley")


def chart(number: int, entries: int) -> bytes:
    """A transaction Bundle: one patient, visits, findings, and results for the rest."""
    dice = random.Random(f"chart {number}")
    patient = _urn(dice)
    made: list[tuple[str, dict[str, Any]]] = [(patient, _patient(dice, number))]
    visits = [(_urn(dice), _day(dice)) for _ in range(max(1, entries // 15))]
    made += [(urn, _visit(patient, day)) for urn, day in visits]
    made += [
        (_urn(dice), _finding(dice, patient, *dice.choice(visits)))
        for _ in range(max(1, entries // 40))
    ]
    while len(made) < entries:
        made.append((_urn(dice), result(dice, len(made), patient, dice.choice(visits))))
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": urn,
                "resource": resource,
                "request": {"method": "POST", "url": resource["resourceType"]},
            }
            for urn, resource in made[:entries]
        ],
    }
    return packed(bundle)


def charts(count: int, entries: int, first: int = 0) -> Iterator[bytes]:
    """Charts of the corpus, each with its own number in the patient's identifier."""
    for number in range(first, first + count):
        yield chart(number, entries).replace(MARK.encode(), b"%012d" % number, 1)


def result(
    dice: random.Random,
    number: int,
    patient: str,
    visit: tuple[str | None, str],
    mark: str | None = None,
) -> dict[str, Any]:
    """An Observation of about 1.2 KB, as Synthea writes them; tests follow in turn."""
    code, display, unit, low, high = TESTS[number % len(TESTS)]
    encounter, day = visit
    kind = "vital-signs" if unit in ("/min", "cm", "kg", "kg/m2", "Cel") else "laboratory"
    value = round(dice.uniform(low, high), 2)
    category = {"system": f"{TERMS}/observation-category", "code": kind, "display": kind}
    at = f"{day}T{dice.randrange(7, 19):02d}:{dice.randrange(60):02d}:{dice.randrange(60):02d}"
    quantity = {"unit": unit, "system": "http://unitsofmeasure.org", "code": unit}
    resource: dict[str, Any] = {
        "resourceType": "Observation",
        "meta": {"profile": [f"{CORE}/us-core-{kind}"]},
        "identifier": [
            {"system": "https://bench.example/results", "value": mark or str(_uuid(dice))}
        ],
        "status": "final",
        "category": [{"coding": [category]}],
        "code": {
            "coding": [{"system": LOINC, "code": code, "display": display}],
            "text": display,
        },
        "subject": {"reference": patient},
        "effectiveDateTime": f"{at}+00:00",
        "issued": f"{at}.{dice.randrange(1000):03d}+00:00",
        "performer": [{"display": f"Dr. {dice.choice(GIVEN)} {dice.choice(FAMILIES)}"}],
        "valueQuantity": {"value": value, **quantity},
        "referenceRange": [
            {"low": {"value": low, **quantity}, "high": {"value": high, **quantity}}
        ],
    }
    if encounter is not None:
        resource["encounter"] = {"reference": encounter}
    return resource


def packed(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _patient(dice: random.Random, number: int) -> dict[str, Any]:
    family, given = dice.choice(FAMILIES) + str(number % 97), dice.choice(GIVEN)
    return {
        "resourceType": "Patient",
        "meta": {"profile": [f"{CORE}/us-core-patient"]},
        "identifier": [
            {"system": "https://bench.example/charts", "value": MARK},
            {
                "type": {"coding": [{"system": f"{TERMS}/v2-0203", "code": "MR"}]},
                "system": "https://bench.example/numbers",
                "value": str(_uuid(dice)),
            },
        ],
        "name": [{"use": "official", "family": family, "given": [given], "prefix": ["Mx."]}],
        "telecom": [
            {"system": "phone", "value": f"555-{dice.randrange(10**7):07d}", "use": "home"}
        ],
        "gender": dice.choice(("female", "male")),
        "birthDate": f"{dice.randrange(1935, 2020)}-{dice.randrange(1, 13):02d}-11",
        "address": [
            {
                "line": [f"{dice.randrange(1, 999)} {dice.choice(FAMILIES)} Street"],
                "city": dice.choice(TOWNS),
                "state": "MA",
                "postalCode": f"0{dice.randrange(1000, 2800)}",
                "country": "US",
            }
        ],
        "maritalStatus": {"coding": [{"system": f"{TERMS}/v3-MaritalStatus", "code": "M"}]},
        "communication": [
            {"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "en-US"}]}}
        ],
    }


def _visit(patient: str, day: str) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "meta": {"profile": [f"{CORE}/us-core-encounter"]},
        "status": "finished",
        "class": {"system": f"{TERMS}/v3-ActCode", "code": "AMB"},
        "type": [
            {
                "coding": [
                    {"system": SNOMED, "code": "162673000", "display": "General examination"}
                ],
                "text": "General examination of patient (procedure)",
            }
        ],
        "subject": {"reference": patient},
        "period": {"start": f"{day}T09:00:00+00:00", "end": f"{day}T09:15:00+00:00"},
    }


def _finding(dice: random.Random, patient: str, visit: str, day: str) -> dict[str, Any]:
    code, display = dice.choice(FINDINGS)
    return {
        "resourceType": "Condition",
        "meta": {"profile": [f"{CORE}/us-core-condition"]},
        "clinicalStatus": {"coding": [{"system": f"{TERMS}/condition-clinical", "code": "active"}]},
        "verificationStatus": {
            "coding": [{"system": f"{TERMS}/condition-ver-status", "code": "confirmed"}]
        },
        "category": [
            {"coding": [{"system": f"{TERMS}/condition-category", "code": "encounter-diagnosis"}]}
        ],
        "code": {
            "coding": [{"system": SNOMED, "code": code, "display": display}],
            "text": display,
        },
        "subject": {"reference": patient},
        "encounter": {"reference": visit},
        "onsetDateTime": f"{day}T09:00:00+00:00",
        "recordedDate": f"{day}T09:00:00+00:00",
    }


def _uuid(dice: random.Random) -> uuid.UUID:
    return uuid.UUID(int=dice.getrandbits(128), version=4)


def _urn(dice: random.Random) -> str:
    return f"urn:uuid:{_uuid(dice)}"


def _day(dice: random.Random) -> str:
    return f"{dice.randrange(2012, 2026)}-{dice.randrange(1, 13):02d}-{dice.randrange(1, 29):02d}"

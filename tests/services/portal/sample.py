"""A small record of our own making: Maria Keller, 58, and two people more."""

from typing import Any

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
SCT = "http://snomed.info/sct"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
MARIA = "maria"


def coded(system: str, code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": display}]}


def patient(key: str = MARIA, **changed: Any) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": key,
        "identifier": [
            {
                "type": coded("http://terminology.hl7.org/CodeSystem/v2-0203", "MR", "MRN"),
                "value": "20411877",
            }
        ],
        "name": [{"use": "official", "family": "Keller", "given": ["Maria"]}],
        "gender": "female",
        "birthDate": "1968-03-14",
        "telecom": [{"system": "phone", "value": "617-555-0143"}],
        "address": [{"line": ["4 Harbor Street"], "city": "Boston", "state": "MA"}],
        "communication": [{"language": {"text": "Spanish"}}],
        **changed,
    }


def quantity(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def observation(
    code: str, display: str, day: str, value: float | None, unit: str = "", **more: Any
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "resourceType": "Observation",
        "id": f"{code}-{day}",
        "status": "final",
        "category": [coded(CATEGORY, "laboratory", "Laboratory")],
        "code": coded(LOINC, code, display),
        "subject": {"reference": f"Patient/{MARIA}"},
        "effectiveDateTime": f"{day}T09:12:00-05:00",
        **more,
    }
    if value is not None:
        found["valueQuantity"] = quantity(value, unit)
    return found


def interpretation(code: str) -> list[dict[str, Any]]:
    return [coded(INTERPRETATION, code, code)]


def reference_range(low: float | None, high: float | None, unit: str) -> list[dict[str, Any]]:
    ends = {"low": low, "high": high}
    return [{name: quantity(end, unit) for name, end in ends.items() if end is not None}]


def pressure(day: str, upper: float, lower: float) -> dict[str, Any]:
    parts = (("8480-6", "Systolic", upper), ("8462-4", "Diastolic", lower))
    return observation(
        "85354-9",
        "Blood pressure panel",
        day,
        None,
        category=[coded(CATEGORY, "vital-signs", "Vital signs")],
        component=[
            {"code": coded(LOINC, code, name), "valueQuantity": quantity(value, "mm[Hg]")}
            for code, name, value in parts
        ],
    )


_DAYS = (
    "2024-01-15",
    "2024-06-03",
    "2024-11-20",
    "2025-04-14",
    "2025-09-08",
    "2026-04-21",
    "2026-11-12",
)
_LABS: tuple[tuple[str, str, str, tuple[float, ...]], ...] = (
    ("4548-4", "Hemoglobin A1c", "%", (6.4, 6.6, 6.9, 7.0, 7.2, 7.1, 7.4)),
    ("2339-0", "Glucose", "mg/dL", (98, 101, 104, 112, 109, 108, 111)),
    ("6298-4", "Potassium", "mmol/L", (4.4, 4.2, 4.1, 4.0, 3.9, 3.8, 3.6)),
    ("38483-4", "Creatinine", "mg/dL", (0.82, 0.8, 0.84, 0.79, 0.81, 0.8, 0.83)),
    ("2947-0", "Sodium", "mmol/L", (139, 141, 140, 138, 140, 139, 140)),
    ("18262-6", "LDL cholesterol", "mg/dL", (142, 138, 131, 120, 112, 104, 92)),
    ("2085-9", "HDL cholesterol", "mg/dL", (51, 52, 50, 54, 55, 53, 56)),
    ("718-7", "Hemoglobin", "g/dL", (13.6, 13.4, 13.8, 13.9, 13.5, 13.7, 13.8)),
)


def record() -> list[dict[str, Any]]:
    """Everything there is about Maria."""
    labs = [
        observation(code, name, day, value, unit)
        for code, name, unit, values in _LABS
        for day, value in zip(_DAYS, values, strict=True)
    ]
    uppers = (138, 136, 141, 133, 129, 131, 126)
    lowers = (86, 84, 88, 82, 79, 81, 78)
    pressures = [pressure(d, u, low) for d, u, low in zip(_DAYS, uppers, lowers, strict=True)]
    vital = [coded(CATEGORY, "vital-signs", "Vital signs")]
    others = [
        observation("8867-4", "Heart rate", "2026-11-12", 72, "/min", category=vital),
        observation("29463-7", "Body Weight", "2026-11-12", 74.2, "kg", category=vital),
    ]
    return [patient(), *labs, *pressures, *others, *_medicines(), *_conditions(), *_care()]


def _medicines() -> list[dict[str, Any]]:
    def order(name: str, status: str, day: str, dose: dict[str, Any]) -> dict[str, Any]:
        return {
            "resourceType": "MedicationRequest",
            "id": f"{name[:4].lower()}-{day}",
            "status": status,
            "intent": "order",
            "subject": {"reference": f"Patient/{MARIA}"},
            "medicationCodeableConcept": {"text": name},
            "authoredOn": day,
            "dosageInstruction": [dose],
        }

    daily = {"timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}}
    twice = {"timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}}}
    tablet = {"doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet"}}]}
    return [
        order(
            "Metformin hydrochloride 1000 MG Oral Tablet", "active", "2025-04-14", twice | tablet
        ),
        order(
            "Metformin hydrochloride 1000 MG Oral Tablet", "active", "2026-04-21", twice | tablet
        ),
        order("Lisinopril 10 MG Oral Tablet", "active", "2024-06-03", daily | tablet),
        order(
            "Atorvastatin 20 MG Oral Tablet", "active", "2026-06-10", {"text": "1 tablet at night"}
        ),
        order("Ibuprofen 200 MG Oral Tablet", "stopped", "2023-02-01", {"asNeededBoolean": True}),
    ]


def _conditions() -> list[dict[str, Any]]:
    def condition(code: str, name: str, status: str, since: str, **more: Any) -> dict[str, Any]:
        clinical = "http://terminology.hl7.org/CodeSystem/condition-clinical"
        return {
            "resourceType": "Condition",
            "id": f"c{code}",
            "subject": {"reference": f"Patient/{MARIA}"},
            "code": coded(SCT, code, name),
            "clinicalStatus": coded(clinical, status, status),
            "onsetDateTime": since,
            **more,
        }

    return [
        condition("44054006", "Diabetes mellitus type 2 (disorder)", "active", "2019-05-02"),
        condition("59621000", "Essential hypertension (disorder)", "active", "2016-09-20"),
        condition("55822004", "Hyperlipidemia (disorder)", "active", "2021-01-11"),
        condition("160903007", "Full-time employment (finding)", "active", "2012-03-01"),
        condition(
            "195662009",
            "Acute viral pharyngitis (disorder)",
            "resolved",
            "2023-01-30",
            abatementDateTime="2023-02-09",
        ),
    ]


def _care() -> list[dict[str, Any]]:
    subject = {"reference": f"Patient/{MARIA}"}
    ruiz = {"reference": "Practitioner/ruiz"}

    def visit(key: str, day: str, what: str) -> dict[str, Any]:
        return {
            "resourceType": "Encounter",
            "id": key,
            "status": "finished",
            "class": {"code": "AMB"},
            "type": [coded(SCT, "1", what)],
            "subject": subject,
            "period": {"start": f"{day}T09:00:00-05:00"},
            "participant": [{"individual": ruiz}],
        }

    return [
        visit("v1", "2026-11-12", "Follow-up encounter (procedure)"),
        visit("v2", "2026-04-21", "Diabetes review (procedure)"),
        visit("v3", "2025-09-08", "General examination of patient (procedure)"),
        {
            "resourceType": "CareTeam",
            "id": "t1",
            "status": "active",
            "subject": subject,
            "participant": [
                {"member": ruiz, "role": [{"text": "Primary care physician"}]},
                {
                    "member": {"reference": "Practitioner/nair"},
                    "role": [{"text": "Diabetes nurse"}],
                },
            ],
        },
        {
            "resourceType": "AllergyIntolerance",
            "id": "a1",
            "patient": subject,
            "code": {"text": "Penicillin"},
            "criticality": "high",
            "reaction": [{"manifestation": [{"text": "Anaphylaxis"}]}],
        },
        {
            "resourceType": "Practitioner",
            "id": "ruiz",
            "name": [{"family": "Ruiz", "given": ["Ana"], "prefix": ["Dr."]}],
        },
        {
            "resourceType": "Practitioner",
            "id": "nair",
            "name": [{"family": "Nair", "given": ["Priya"]}],
        },
    ]


def others() -> list[dict[str, Any]]:
    """Patients outside Dr Ruiz's care, and one with the same family name."""
    return [
        patient(
            "tom",
            name=[{"family": "Keller", "given": ["Tom"]}],
            gender="male",
            birthDate="1971-07-02",
        ),
        patient("wei", name=[{"family": "Chen", "given": ["Wei"]}], birthDate="1990-01-30"),
    ]

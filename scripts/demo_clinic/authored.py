"""What the generator cannot know: who looks after whom, and Maria Keller's last three years.

Her generated sugar stays at one value for years, which shows no trend; her blood tests since 2024
are written here, with the clinician's note on the latest.
"""

import uuid

from demo_clinic.choice import Choice
from demo_clinic.staff import CLINIC, DISPLAY
from demo_clinic.tidy import CATEGORY, IDS, RANGES, UCUM, interpretation
from demo_clinic.trim import Resource, code_of
from polyclinic.demo import people

AUTHORED_SINCE = "2024"
NOTE = (
    "Your sugar is a little higher than in spring. Keep taking metformin; we will talk about it "
    "on 24 November. Potassium is just under the usual range and does not need treatment today."
)
# LOINC, its name, decimals' unit, low, high: the units and codes of the generated record, so
# that trends go on; intervals as in the generator's table (women).
TESTS: dict[str, tuple[str, str, float | None, float | None]] = {
    "4548-4": ("Hemoglobin A1c/Hemoglobin.total in Blood", "%", 4.0, 5.6),
    "2339-0": ("Glucose [Mass/volume] in Blood", "mg/dL", 70.0, 99.0),
    "6298-4": ("Potassium [Moles/volume] in Blood", "mmol/L", 3.5, 5.1),
    "2947-0": ("Sodium [Moles/volume] in Blood", "mmol/L", 135.0, 145.0),
    "38483-4": ("Creatinine [Mass/volume] in Blood", "mg/dL", 0.59, 1.04),
    "33914-3": (
        "Glomerular filtration rate/1.73 sq M.predicted [Volume Rate/Area] in Serum or Plasma by "
        "Creatinine-based formula (MDRD)",
        "mL/min/{1.73_m2}",
        60.0,
        None,
    ),
    "718-7": ("Hemoglobin [Mass/volume] in Blood", "g/dL", 12.0, 15.5),
    "2093-3": ("Cholesterol [Mass/volume] in Serum or Plasma", "mg/dL", None, 200.0),
    "18262-6": ("Low Density Lipoprotein Cholesterol", "mg/dL", None, 100.0),
    "2085-9": ("Cholesterol in HDL [Mass/volume] in Serum or Plasma", "mg/dL", 50.0, None),
    "2571-8": ("Triglycerides", "mg/dL", None, 150.0),
}
DAYS: dict[str, tuple[float, ...]] = {
    "2024-03-14": (7.9, 148, 4.3, 139, 0.88, 82, 13.6, 221, 141, 46, 172),
    "2024-08-15": (7.6, 139, 4.2, 140, 0.90, 80, 13.7, 214, 134, 47, 166),
    "2025-01-16": (7.3, 131, 4.1, 140, 0.89, 81, 13.6, 205, 126, 47, 161),
    "2025-06-12": (7.1, 122, 4.0, 141, 0.91, 79, 13.9, 198, 120, 48, 153),
    "2025-11-13": (7.0, 117, 4.0, 140, 0.90, 80, 13.8, 193, 112, 49, 148),
    "2026-04-16": (7.2, 121, 3.9, 139, 0.89, 81, 13.7, 188, 107, 50, 144),
    "2026-08-13": (7.1, 118, 3.6, 139, 0.90, 80, 13.9, 181, 98, 51, 139),
    "2026-11-12": (7.4, 126, 3.4, 138, 0.93, 77, 13.8, 174, 89, 52, 134),
}


def care_team(choice: Choice, patient: str) -> Resource:
    return {
        "resourceType": "CareTeam",
        "id": _id(patient, "care team"),
        "status": "active",
        "name": "Northside care team",
        "subject": {"reference": f"urn:uuid:{patient}"},
        "period": {"start": "2021-01-04"},
        "participant": [
            {
                "member": {
                    "reference": f"Practitioner/{member}",
                    "display": DISPLAY[f"Practitioner/{member}"],
                },
                "onBehalfOf": {"reference": f"Organization/{CLINIC}"},
            }
            for member in choice.team
        ],
        "managingOrganization": [{"reference": f"Organization/{CLINIC}"}],
    }


def is_replaced(resource: Resource) -> bool:
    """Whether Maria Keller's generated fact gives way to the written ones."""
    if resource["resourceType"] == "DiagnosticReport":
        is_blood = code_of(resource) in {"51990-0", "57698-3", "58410-2"}
        return is_blood and resource["effectiveDateTime"] >= AUTHORED_SINCE
    is_blood = code_of(resource) in RANGES.keys() | TESTS.keys()
    return (
        resource["resourceType"] == "Observation"
        and is_blood
        and resource["effectiveDateTime"] >= AUTHORED_SINCE
    )


def blood_tests(patient: str) -> list[Resource]:
    written: list[Resource] = []
    for day, values in DAYS.items():
        results = [
            _result(patient, day, code, value)
            for code, value in zip(TESTS, values, strict=True)
        ]  # fmt: skip
        visit = _visit(patient, day)
        for result in results:
            result["encounter"] = {"reference": f"urn:uuid:{visit['id']}"}
        written += [visit, *results, _report(patient, day, results, visit)]
    return written


def statin(patient: str) -> Resource:
    """Why her LDL cholesterol falls over these years."""
    drug = {
        "system": "http://www.nlm.nih.gov/research/umls/rxnorm",
        "code": "617310",
        "display": "atorvastatin 20 MG Oral Tablet",
    }
    dose: Resource = {
        "sequence": 1,
        "text": "One tablet at night",
        "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
        "doseAndRate": [{"doseQuantity": {"value": 1}}],
    }
    return {
        "resourceType": "MedicationRequest",
        "id": _id(patient, "atorvastatin"),
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"coding": [drug]},
        "subject": {"reference": f"urn:uuid:{patient}"},
        "authoredOn": "2024-03-14T14:10:00+00:00",
        "requester": _doctor(),
        "dosageInstruction": [dose],
    }


def _visit(patient: str, day: str) -> Resource:
    return {
        "resourceType": "Encounter",
        "id": _id(patient, f"visit {day}"),
        "status": "finished",
        "class": {
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
            "code": "AMB",
            "display": "ambulatory",
        },
        "type": [{"text": "Blood test"}],
        "subject": {"reference": f"urn:uuid:{patient}", "display": "Maria Keller"},
        "participant": [{"individual": _doctor()}],
        "period": {"start": f"{day}T13:10:00+00:00", "end": f"{day}T13:25:00+00:00"},
        "location": [{"location": {"reference": f"Location/{CLINIC}"}}],
        "serviceProvider": {"reference": f"Organization/{CLINIC}"},
    }


def _result(patient: str, day: str, code: str, value: float) -> Resource:
    name, unit, low, high = TESTS[code]
    ends = {"low": low, "high": high}
    return {
        "resourceType": "Observation",
        "id": _id(patient, f"{code} {day}"),
        "status": "final",
        "category": [{"coding": [{"system": CATEGORY, "code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": code, "display": name}]},
        "subject": {"reference": f"urn:uuid:{patient}"},
        "effectiveDateTime": f"{day}T13:15:00+00:00",
        "issued": f"{day}T18:40:00+00:00",
        "performer": [{"reference": f"Organization/{CLINIC}"}],
        "valueQuantity": {"value": value, "unit": unit, "system": UCUM, "code": unit},
        "interpretation": [interpretation(value, low, high)],
        "referenceRange": [
            {
                end: {"value": bound, "unit": unit, "system": UCUM, "code": unit}
                for end, bound in ends.items()
                if bound is not None
            }
        ],
    }


def _report(patient: str, day: str, results: list[Resource], visit: Resource) -> Resource:
    report: Resource = {
        "resourceType": "DiagnosticReport",
        "id": _id(patient, f"report {day}"),
        "status": "final",
        "category": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "LAB"}]}
        ],
        "code": {"text": "Blood test"},
        "subject": {"reference": f"urn:uuid:{patient}"},
        "encounter": {"reference": f"urn:uuid:{visit['id']}"},
        "effectiveDateTime": f"{day}T13:15:00+00:00",
        "issued": f"{day}T18:40:00+00:00",
        "performer": [{"reference": f"Organization/{CLINIC}"}],
        "resultsInterpreter": [_doctor()],
        "result": [{"reference": f"urn:uuid:{result['id']}"} for result in results],
    }
    if day == max(DAYS):
        report["conclusion"] = NOTE
    return report


def _doctor() -> Resource:
    return {"reference": people.ANA_RUIZ, "display": DISPLAY[people.ANA_RUIZ]}


def _id(patient: str, what: str) -> str:
    return str(uuid.uuid5(IDS, f"{patient} {what}"))

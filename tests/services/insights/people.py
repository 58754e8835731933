"""Made-up people and what is known of them, as FHIR."""

import itertools
from typing import Any

from polyclinic.foundation import clock

_numbers = itertools.count(1)
Json = dict[str, Any]


def patient(who: str, born: str = "1966-03-01", gender: str = "female", **more: Any) -> Json:
    return {"resourceType": "Patient", "id": who, "birthDate": born, "gender": gender, **more}


def lab(who: str, code: str, value: float | None, unit: str, name: str = "", **more: Any) -> Json:
    """A final result of today; without a value one that says nothing."""
    made: Json = {
        "resourceType": "Observation",
        "id": name or f"lab-{next(_numbers)}-{who}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"reference": f"Patient/{who}"},
        "effectiveDateTime": clock.now().isoformat(timespec="seconds"),
    }
    if value is not None:
        made["valueQuantity"] = {
            "value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit,
        }  # fmt: skip
    return made | more


def creatinine(who: str, value: float, unit: str = "mg/dL", **more: Any) -> Json:
    return lab(who, "2160-0", value, unit, **more)

"""What a patient reads of a score that was released: plain words, no codes, no alarm."""

from collections.abc import Mapping
from typing import Any

from polyclinic.services.insights.domain.assessments import RELEASED

Json = dict[str, Any]


def told(assessment: Mapping[str, Any]) -> Json:
    """Of a released RiskAssessment as records keeps it."""
    note = next((n for n in assessment.get("note") or () if n.get("text") == RELEASED), {})
    predictions = assessment.get("prediction") or []
    return {
        "assessment": assessment["id"],
        "title": (assessment.get("method") or {}).get("text", ""),
        "says": [said for each in predictions if (said := _sentence(each))],
        "next": assessment.get("mitigation"),
        "assessed": assessment.get("occurrenceDateTime"),
        "released": note.get("time"),
        "released_by": (note.get("authorReference") or {}).get("reference"),
        "caution": "It is an estimate from what your chart says, and no diagnosis. Your care team "
        "knows more about you than a formula does.",
    }


def _sentence(prediction: Mapping[str, Any]) -> str:
    outcome = (prediction.get("outcome") or {}).get("text", "")
    band = (prediction.get("qualitativeRisk") or {}).get("text")
    after = f": {band}" if band else ""
    if "probabilityDecimal" in prediction:
        number = float(prediction["probabilityDecimal"])
        count = f"about {round(number)}" if round(number) >= 1 else "fewer than 1"
        years = (prediction.get("whenRange") or {}).get("high", {}).get("value")
        # The outcome's own words name the time most often; once is enough.
        is_said = not years or f"within {float(years):g} years" in outcome
        within = "" if is_said else f" within the next {float(years):g} years"
        return f"Of 100 people like you, {count} have this{within} — {outcome}{after}."
    for each in prediction.get("extension") or ():
        quantity = each.get("valueQuantity") or {}
        if "value" in quantity:
            return f"Your {outcome}: {float(quantity['value']):g}{_unit(quantity)}{after}."
    return ""


def _unit(quantity: Mapping[str, Any]) -> str:
    unit = str(quantity.get("unit", "")).replace("{1.73_m2}", "1.73 m²")
    return "" if unit in ("", "1", "score") or unit.startswith("{") else f" {unit}"

"""How risks are told on pages: one number, people out of a hundred, reasons in words."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from polyclinic.services.portal.domain.reading import moment

Json = Mapping[str, Any]

# Tone and icon of what an action asks for, and of a band through it.
URGENCY = {
    "critical": ("crit", "warning", "Urgent"),
    "warning": ("warn", "warning", "Soon"),
    "info": ("info", "info", "When it fits"),
}
NOT_SCORED = {
    "missing": ("Something is missing", "Nobody is guessed: these answer as soon as it is known."),
    "out-of-range": ("Outside what the formula was made for", "No number beats a wrong one."),
    "not-for-them": ("Not for this patient", "Made for other people."),
}  # fmt: skip
# What stands behind a score and can be opened as it is in the record.
BEHIND = {
    "Observation": "measurement",
    "Condition": "condition",
    "MedicationRequest": "prescription",
    "MedicationStatement": "medicine",
    "Encounter": "stay",
    "Procedure": "procedure",
    "QuestionnaireResponse": "questionnaire",
}
_UNITS = {
    "a": "years", "kg/m2": "kg/m²", "mL/min/{1.73_m2}": "mL/min/1.73 m²", "mm[Hg]": "mmHg",
    "{score}": "points", "1": "", "%": "%", "{count}": "", "Cel": "°C", "/min": "a minute",
    "10*9/L": "×10⁹/L", "d": "days",
}  # fmt: skip
DOTS = 100
_LONG = re.compile(r"\b\d+\.\d{3,}\b")
_YEARS = re.compile(r"(\d) a\b")
_DAY = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
SNOOZES = {"7": "in a week", "30": "in a month", "90": "in three months"}
DECIDED = {
    "accepted": "It is yours: it stays on top of the list until it is done.",
    "snoozed": "It is away, and comes back by itself.",
    "dismissed": "It is off the list. A higher score brings it back.",
    "done": "Done, and what came of it is kept.",
    "reopened": "It is back among the open ones.",
}


def number(value: float) -> str:
    """4 digits that matter: 3.303, 71, 0.93; thousands as they are."""
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"


def unit(code: str | None) -> str:
    """UCUM as people write it."""
    known = _UNITS.get(code or "")
    if known is not None:
        return known
    return "" if (code or "").startswith("{") else code or ""


def amount(value: object, code: str | None = "") -> str:
    """132 mmHg; 4 points; yes"""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "" if value is None else str(value)
    said = unit(code)
    gap = "" if said in ("", "%") else " "
    return f"{number(value)}{gap}{said}"


def told(used: Json) -> str:
    """An input's value with its unit; its word where it is no number."""
    return amount(used.get("value"), used.get("unit"))


def on(used: Json) -> str:
    """The day of an input; of an age there is none but today's."""
    if used.get("unit") == "a":
        return ""
    found = moment(used.get("date"))
    return found.short if found else ""


def horizon(value: Json) -> str:
    years = value.get("horizon_years")
    return f"in {number(years)} years" if years else ""


def dots(value: Json | None) -> int | None:
    """Of a hundred people, how many are drawn full; None where the number is no percentage."""
    if not value or value.get("unit") != "%":
        return None
    return min(max(round(value["number"]), 0), DOTS)


def tone(action: Json | None) -> str:
    return URGENCY.get((action or {}).get("urgency", ""), ("", "", ""))[0]


def shares(reasons: Sequence[Json]) -> list[int]:
    """How long each reason's bar is, of 100 for the strongest of them."""
    most = max((abs(each["amount"]) for each in reasons), default=0) or 1
    return [max(round(abs(each["amount"]) / most * 100), 4) for each in reasons]


def behind(reference: str | None) -> tuple[str, str] | None:
    """What kind a reference leads to and its id, where a page can show it."""
    kind, _, key = (reference or "").partition("/")
    return (kind, key) if kind in BEHIND and key else None


def predicted(line: Json) -> tuple[str, str]:
    """A worklist line's number and what it is of: ("12%", "in 10 years"), ("15 mL/min…", "")."""
    prediction: Json = line["prediction"]
    if "probabilityDecimal" in prediction:
        years = ((prediction.get("whenRange") or {}).get("high") or {}).get("value")
        return f"{number(prediction['probabilityDecimal'])}%", horizon({"horizon_years": years})
    for each in prediction.get("extension") or ():
        quantity: Json = each.get("valueQuantity") or {}
        if "value" in quantity:
            code = quantity.get("code") or quantity.get("unit") or ""
            return amount(quantity["value"], "" if code == "score" else code), ""
    return "", ""


def readable(rationale: str) -> str:
    """A score's sentence with its numbers, units and days as people write them."""
    dated = _DAY.sub(_short, rationale)
    rounded = _LONG.sub(lambda found: number(float(found[0])), dated)
    said = _YEARS.sub(r"\1 years", rounded)
    return said.replace("mm[Hg]", "mmHg").replace("{1.73_m2}", "1.73 m²").replace(" %", "%")


def _short(found: re.Match[str]) -> str:
    day = moment(found[0])
    return day.short if day else found[0]


def band(line: Json) -> str:
    return (line["prediction"].get("qualitativeRisk") or {}).get("text", "")


def snoozed_until(days: str, today: date) -> date | None:
    return today + timedelta(days=int(days)) if days in SNOOZES else None

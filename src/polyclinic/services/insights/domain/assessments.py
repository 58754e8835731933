"""Scores as RiskAssessment (R4 4.0.1): a percentage is 0 to 100 there, never a fraction.

https://hl7.org/fhir/R4/riskassessment.html
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from polyclinic.services.insights.domain.asking import IDENTIFIER
from polyclinic.services.insights.domain.calculators import (
    Action,
    Answered,
    Band,
    Calculator,
    OutOfRange,
    Reason,
    Scored,
    Used,
    Value,
)

Resource = dict[str, Any]
ENGINE = "urn:polyclinic:insights"
# HL7 v3 ActCode: not disclosed to the patient unless the attending provider says so.
NOT_TO_PATIENT = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
    "code": "NOPAT",
}
_PART = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
RELEASED = "Released to the patient"
UCUM = "http://unitsofmeasure.org"
PERCENT = "%"
# The band of what is urgent and has no number.
SAFETY = "safety"
REASONS_SHOWN = 3
_URGENT = ("info", "warning", "critical")
# These say when it was kept and who may see it, not what is said.
_ASIDE = ("meta", "occurrenceDateTime", "text", "note")


@dataclass(frozen=True, slots=True)
class Titled:
    """The one who is assessed, by what, and under which id."""

    id: str
    patient: str
    calculator: Calculator

    @property
    def device(self) -> str:
        """The id of the Device that is this version of the calculator."""
        raw = f"insights-{self.calculator.id}-{self.calculator.version}"
        return re.sub(r"[^A-Za-z0-9.-]", "-", raw)[:64]


def device(calculator: Calculator, name: str) -> Resource:
    """What has assessed: software, under its version."""
    return {
        "resourceType": "Device",
        "id": name,
        "identifier": [{"system": IDENTIFIER, "value": calculator.id}],
        "status": "active",
        "manufacturer": "polyclinic",
        "deviceName": [{"name": calculator.title, "type": "model-name"}],
        "version": [{"value": calculator.version}],
        "type": {"text": "Clinical calculator"},
        "note": [{"text": f"{calculator.citation} {calculator.attribution}".strip()}],
    }


def drafted(titled: Titled, scored: Scored, at: datetime) -> Resource:
    """The whole resource; the patient does not see it before somebody releases it."""
    calculator = titled.calculator
    action = proposed(scored)
    method: Resource = {
        "coding": [{"system": IDENTIFIER, "code": calculator.id, "display": calculator.title}],
        "text": calculator.title,
    }
    resource: Resource = {
        "resourceType": "RiskAssessment",
        "id": titled.id,
        "meta": {"security": [NOT_TO_PATIENT]},
        "identifier": [{"system": IDENTIFIER, "value": calculator.id}],
        "status": "final",
        "method": method,
        "subject": {"reference": titled.patient},
        "occurrenceDateTime": at.isoformat(timespec="seconds"),
        "performer": {"reference": f"Device/{titled.device}"},
        "basis": [{"reference": each} for each in basis(scored.used)],
        "prediction": [_prediction(calculator, scored, each) for each in scored.values]
        or [_unscored(titled)],
    }
    if not resource["basis"]:
        del resource["basis"]
    if action is not None:
        resource["mitigation"] = action.text
    return resource


def _unscored(titled: Titled) -> Resource:
    """What stands in place of a number where one answer alone asks for something to be done."""
    code = {"system": f"{ENGINE}:band:{titled.calculator.id}", "code": SAFETY}
    said = {"coding": [code], "text": "one answer is urgent, and the rest gives no score"}
    return {"outcome": {"text": titled.calculator.title}, "qualitativeRisk": said}


def for_safety(answered: Answered) -> Scored | None:
    """What is urgent whatever else is missing, as an answer without a number; else none."""
    if isinstance(answered, Scored) or not answered.safety:
        return None
    if isinstance(answered, OutOfRange):
        used: tuple[Used, ...] = (
            Used(answered.input, answered.number, None, answered.unit, None, answered.reference),
        )
    else:
        used = answered.used
    return Scored((), Band(SAFETY, "urgent", 0.0), used, (), None, answered.safety)


def provenance(titled: Titled, assessment: Mapping[str, Any]) -> Resource:
    """Of what and by which version a score was made: under the same id, and of the same chart.

    https://hl7.org/fhir/R4/provenance.html
    """
    calculator = titled.calculator
    named = [each["reference"] for each in assessment.get("basis", ())]
    sources = [{"role": "source", "what": _named_only(each)} for each in named]
    resource: Resource = {
        "resourceType": "Provenance",
        "id": titled.id,
        "meta": {"security": [NOT_TO_PATIENT]},
        "target": [
            {"reference": f"RiskAssessment/{titled.id}"},
            {"reference": titled.patient},
        ],
        "occurredDateTime": assessment["occurrenceDateTime"],
        "recorded": assessment["occurrenceDateTime"],
        "activity": {"text": "Scored"},
        "agent": [
            {
                "type": {"coding": [{"system": _PART, "code": "assembler"}]},
                "who": {
                    "reference": f"Device/{titled.device}",
                    "identifier": {
                        "system": f"{ENGINE}:version",
                        "value": f"{calculator.id}/{calculator.version}",
                    },
                    "display": f"{calculator.title}, version {calculator.version}",
                },
            }
        ],
        "entity": sources,
    }
    if not sources:
        del resource["entity"]
    return resource


def _named_only(reference: str) -> Resource:
    """By name: a literal reference would hold a wrong result that somebody wants to delete."""
    kind = reference.partition("/")[0]
    return {"type": kind, "identifier": {"system": f"{ENGINE}:source", "value": reference}}


def basis(used: Iterable[Used]) -> list[str]:
    """The exact resources behind a score, each once."""
    return list(dict.fromkeys(each.reference for each in used if each.reference))


def _prediction(calculator: Calculator, scored: Scored, value: Value) -> Resource:
    words = {each.name: each.words for each in calculator.outputs}
    made: Resource = {"outcome": {"text": words.get(value.name, value.name)}}
    number = Decimal(repr(value.number))
    if value.unit == PERCENT:
        made["probabilityDecimal"] = number
    else:
        quantity = {"value": number, "unit": value.unit or "score"}
        if value.unit:
            quantity |= {"system": UCUM, "code": value.unit}
        made["extension"] = [{"url": f"{ENGINE}:value", "valueQuantity": quantity}]
    if value.horizon_years is not None:
        year = {"unit": "years", "system": UCUM, "code": "a"}
        made["whenRange"] = {
            "low": {"value": 0, **year},
            "high": {"value": value.horizon_years, **year},
        }
    if value.name == calculator.decides:
        if scored.band is not None:
            made["qualitativeRisk"] = {
                "coding": [{"system": f"{ENGINE}:band:{calculator.id}", "code": scored.band.name}],
                "text": scored.band.words,
            }
        if said := rationale(calculator, scored):
            made["rationale"] = said
    return made


def rationale(calculator: Calculator, scored: Scored) -> str:
    """The three reasons up and the three down, in words with their values."""
    up, down = weighed(scored.reasons)
    parts = [
        f"{head}: {', '.join(_shown(calculator, scored, each) for each in reasons)}."
        for head, reasons in (("Raised by", up), ("Lowered by", down))
        if reasons
    ]
    return " ".join(parts)


def weighed(reasons: Sequence[Reason]) -> tuple[list[Reason], list[Reason]]:
    """The three that raise most and the three that lower most; the first named wins a tie."""
    up = sorted((r for r in reasons if r.amount > 0), key=lambda r: -r.amount)
    down = sorted((r for r in reasons if r.amount < 0), key=lambda r: r.amount)
    return up[:REASONS_SHOWN], down[:REASONS_SHOWN]


def _shown(calculator: Calculator, scored: Scored, reason: Reason) -> str:
    words = words_of(calculator, reason.input)
    used = next((each for each in scored.used if each.input == reason.input), None)
    if used is None or used.number is None:
        return words
    return f"{words} {used.number:g} {used.unit}".rstrip()


def words_of(calculator: Calculator, name: str) -> str:
    """An input's plain words, also of one that only tells whom it is for; its name where a formula
    reports a term of its own."""
    inputs = (*calculator.inputs, *(gate.input for gate in calculator.gates))
    return next((each.words for each in inputs if each.name == name), name)


def proposed(scored: Scored) -> Action | None:
    """The one thing to do: what is urgent for safety before what the band says; nothing that is
    done already."""
    action = scored.action
    if action is not None and action.unless in {u.input for u in scored.used if u.code == "yes"}:
        action = action.instead
    found = [*scored.safety, *([action] if action else [])]
    return max(found, key=urgency, default=None)


def urgency(action: Action) -> int:
    return _URGENT.index(action.urgency) if action.urgency in _URGENT else 0


def released(former: Mapping[str, Any], by: str, at: datetime) -> Resource:
    """The same for the patient as well; the note says who let them see it, and since when."""
    note = {
        "authorReference": {"reference": by},
        "time": at.isoformat(timespec="seconds"),
        "text": RELEASED,
    }
    kept = {key: each for key, each in former.items() if key != "meta"}
    return {**kept, "note": [note]}


def withheld(former: Mapping[str, Any]) -> Resource:
    """The same, and no longer for the patient."""
    kept = {key: each for key, each in former.items() if key != "note"}
    return {**kept, "meta": {"security": [NOT_TO_PATIENT]}}


def is_released(assessment: Mapping[str, Any]) -> bool:
    return any(each.get("text") == RELEASED for each in assessment.get("note") or ())


def is_same(former: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether they say the same, whenever and for whomever they were kept."""
    return _said(former) == _said(new)


def _said(value: Mapping[str, Any]) -> Any:
    return _plain({key: each for key, each in value.items() if key not in _ASIDE})


def _plain(value: Any) -> Any:
    """Numbers by what they are worth: 14.70 and 14.7 are one."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, Decimal | float | int) and not isinstance(value, bool):
        return float(value)
    return value


def ended(former: Mapping[str, Any], gone: frozenset[str]) -> Resource | None:
    """A score that no longer holds; none where that was said already.

    It was wrong from the start when something it rests on was deleted or entered in error (`gone`);
    else it is only out of date.
    """
    rests_on = {each.get("reference") for each in former.get("basis") or ()}
    status = "entered-in-error" if rests_on & gone else "cancelled"
    if former.get("status") in ("entered-in-error", "cancelled"):
        return None
    return {**former, "status": status, "meta": {"security": [NOT_TO_PATIENT]}}

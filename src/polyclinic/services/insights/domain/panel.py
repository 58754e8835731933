"""The risk panel: of each score one number, why, what is missing, and one thing to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from polyclinic.services.insights.domain import assessments, ranking
from polyclinic.services.insights.domain.assessments import PERCENT, proposed, words_of
from polyclinic.services.insights.domain.calculators import (
    Action,
    Answered,
    Calculator,
    Lack,
    Missing,
    NotForThem,
    OutOfRange,
    Reason,
    Scored,
    Used,
    Value,
)

Json = dict[str, Any]
STATUS = {
    Scored: "scored",
    Missing: "missing",
    OutOfRange: "out-of-range",
    NotForThem: "not-for-them",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A calculator's answer, and what records keeps of it: its id, and whether it was released."""

    calculator: Calculator
    answered: Answered
    assessment: str | None = None
    released: bool = False


def drawn(entries: Sequence[Entry]) -> Json:
    """Scores first, the most useful on top; `proposed` is the one thing to do next."""
    ordered = sorted(entries, key=_place)
    return {
        "scores": [described(each) for each in ordered],
        "proposed": _proposed(ordered),
        "safety": [_action(each) for each in _safety(entries)],
    }


def _place(entry: Entry) -> tuple[int, float, str]:
    order = (Scored, Missing, OutOfRange, NotForThem)
    kind = order.index(type(entry.answered))
    gain = (
        ranking.benefit(entry.calculator, entry.answered)
        if isinstance(entry.answered, Scored)
        else 0.0
    )
    return kind, -gain, entry.calculator.id


def _safety(entries: Sequence[Entry]) -> list[Action]:
    """What must be seen whatever else is missing, each once."""
    raised = [action for each in entries for action in each.answered.safety]
    return list({action.id: action for action in raised}.values())


def _proposed(entries: Sequence[Entry]) -> Json | None:
    """Safety before everything; else the action of the score by which most can be gained."""
    if raised := _safety(entries):
        first = raised[0]
        owner = next(each for each in entries if first in each.answered.safety)
        return {**_action(first), "method": owner.calculator.id}
    for each in entries:
        if isinstance(each.answered, Scored) and not each.calculator.comparison_only:
            action = proposed(each.answered)
            if action is not None:
                return {**_action(action), "method": each.calculator.id}
    return None


def described(entry: Entry) -> Json:
    """One calculator's answer with its source."""
    calculator, answered = entry.calculator, entry.answered
    made: Json = {
        "method": calculator.id,
        "version": calculator.version,
        "title": calculator.title,
        "status": STATUS[type(answered)],
        "citation": calculator.citation,
        "doi": calculator.doi,
        "attribution": calculator.attribution,
        "caution": calculator.caution,
        "comparison_only": calculator.comparison_only,
        "assessment": entry.assessment,
        "released": entry.released,
    }
    return made | _answer(calculator, answered)


def _answer(calculator: Calculator, answered: Answered) -> Json:
    match answered:
        case Scored():
            return scored(calculator, answered)
        case Missing():
            return {
                "missing": [_lack(each) for each in answered.what],
                "would_change_most": _named(calculator, answered.would_change_most),
            }
        case OutOfRange():
            return {
                "why": answered.why,
                "input": _named(calculator, answered.input),
                "number": answered.number,
                "unit": answered.unit,
                "range": list(answered.range),
                "impossible": answered.impossible,
                "basis": [answered.reference] if answered.reference else [],
            }
        case NotForThem():
            return {"why": answered.why, "basis": assessments.basis(answered.used)}


def scored(calculator: Calculator, answer: Scored) -> Json:
    """One number with its horizon and words, the reasons, the sources and what to do."""
    up, down = assessments.weighed(answer.reasons)
    action = None if calculator.comparison_only else proposed(answer)
    deciding = next((v for v in answer.values if v.name == calculator.decides), None)
    words = {each.name: each.words for each in calculator.outputs}
    return {
        "number": _value(deciding, words) if deciding else None,
        "values": [_value(each, words) for each in answer.values],
        "band": {"name": answer.band.name, "words": answer.band.words} if answer.band else None,
        "peers": peers(deciding) if deciding else None,
        "up": [_reason(calculator, answer, each) for each in up],
        "down": [_reason(calculator, answer, each) for each in down],
        "missing": [_lack(each) for each in answer.lacking],
        "assumed": [words_of(calculator, each) for each in answer.assumed],
        "basis": assessments.basis(answer.used),
        "used": [_used(calculator, each) for each in answer.used],
        "action": _action(action) if action else None,
    }


def peers(value: Value) -> str | None:
    """A percentage as people count: natural frequencies are understood better (Gigerenzer 2007)."""
    if value.unit != PERCENT:
        return None
    count = round(value.number)
    how_many = f"About {count}" if count >= 1 else "Fewer than 1"
    horizon = f" within {value.horizon_years} years" if value.horizon_years else ""
    return f"{how_many} of 100 people like this one{horizon}."


def _value(value: Value, words: Mapping[str, str]) -> Json:
    return {
        "name": value.name,
        "words": words.get(value.name, value.name),
        "number": value.number,
        "unit": value.unit,
        "horizon_years": value.horizon_years,
    }


def _reason(calculator: Calculator, answer: Scored, reason: Reason) -> Json:
    used = next((each for each in answer.used if each.input == reason.input), None)
    made: Json = {
        "input": reason.input,
        "words": words_of(calculator, reason.input),
        "amount": round(reason.amount, 6),
        "scale": reason.scale,
        # What follows from others' values (an age band, a product of two) has no entry of its own.
        "value": None,
        "unit": None,
        "date": None,
        "reference": None,
        "assumed": False,
    }
    return made | (_used(calculator, used) if used else {})


def _used(calculator: Calculator, used: Used) -> Json:
    return {
        "input": used.input,
        "words": words_of(calculator, used.input),
        "value": used.number if used.number is not None else used.code,
        "unit": used.unit,
        "date": used.date,
        "reference": used.reference,
        "assumed": used.assumed,
    }


def _lack(lack: Lack) -> Json:
    return {"input": lack.input, "words": lack.words, "codes": list(lack.codes), "why": lack.why}


def _named(calculator: Calculator, name: str | None) -> Json | None:
    return None if name is None else {"input": name, "words": words_of(calculator, name)}


def _action(action: Action) -> Json:
    draft = action.draft
    return {
        "id": action.id,
        "text": action.text,
        "source": action.source,
        "urgency": action.urgency,
        "draft": None
        if draft is None
        else {
            "type": draft.type,
            "system": draft.system,
            "code": draft.code,
            "display": draft.display,
        },
    }

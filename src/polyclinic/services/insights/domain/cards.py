"""Cards of CDS Hooks: one number, its horizon and reasons, and one thing to do as a draft."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from polyclinic.services.insights.domain import assessments, panel, ranking
from polyclinic.services.insights.domain.calculators import (
    Action,
    Answered,
    Calculator,
    OutOfRange,
    Scored,
    Value,
)
from polyclinic.services.insights.domain.cds import Asked
from polyclinic.services.insights.domain.worklist import REASONS

Json = dict[str, Any]
SUMMARY_MAX = 139  # fewer than 140 characters
LABEL_MAX = 80
OVERRIDES = "urn:polyclinic:insights:override"
_INDICATOR = ("info", "warning", "critical")
# Which scores bear on which medicines: by name as orders write it, and by ATC.
_BEARS = (
    (
        ("warfarin", "apixaban", "rivaroxaban", "dabigatran", "edoxaban"),
        ("B01A",),
        ("has-bled", "cha2ds2-va", "cha2ds2-vasc"),
    ),
    (("statin",), ("C10AA",), ("prevent",)),
    (
        ("ibuprofen", "naproxen", "diclofenac", "celecoxib", "metformin", "lithium"),
        ("M01A", "A10BA", "N05AN"),
        ("ckd-epi-2021", "ckd-epi-2021-cystatin"),
    ),
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A card that could be shown."""

    calculator: Calculator
    answered: Answered
    action: Action

    @property
    def urgency(self) -> int:
        return assessments.urgency(self.action)

    @property
    def band(self) -> str:
        scored = self.answered
        return scored.band.name if isinstance(scored, Scored) and scored.band else ""

    @property
    def basis(self) -> str:
        """What it rests on and what that says, but for the Patient: they grow older anyhow."""
        answered = self.answered
        if isinstance(answered, OutOfRange):
            return f"{answered.reference} {answered.number} {answered.unit}"
        said = {
            f"{each.reference} {each.version} {each.date} {each.number} {each.code}"
            for each in answered.used
            if each.reference and not each.reference.startswith("Patient/")
        }
        return "\n".join(sorted(said))


def candidates(
    asked: Asked,
    answers: Mapping[str, tuple[Calculator, Answered]],
    learned: frozenset[str] = frozenset(),
) -> list[Candidate]:
    """What bears on the moment, the most urgent and most useful first; `learned` are the models
    that foretell what the moment is about."""
    found = [
        Candidate(calculator, answered, action)
        for calculator, answered in answers.values()
        if not calculator.comparison_only and (action := _action(answered)) is not None
    ]
    bearing = (
        bears_on(asked.orders) if asked.service.hook == "order-sign" else asked.service.methods
    )
    proposals = {each.calculator.id: (each.calculator, each.action) for each in found}
    silent = ranking.gives_way(proposals)
    kept = [
        each
        for each in found
        if bearing is None or each.calculator.id in bearing | learned or each.answered.safety
        if each.calculator.id not in silent and not _is_ordered(each, asked.orders)
    ]
    return sorted(kept, key=_place)


def _is_ordered(each: Candidate, orders: Sequence[Json]) -> bool:
    """Whether the medicine that is proposed is about to be signed."""
    wanted = next((i for i in each.calculator.inputs if i.name == each.action.unless), None)
    if wanted is None:
        return False
    words, codes = " ".join(_words(orders)).lower(), wanted.codes
    return any(name in words for name in codes.names) or any(
        code.startswith(codes.atc) for code in _codes(orders)
    )


def _action(answered: Answered) -> Action | None:
    if isinstance(answered, Scored):
        return assessments.proposed(answered)
    return max(answered.safety, key=assessments.urgency, default=None)


def _place(each: Candidate) -> tuple[int, float, str]:
    scored = each.answered if isinstance(each.answered, Scored) else None
    gain = ranking.benefit(each.calculator, scored) if scored else 1.0
    return -each.urgency, -gain, each.calculator.id


def bears_on(orders: Sequence[Json]) -> frozenset[str]:
    """The scores that bear on what is about to be ordered."""
    words = " ".join(_words(orders)).lower()
    codes = list(_codes(orders))
    found: set[str] = set()
    for names, prefixes, methods in _BEARS:
        if any(name in words for name in names) or any(c.startswith(prefixes) for c in codes):
            found.update(methods)
    return frozenset(found)


def _concepts(orders: Sequence[Json]) -> Iterable[Json]:
    for order in orders:
        for name in ("medicationCodeableConcept", "code"):
            concept = order.get(name)
            if isinstance(concept, dict):
                yield concept


def _codings(concept: Json) -> list[Json]:
    found = concept.get("coding")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _words(orders: Sequence[Json]) -> Iterable[str]:
    for concept in _concepts(orders):
        yield str(concept.get("text") or "")
        yield from (str(each.get("display") or "") for each in _codings(concept))


def _codes(orders: Sequence[Json]) -> Iterable[str]:
    for concept in _concepts(orders):
        yield from (str(each.get("code") or "") for each in _codings(concept))


def card(candidate: Candidate, patient: str, number: str) -> Json:
    """`number` names the exposure, by which feedback finds it again. Nothing in it is null."""
    calculator, action = candidate.calculator, candidate.action
    made: Json = {
        "uuid": number,
        "summary": summary(candidate),
        "detail": detail(candidate),
        "indicator": _INDICATOR[candidate.urgency],
        "source": {
            "label": f"{calculator.title}, version {calculator.version}",
            "url": f"https://doi.org/{calculator.doi}",
            "topic": {"system": assessments.IDENTIFIER, "code": calculator.id},
        },
        "overrideReasons": [
            {"system": OVERRIDES, "code": code, "display": display}
            for code, display in REASONS.items()
        ],
    }
    if not calculator.doi.startswith("10."):  # a report that has none
        del made["source"]["url"]
    if action.draft is not None:
        made["selectionBehavior"] = "at-most-one"
        made["suggestions"] = [
            {
                "label": shortened(action.text, LABEL_MAX),
                "uuid": number,
                "isRecommended": True,
                "actions": [
                    {
                        "type": "create",
                        "description": shortened(action.text, 1000),
                        "resource": draft(action, patient),
                    }
                ],
            }
        ]
    return made


def summary(candidate: Candidate) -> str:
    """One number with its words, and what to do; shorter than 140 characters."""
    answered, calculator = candidate.answered, candidate.calculator
    if not isinstance(answered, Scored) or answered.safety:
        return shortened(candidate.action.text, SUMMARY_MAX)
    deciding = next((v for v in answered.values if v.name == calculator.decides), None)
    if deciding is None:
        return shortened(f"{calculator.title}: {candidate.action.text}", SUMMARY_MAX)
    words = next(each.words for each in calculator.outputs if each.name == deciding.name)
    band = f" ({answered.band.words})" if answered.band else ""
    head = words[:1].upper() + words[1:]
    return shortened(f"{head}: {shown(deciding)}{band}. {candidate.action.text}", SUMMARY_MAX)


def shown(value: Value) -> str:
    unit = value.unit.replace("{1.73_m2}", "1.73 m²")
    if unit == "%":
        return f"{value.number:g} %"
    return f"{value.number:g}" if unit in ("", "1") or "{" in unit else f"{value.number:g} {unit}"


def shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def detail(candidate: Candidate) -> str:
    """GitHub-flavoured Markdown: why, compared with whom, what is missing, and its limits."""
    answered, calculator = candidate.answered, candidate.calculator
    lines = [f"**{candidate.action.text}**"]
    if isinstance(answered, Scored):
        deciding = next((v for v in answered.values if v.name == calculator.decides), None)
        said = panel.peers(deciding) if deciding else None
        lines += [said] if said else []
        lines += [why] if (why := assessments.rationale(calculator, answered)) else []
        if answered.lacking:
            lacks = ", ".join(each.words for each in answered.lacking)
            lines.append(f"More exact with: {lacks}.")
        if answered.assumed:
            names = ", ".join(assessments.words_of(calculator, n) for n in answered.assumed)
            lines.append(f"Not on a list that is kept, and so counted as no: {names}.")
    lines.append(f"_{calculator.caution}_" if calculator.caution else "")
    lines.append(f"Source of the proposal: {candidate.action.source}")
    return "\n\n".join(filter(None, lines))


def draft(action: Action, patient: str) -> Json:
    """What a clinician may sign: a draft, and nothing is ordered by showing it."""
    assert action.draft is not None
    wanted = action.draft
    coding = {"system": wanted.system, "code": wanted.code, "display": wanted.display}
    # The code is often wider than the step: "counseling" for a talk about a statin.
    code = {"coding": [coding], "text": action.text}
    who = {"reference": f"Patient/{patient}"}
    if wanted.type == "Task":
        return {
            "resourceType": "Task", "status": "draft", "intent": "proposal", "code": code,
            "description": action.text, "for": who,
        }  # fmt: skip
    return {
        "resourceType": "ServiceRequest", "status": "draft", "intent": "proposal", "code": code,
        "subject": who, "note": [{"text": action.text}],
    }  # fmt: skip

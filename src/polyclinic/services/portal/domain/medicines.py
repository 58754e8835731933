"""Medicines: one line for each, however often it was ordered, with how to take it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from polyclinic.services.portal.domain.reading import (
    Moment,
    Resource,
    codes,
    inner,
    kept,
    moment,
    objects,
    reference,
    text,
    words,
)

CURRENT = frozenset({"active", "on-hold"})
STATUS = {
    "active": "Current",
    "on-hold": "Paused",
    "stopped": "Stopped",
    "completed": "Finished",
    "cancelled": "Cancelled",
    "draft": "Not ordered yet",
}
EVERY = {
    "h": "hour",
    "d": "day",
    "wk": "week",
    "mo": "month",
    "a": "year",
    "min": "minute",
    "s": "second",
}
TIMES = {1: "once", 2: "twice", 3: "three times", 4: "four times"}
_UPPER = re.compile(r"\b(MG/ML|MG/ACTUAT|MG|MCG/HR|MCG|UNT/ML|UNT|ML|ACTUAT|HR|MEQ|G|%)\b")
_PLAIN = {"UNT": "units", "UNT/ML": "units/mL", "MG/ML": "mg/mL", "ML": "mL", "MEQ": "mEq"}
_BRACKET = re.compile(r"(\[[^\]]*\])")


@dataclass(frozen=True, slots=True)
class Medicine:
    """A medicine as it is shown."""

    name: str
    dose: str
    status: str
    is_current: bool
    started: Moment | None
    latest: Moment | None
    orders: int
    reason: str = ""


def read_medicines(requests: Iterable[Resource]) -> list[Medicine]:
    """One medicine a code; current ones first, the latest first in each."""
    groups: dict[str, list[Resource]] = {}
    for request in kept(requests):
        if request.get("intent") not in {"proposal", "plan"}:
            groups.setdefault(_key(request), []).append(request)
    found = [_medicine(group) for group in groups.values()]
    newest = sorted(found, key=lambda m: m.latest.sort if m.latest else "", reverse=True)
    return sorted(newest, key=lambda m: not m.is_current)


def dosage(request: Resource) -> str:
    """How it is taken, in words; empty when the order does not say."""
    said = [s for d in objects(request.get("dosageInstruction")) if (s := _dose(d))]
    return "; ".join(said)


def tidy(name: str) -> str:
    """Simvastatin 10 mg oral tablet, from RxNorm's "Simvastatin 10 MG Oral Tablet"."""
    pieces = _BRACKET.split(name)
    calm = "".join(p if p.startswith("[") else _calm(p) for p in pieces).strip()
    return calm[:1].upper() + calm[1:]


def _calm(piece: str) -> str:
    lowered = _UPPER.sub(lambda m: _PLAIN.get(m.group(1), m.group(1).lower()), piece)
    out = [w if "/" in w or w in {"mL", "mEq"} else w.lower() for w in lowered.split(" ")]
    return " ".join(out)


def _key(request: Resource) -> str:
    concept = request.get("medicationCodeableConcept")
    coded = codes(concept)
    return coded[0] if coded else words(concept) or reference(request.get("medicationReference"))


def _medicine(group: list[Resource]) -> Medicine:
    def written(request: Resource) -> str:
        return text(request.get("authoredOn"))

    ordered = sorted(group, key=written, reverse=True)
    current = [r for r in ordered if r.get("status") in CURRENT]
    shown = current[0] if current else ordered[0]
    dates = sorted(m for r in group if (m := moment(r.get("authoredOn"))))
    status = text(shown.get("status"))
    return Medicine(
        name=_name(shown),
        dose=dosage(shown),
        status=STATUS.get(status, "Not known"),
        is_current=bool(current),
        started=dates[0] if dates else None,
        latest=dates[-1] if dates else None,
        orders=len(group),
        reason=words(inner(shown, "reasonCode"))
        or text(inner(shown, "reasonReference", "display")),
    )


def _name(request: Resource) -> str:
    said = words(request.get("medicationCodeableConcept"))
    said = said or text(inner(request, "medicationReference", "display")) or _contained(request)
    return tidy(said) if said else "Medicine without a name"


def _contained(request: Resource) -> str:
    wanted = text(inner(request, "medicationReference", "reference")).lstrip("#")
    for resource in objects(request.get("contained")):
        if resource.get("id") == wanted:
            return words(resource.get("code"))
    return ""


def _dose(instruction: Mapping[str, Any]) -> str:
    if said := text(instruction.get("text")) or text(instruction.get("patientInstruction")):
        return said
    parts = [_amount(instruction), _timing(instruction)]
    if words(inner(instruction, "route")):
        parts.append(words(inner(instruction, "route")).lower())
    if instruction.get("asNeededBoolean") is True:
        parts.append("when needed")
    elif needed := words(instruction.get("asNeededCodeableConcept")):
        parts.append(f"when needed for {needed.lower()}")
    said = ", ".join(part for part in parts if part)
    return said[:1].upper() + said[1:]


def _amount(instruction: Mapping[str, Any]) -> str:
    quantity = inner(instruction, "doseAndRate", "doseQuantity")
    value = inner(quantity, "value")
    if not isinstance(value, int | float) or isinstance(value, bool):
        return ""
    unit = text(inner(quantity, "unit"))
    # Without a unit the number counts what the medicine is made of: tablets, puffs.
    return f"{value:g} {unit}".strip() if unit else f"{value:g} at a time"


def _timing(instruction: Mapping[str, Any]) -> str:
    repeat = inner(instruction, "timing", "repeat") or {}
    often, period, unit = (inner(repeat, n) for n in ("frequency", "period", "periodUnit"))
    if not isinstance(period, int | float) or unit not in EVERY:
        return words(inner(instruction, "timing", "code"))
    often = often if isinstance(often, int) and not isinstance(often, bool) else 1
    every = EVERY[unit]
    if period == 1:
        return f"{TIMES.get(often, f'{often} times')} {'an' if every == 'hour' else 'a'} {every}"
    times = "" if often == 1 else f"{TIMES.get(often, f'{often} times')} "
    return f"{times}every {period:g} {every}s"

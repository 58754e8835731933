"""Numbers with units, ranges and durations."""

import re
from typing import Any

from polyclinic.services.integration.domain.mapping import ucum
from polyclinic.services.integration.domain.mapping.nodes import Node
from polyclinic.services.integration.domain.mapping.primitives import decimal, number, string
from polyclinic.services.integration.domain.mapping.reading import Reading

Unit = dict[str, str]

_COMPARED = re.compile(r"(<=|>=|<|>|≤|≥)?\s*([+-]?\d{1,15}(?:\.\d{1,10})?)", re.ASCII).fullmatch
_RANGE = re.compile(
    r"\(?\s*([+-]?\d{1,12}(?:\.\d{1,10})?)\s*(?:-|–|to|\.\.)\s*([+-]?\d{1,12}(?:\.\d{1,10})?)\s*\)?",
    re.ASCII,
).fullmatch
_COMPARATORS = {"≤": "<=", "≥": ">="}
_MINUTES = {"s": 1 / 60, "sec": 1 / 60, "m": 1, "min": 1, "minutes": 1, "h": 60, "hr": 60,
            "hour": 60, "hours": 60, "d": 1440}  # fmt: skip


def unit_of(node: Node) -> Unit:
    """Of CWE: UCUM code where it is one, else the text alone."""
    said, text = node.get("1"), node.get("2")
    if not said and not text:
        return {}
    code = ucum.code_of(said or "") or ucum.code_of(text or "")
    shown = said if said and not text else text or ""
    if code is None:
        return {"unit": shown}
    return {"unit": shown, "system": ucum.SYSTEM, "code": code}


def quantity(node: Node, reading: Reading) -> dict[str, Any] | None:
    """Of CQ: quantity and units, which are a CWE in subcomponents."""
    value = decimal(Node(node.leaves[:1], node.place), reading)
    return None if value is None else {"value": value, **unit_of(node.node("2"))}


def with_unit(text: str | None, unit: Unit) -> dict[str, Any] | None:
    """`>= 5.0` with its unit, none where it is no number."""
    found = _COMPARED((text or "").strip())
    if not found:
        return None
    value: dict[str, Any] = {"value": number(found[2])}
    if found[1]:
        value["comparator"] = _COMPARATORS.get(found[1], found[1])
    return {**value, **unit}


def structured(node: Node, unit: Unit, reading: Reading) -> tuple[str, Any] | None:
    """Of SN: a quantity, a range, a ratio, or the text of what is none of these."""
    comparator, first, mark, second = (node.get(str(each)) or "" for each in range(1, 5))
    low, high = with_unit(first, unit), with_unit(second, unit)
    if low and not mark and not second and comparator in ("", "=", "<", ">", "<=", ">="):
        extra = {"comparator": comparator} if comparator not in ("", "=") else {}
        return "valueQuantity", {**low, **extra}
    if low and high and mark == "-" and not comparator:
        return "valueRange", {"low": low, "high": high}
    if low and high and mark in (":", "/") and not comparator:
        return "valueRatio", {"numerator": low, "denominator": high}
    text = " ".join(part for part in (comparator, first, mark, second) if part)
    if text:
        reading.note(node.place, "The structured number is kept as text.", "information")
    return ("valueString", text) if text else None


def reference_range(node: Node, reading: Reading, unit: Unit) -> dict[str, Any] | None:
    """Low and high where the text says two numbers or a bound; the text always."""
    text = string(node, reading)
    if text is None:
        return None
    found: dict[str, Any] = {"text": text}
    if both := _RANGE(text):
        if number(both[1]) <= number(both[2]):
            found["low"] = {"value": number(both[1]), **unit}
            found["high"] = {"value": number(both[2]), **unit}
    elif (bound := _COMPARED(text)) and bound[1]:
        side = "high" if bound[1] in ("<", "<=", "≤") else "low"
        found[side] = {"value": number(bound[2]), **unit}
    return found


def numeric_range(node: Node, unit: Unit) -> dict[str, Any] | None:
    """Of NR."""
    low, high = with_unit(node.get("1"), unit), with_unit(node.get("2"), unit)
    found = {name: value for name, value in (("low", low), ("high", high)) if value}
    return found or None


def minutes(amount: str | None, unit: str | None) -> int:
    """A duration in whole minutes; 0 where none was said. Without a unit it is minutes."""
    found = _COMPARED((amount or "").strip())
    if not found or found[1]:
        return 0
    factor = _MINUTES.get((unit or "min").strip().lower())
    return round(float(found[2]) * factor) if factor else 0

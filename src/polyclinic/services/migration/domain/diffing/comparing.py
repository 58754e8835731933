"""Two answers compared by meaning: units, codes, zones and orders of lists aside.

A difference has the severity of its field. Two texts that differ in capitals only are a difference
of severity 4 wherever they stand.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from polyclinic.services.migration.domain.diffing import units
from polyclinic.services.migration.domain.diffing.reading import (
    ABSENT,
    Raw,
    Unreadable,
    analyte_of,
    read,
    taken,
    within,
)
from polyclinic.services.migration.domain.diffing.reading import at as at_path
from polyclinic.services.migration.domain.diffing.rules import Comparison, Difference, Field

ITEMS = "items"
COSMETIC = 4


def compare(rules: Comparison, legacy: Any, candidate: Any) -> list[Difference]:
    """Every place where two bodies do not mean the same; an empty list says that they do."""
    whole = Field(path="", kind="list", fields=rules.fields)
    return list(_items(whole, (_object(legacy), _object(candidate)), "", rules.ignore))


def compare_status(rules: Comparison, legacy: int, candidate: int) -> list[Difference]:
    """Found or not found, allowed or refused: kinds of answers, not their exact numbers."""
    if _status_kind(legacy) == _status_kind(candidate):
        return []
    return [Difference("status", "status", rules.status, legacy, candidate)]


def _status_kind(status: int) -> int:
    return {410: 404, 401: 403}.get(status, 200 if 200 <= status < 300 else status)


def _object(body: Any) -> dict[str, Any]:
    return body if isinstance(body, dict) else {ITEMS: body}


def _items(
    field: Field, pair: tuple[Any, Any], at: str, ignore: tuple[str, ...]
) -> Iterator[Difference]:
    """Two objects: the declared fields, then whatever else either of them holds."""
    legacy, candidate = pair
    for inner in field.fields:
        name = (at + inner.path).rstrip(".")
        if name not in ignore:
            yield from _field(inner, pair, name, ignore)
    known = {path for inner in field.fields for path in _paths(inner)}
    for name in sorted(_leaves(legacy, known) | _leaves(candidate, known)):
        if at + name not in ignore:
            one, other = _plain(at_path(legacy, name)), _plain(at_path(candidate, name))
            if one != other:
                yield Difference(at + name, _kind(one, other), COSMETIC, one, other)


def _paths(field: Field) -> tuple[str, ...]:
    named = (field.path, field.path_of(candidate=True), field.unit_path, *field.also)
    return tuple(filter(None, named))


def _leaves(value: Any, known: set[str], at: str = "") -> set[str]:
    """Paths of an object that no rule names, and nothing below those that one names."""
    found: set[str] = set()
    if not isinstance(value, dict):
        return found
    for key, inner in value.items():
        path = f"{at}{key}"
        if path in known:
            continue
        if isinstance(inner, dict) and any(name.startswith(f"{path}.") for name in known):
            found |= _leaves(inner, known, f"{path}.")
        else:
            found.add(path)
    return found


def _plain(value: Any) -> Any:
    """What nobody declared, made comparable: lists in any order, empty as absent."""
    if isinstance(value, dict):
        pairs = {key: _plain(inner) for key, inner in value.items()}
        return {key: inner for key, inner in pairs.items() if inner is not None} or None
    if isinstance(value, list):
        return sorted(map(_plain, value), key=repr) or None
    return None if value == "" else value


def _field(
    field: Field, pair: tuple[Any, Any], name: str, ignore: tuple[str, ...]
) -> Iterator[Difference]:
    """One field of two objects."""
    raw = (taken(field, pair[0], candidate=False), taken(field, pair[1], candidate=True))
    if field.kind == "list":
        yield from _lists(field, (_list(raw[0].value), _list(raw[1].value)), name, ignore)
        return
    one, other = read(field, raw[0]), read(field, raw[1])
    shown = (_with_unit(raw[0]), _with_unit(raw[1]))
    if _same(field, one, other, analyte_of(field, pair[0])):
        if field.kind == "text" and _spaced(raw[0]) != _spaced(raw[1]):
            yield Difference(name, "spacing", COSMETIC, *shown)
        return
    kind, severity = _kind(one, other), int(field.severity)
    # Two ids that differ in capitals are two ids.
    if field.kind in ("text", "code") and str(one).casefold() == str(other).casefold():
        kind, severity = "capitals", COSMETIC
    yield Difference(name, kind, severity, *shown)


def _with_unit(raw: Raw) -> Any:
    return f"{raw.value} {raw.unit}" if raw.unit and raw.value is not None else raw.value


def _spaced(raw: Raw) -> str:
    return "" if raw.value is None else unicodedata.normalize("NFC", str(raw.value))


def _list(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return value if isinstance(value, list) else [value]


def _kind(one: Any, other: Any) -> str:
    if one is ABSENT or other is ABSENT:
        return "extra" if one is ABSENT else "missing"
    if isinstance(one, Unreadable) or isinstance(other, Unreadable):
        return "unreadable"
    return "value"


def _same(field: Field, one: Any, other: Any, analyte: str = "") -> bool:
    if one == other and type(one) is type(other):
        return True
    if None in (one, other) or Unreadable in (type(one), type(other)):
        return False
    match field.kind:
        case "quantity":
            return _same_quantity(field, one, other, analyte)
        case "range":
            pairs = zip(one, other, strict=True)
            return all(_same_quantity(field, low, high, analyte) for low, high in pairs)
        case "number" | "money":
            return abs(one - other) <= Decimal(str(field.tolerance))
        case "time":
            return within(one, other, field.tolerance)
        case _:
            return False


_Quantity = tuple[str, Decimal, str]


def _same_quantity(field: Field, one: _Quantity, other: _Quantity, analyte: str) -> bool:
    if one[0] != other[0]:
        return False
    if units.same(one[1:], other[1:], analyte):
        return True
    is_one_unit = units.unit_of(one[2]) == units.unit_of(other[2])
    return is_one_unit and abs(one[1] - other[1]) <= Decimal(str(field.tolerance))


def _lists(
    field: Field, pair: tuple[list[Any], list[Any]], at: str, ignore: tuple[str, ...]
) -> Iterator[Difference]:
    """Items by key; an item of one side only is missing or extra, with the list's severity."""
    legacy, candidate = pair
    left = list(candidate)
    for n, item in enumerate(legacy):
        match = _partner(field, item, left, n)
        if match is None:
            yield Difference(f"{at}[]", "missing", field.severity, item, None)
            continue
        partner = left.pop(match)
        if field.fields:
            yield from _items(field, (item, partner), f"{at}[].", ignore)
    for item in left:
        yield Difference(f"{at}[]", "extra", field.severity, None, item)
    if field.ordered and not left and len(legacy) == len(candidate):
        yield from _order(field, (legacy, candidate), at)


def _order(field: Field, pair: tuple[list[Any], list[Any]], at: str) -> Iterator[Difference]:
    for one, other in zip(*pair, strict=True):
        if _partner(field, one, [other], 0) is None:
            yield Difference(f"{at}[]", "order", field.severity, one, other)
            return


def _partner(field: Field, item: Any, among: list[Any], near: int) -> int | None:
    """Where in a list the same item stands; looked for at its own place first."""
    order = sorted(range(len(among)), key=lambda n: n != min(near, len(among) - 1))
    return next((n for n in order if _is_same_item(field, item, among[n])), None)


def _is_same_item(field: Field, one: Any, other: Any) -> bool:
    if not field.fields:
        return _plain(one) == _plain(other)
    if not field.key:
        return worst(_items(field, (one, other), "", ())) >= COSMETIC
    inner = (f for f in field.fields if f.path in field.key)
    return all(
        _same_key(
            f, read(f, taken(f, one, candidate=False)), read(f, taken(f, other, candidate=True))
        )
        for f in inner
    )


def _same_key(field: Field, one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str) and field.kind != "id":
        return one.casefold() == other.casefold()
    return _same(field, one, other)


def masked(value: Any) -> str:
    """The shape of a value and nothing of it: letters as x, digits as 9, at most forty signs."""
    if isinstance(value, dict | list):
        return f"{type(value).__name__} of {len(value)}"
    text = re.sub(r"[^\W\d_]", "x", str(value))
    return re.sub(r"\d", "9", text)[:40]


def worst(found: Iterable[Difference]) -> int:
    """The most serious severity; 5 where there is no difference."""
    return min((difference.severity for difference in found), default=COSMETIC + 1)

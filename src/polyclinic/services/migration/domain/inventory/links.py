"""Which column means a row of which other table: declared, or found by names, types and values."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from polyclinic.services.migration.domain.inventory.findings import Link, Table

# Names that say only "this row's id", whose own table says which.
_PLAIN = frozenset(
    {"id", "no", "nr", "num", "code", "cd", "key", "uid", "uuid", "guid", "pk", "seq"}
)
_TAILS = _PLAIN | {"ref", "fk", "number", "name", "nm"}
_ENOUGH_VALUES = 3
LIKELY = 0.55


@dataclass(frozen=True, slots=True)
class Pair:
    """A column and a unique column of another table that it might mean, and how alike the names."""

    table: str
    column: str
    to_table: str
    to_column: str
    alike: float
    is_number: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """Of so many different values of the column, so many are in the other; `apart` of so many."""

    pair: Pair
    values: int
    found: int
    apart: int


def words(name: str) -> list[str]:
    """`patientMRN_no` → patient, mrn, no; plural endings off."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)
    return [singular(part.lower()) for part in parts]


def singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "xes", "ches")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def shortens(short: str, long: str) -> float:
    """How likely one word is short for the other: `pat` and `pt` for `patient`."""
    if short == long:
        return 1.0
    if len(short) >= 3 and (long.startswith(short) or (short.startswith(long) and len(long) >= 3)):
        return 0.9
    letters = iter(long)
    in_order = len(short) >= 2 and short[0] == long[0] and all(each in letters for each in short)
    return 0.5 if in_order and len(short) < len(long) else 0.0


def candidates(tables: Sequence[Table]) -> list[Pair]:
    """Every pair that types allow and that names or values could speak for."""
    return [
        Pair(table.name, column.name, other.name, key, alike, _is_number(column.type))
        for table in tables
        for column in table.columns
        for other in tables
        for key in other.unique
        if other.name != table.name
        and _same_type(column.type, _type_of(other, key))
        and (alike := _alike(table, column.name, other, key)) >= 0
    ]


def _alike(table: Table, column: str, other: Table, key: str) -> float:
    """From 0 to 1; below 0 where the column is its own table's key and says nothing of others."""
    mine, theirs, target = words(column), words(key), words(other.name)
    is_own_key = column in table.key and len(table.key) == 1
    said = [word for word in mine if word not in _TAILS]
    if not said:
        return -1.0 if is_own_key else 0.0
    own = words(table.name)
    if is_own_key or (column in table.unique and any(shortens(w, o) for w in said for o in own)):
        return -1.0
    by_key = 0.0
    if column.lower() == key.lower() and any(word not in _PLAIN for word in theirs):
        by_key = 1.0 if _belongs(theirs, target) else 0.8
    by_table = max((shortens(word, name) for word in said for name in target), default=0.0)
    return max(by_key, by_table * (0.95 if len(said) == 1 else 0.9))


def _belongs(key: list[str], table: list[str]) -> bool:
    return any(shortens(word, name) for word in key for name in table if word not in _TAILS)


def _type_of(table: Table, column: str) -> str:
    return next((each.type for each in table.columns if each.name == column), "")


def _is_number(kind: str) -> bool:
    return re.search(r"int|serial|numeric|number|decimal", kind) is not None


def _is_text(kind: str) -> bool:
    return re.search(r"char|text|string|uuid|uniqueidentifier|clob", kind) is not None


def _same_type(one: str, other: str) -> bool:
    if not one or not other:
        return True
    return (_is_number(one) and _is_number(other)) or (_is_text(one) and _is_text(other))


def judged(
    pairs: Iterable[Pair],
    declared: Iterable[Link],
    measure: Callable[[Pair], Measured | None],
) -> tuple[Link, ...]:
    """The declared links, and for every other column the likeliest row it could mean."""
    known = list(declared)
    taken = {(link.table, link.column) for link in known}
    best: dict[tuple[str, str], Link] = {}
    for pair in pairs:
        place = (pair.table, pair.column)
        if place in taken or (pair.is_number and pair.alike == 0):
            # Small numbers lie within every other table's ids: they need a name that says so.
            continue
        link = _link(pair, measure(pair))
        if link.confidence >= LIKELY and (
            place not in best or link.confidence > best[place].confidence
        ):
            best[place] = link
    return (*known, *best.values())


def _link(pair: Pair, measured: Measured | None) -> Link:
    found, confidence = None, pair.alike * 0.8
    if measured is not None and measured.values:
        found = measured.found / measured.values
        confidence = _confidence(pair, measured, found)
    return Link(
        table=pair.table,
        column=pair.column,
        to_table=pair.to_table,
        to_column=pair.to_column,
        declared=False,
        confidence=round(confidence, 3),
        found=None if found is None else round(found, 4),
    )


def _confidence(pair: Pair, measured: Measured, found: float) -> float:
    if found < 0.8:
        return 0.0
    if pair.is_number:
        return pair.alike * 0.7 + found * 0.3 if pair.alike else 0.0
    # Texts that are found elsewhere are hardly there by chance, if there are a few.
    by_values = found * min(1.0, measured.values / _ENOUGH_VALUES) * 0.75
    return min(1.0, by_values + pair.alike * 0.25)

"""Merged patients: two records of one person stand for each other until that is taken back.

A merge moves nothing. It is a row, and the rows of `patient_alias` that follow from all rows: the
records of one person are those that merges join, however long the chain (house, section 4).
"""

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from polyclinic.fhirserver.terms import Terms
from polyclinic.foundation.database import Database, Transaction

# Two merges at a time could each miss what the other joins.
_ALONE: LiteralString = "LOCK TABLE patient_merge IN SHARE ROW EXCLUSIVE MODE"
_JOINED: LiteralString = """
    WITH RECURSIVE person AS (
        SELECT unnest($1::text[]) COLLATE "C" AS id
        UNION
        SELECT CASE WHEN m.loser = p.id THEN m.winner ELSE m.loser END
        FROM person p JOIN patient_merge m ON m.ended IS NULL AND p.id IN (m.loser, m.winner))
    SELECT m.loser, m.winner FROM patient_merge m JOIN person p ON p.id = m.loser
    WHERE m.ended IS NULL"""
_ADD: LiteralString = """
    INSERT INTO patient_merge (id, loser, winner, at, loser_active) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT DO NOTHING RETURNING true"""
_END: LiteralString = """
    UPDATE patient_merge SET ended = $2 WHERE id = $1 AND ended IS NULL RETURNING loser, winner"""
_FORGET: LiteralString = "DELETE FROM patient_alias WHERE id = ANY ($1::text[])"
_REMEMBER: LiteralString = """
    INSERT INTO patient_alias (patient, alias, id, alias_id)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[])"""
_FIND: LiteralString = """
    SELECT id, loser, winner, at, loser_active FROM patient_merge
    WHERE ended IS NULL AND loser = $1"""
_ALL: LiteralString = "SELECT patient, alias, id, alias_id FROM patient_alias"


@dataclass(frozen=True, slots=True)
class Merge:
    """`loser` is the record that is given up, `winner` the one that goes on; ids of Patients."""

    id: uuid.UUID
    loser: str
    winner: str
    at: datetime
    loser_active: bool | None = None


@dataclass(frozen=True, slots=True)
class Alias:
    """`other` is a record of the same person as `id`; with the numbers of both."""

    patient: int
    alias: int
    id: str
    other: str


async def begin(tx: Transaction, terms: Terms, merge: Merge) -> bool:
    """Joins two records; false when it was done before, or when the loser was given up already."""
    await tx.execute(_ALONE)
    values = (merge.id, merge.loser, merge.winner, merge.at, merge.loser_active)
    if not await tx.fetchval(_ADD, *values):
        return False
    await _say_anew(tx, terms, {merge.loser, merge.winner})
    return True


async def end(tx: Transaction, terms: Terms, merge: uuid.UUID, at: datetime) -> bool:
    """Parts two records again; false when there is no such merge that still holds."""
    await tx.execute(_ALONE)
    row = await tx.fetchrow(_END, merge, at)
    if row is None:
        return False
    # Who was joined through this merge stands in the aliases still.
    await _say_anew(tx, terms, {row["loser"], row["winner"]})
    return True


async def holding(database: Database, loser: str) -> Merge | None:
    """The merge by which this record was given up."""
    row = await database.fetchrow(_FIND, loser)
    return None if row is None else Merge(**dict(row))


async def aliases(database: Database) -> list[Alias]:
    """All of them; there are as many as merges, which are few."""
    return [Alias(*row) for row in await database.fetch(_ALL)]


async def _say_anew(tx: Transaction, terms: Terms, changed: Collection[str]) -> None:
    rows = await tx.fetch(_JOINED, list(changed))
    persons = joined(changed, [(row["loser"], row["winner"]) for row in rows])
    members = sorted({name for person in persons for name in person})
    await tx.execute(_FORGET, members)
    pairs = [
        (name, other) for person in persons for name in person for other in person if name != other
    ]
    number = {name: terms.person(f"Patient/{name}") for name in members}
    await tx.execute(
        _REMEMBER,
        [number[name] for name, _ in pairs],
        [number[other] for _, other in pairs],
        [name for name, _ in pairs],
        [other for _, other in pairs],
    )


def joined(names: Iterable[str], merges: Sequence[tuple[str, str]]) -> list[frozenset[str]]:
    """Which names are one person, given who was merged with whom."""
    person = {name: frozenset({name}) for name in names}
    for pair in merges:
        one, other = (person.get(name, frozenset({name})) for name in pair)
        whole = one | other
        person.update(dict.fromkeys(whole, whole))
    return list(set(person.values()))

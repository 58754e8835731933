"""Differences by cluster, their sealed examples, and what wavers on the old side."""

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString, NamedTuple
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction

EXAMPLES_MAX = 5
_NOTE: LiteralString = """
    INSERT INTO migration.difference AS d
        (id, capability, route, path, kind, severity, seen, wavering, first_at, last_at)
    SELECT id, $1, $2, path, kind, severity, seen, wavering, $3::timestamptz, $3::timestamptz
    FROM unnest($4::uuid[], $5::text[], $6::text[], $7::smallint[], $8::bigint[], $9::bigint[])
        AS t(id, path, kind, severity, seen, wavering)
    ORDER BY id
    ON CONFLICT (id) DO UPDATE SET
        seen = d.seen + excluded.seen, wavering = d.wavering + excluded.wavering,
        last_at = excluded.last_at, severity = least(d.severity, excluded.severity)
    RETURNING id, seen + wavering AS number, verdict, until"""
_ADD_EXAMPLE: LiteralString = """
    INSERT INTO migration.difference_example (difference, number, at, sealed)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (difference, number) DO UPDATE SET at = excluded.at, sealed = excluded.sealed"""
_LIST: LiteralString = """
    SELECT id, capability, route, path, kind, severity, seen, wavering, first_at, last_at, owner,
           verdict, until, note
    FROM migration.difference
    WHERE ($1::text IS NULL OR capability = $1) AND ($2::uuid IS NULL OR id = $2)
    ORDER BY severity, seen DESC, path LIMIT 500"""
_OPEN: LiteralString = """
    SELECT count(*) FROM migration.difference
    WHERE capability = $1 AND severity <= 2 AND last_at >= $2
      AND (verdict IS NULL OR verdict = 'bug-new' OR until <= $3)"""
_DECIDE: LiteralString = """
    UPDATE migration.difference SET owner = $2, verdict = $3, until = $4, note = $5
    WHERE id = $1 RETURNING id"""
_WAVERED: LiteralString = """
    INSERT INTO migration.wavering AS w (capability, route, path, differed, asked)
    SELECT $1, $2, path, differed, 1
    FROM unnest($3::text[], $4::bigint[]) AS t(path, differed) ORDER BY path
    ON CONFLICT (capability, route, path) DO UPDATE SET
        differed = w.differed + excluded.differed, asked = w.asked + 1"""


class Seen(NamedTuple):
    """A cluster that was met in one comparison; one of `seen` and `wavering` is 1."""

    id: UUID
    path: str
    kind: str
    severity: int
    seen: int
    wavering: int


async def note(
    where: Database | Transaction, place: tuple[str, str], at: datetime, found: Sequence[Seen]
) -> list[Row]:
    """Counts clusters of a (capability, route); answers id, number, verdict, until of each."""
    columns = [list(column) for column in zip(*found, strict=True)]
    return await where.fetch(_NOTE, *place, at, *columns)


async def add_example(
    where: Database | Transaction, difference: UUID, number: int, at: datetime, sealed: bytes
) -> None:
    """Keeps the newest few."""
    await where.execute(_ADD_EXAMPLE, difference, number % EXAMPLES_MAX, at, sealed)


async def listed(
    where: Database | Transaction, capability: str | None, one: UUID | None = None
) -> list[Row]:
    return await where.fetch(_LIST, capability, one)


async def open_count(
    where: Database | Transaction, capability: str, since: datetime, now: datetime
) -> int:
    """Serious differences met since, that no verdict lets pass."""
    return await where.fetchval(_OPEN, capability, since, now)


async def decide(
    tx: Transaction, name: UUID, owner: str | None, verdict: tuple[str | None, datetime | None, str]
) -> bool:
    return await tx.fetchval(_DECIDE, name, owner, *verdict) is not None


async def examples(database: Database, difference: UUID) -> list[Row]:
    query = (
        "SELECT number, at, sealed FROM migration.difference_example"
        " WHERE difference = $1 ORDER BY at DESC"
    )
    return await database.fetch(query, difference)


async def waver(
    database: Database, place: tuple[str, str], paths: Sequence[str], differed: Sequence[int]
) -> None:
    """Notes one more time that the old side was asked twice; the path "" counts all of them."""
    await database.execute(_WAVERED, *place, list(paths), list(differed))


async def wavering(database: Database, place: tuple[str, str]) -> list[Row]:
    query = (
        "SELECT path, differed, asked FROM migration.wavering WHERE capability = $1 AND route = $2"
    )
    return await database.fetch(query, *place)


async def sweep(database: Database, now: datetime) -> None:
    """Examples are for those who look into them soon."""
    query = (
        "DELETE FROM migration.difference_example WHERE at < $1::timestamptz - interval '30 days'"
    )
    await database.execute(query, now)

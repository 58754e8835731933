"""What changed and has not been looked at: noted once for each resource, leased, settled."""

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction

# Told again while somebody is at it: the lease is void, so that the older state settles nothing.
_NOTE: LiteralString = """
INSERT INTO insights.work AS w (name, version, oldest, since)
SELECT name, max(version), min(version), min(since)
FROM unnest($1::text[], $2::int[], $3::timestamptz[]) AS t(name, version, since)
GROUP BY name ORDER BY name
ON CONFLICT (name) DO UPDATE
SET version = greatest(w.version, excluded.version), oldest = least(w.oldest, excluded.oldest),
    next = now(), tries = 0, parked = NULL, lease = NULL, leased_until = NULL"""
_CLAIM: LiteralString = """
WITH open AS (
    SELECT w.name FROM insights.work w
    WHERE w.parked IS NULL AND w.next <= now()
      AND (w.leased_until IS NULL OR w.leased_until < now())
    ORDER BY w.seq LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE insights.work w SET lease = $1, leased_until = now() + make_interval(secs => $3)
FROM open WHERE w.name = open.name
RETURNING w.name, w.version, w.oldest, w.since, w.tries"""
_DONE: LiteralString = """
DELETE FROM insights.work w USING unnest($2::text[], $3::int[]) AS t(name, version)
WHERE w.name = t.name AND w.version = t.version AND w.lease = $1 RETURNING w.name"""
_AGAIN: LiteralString = """
UPDATE insights.work w
SET tries = w.tries + t.counts, next = now() + make_interval(secs => t.wait), parked = t.parked,
    lease = NULL, leased_until = NULL
FROM unnest($2::text[], $3::float8[], $4::int[], $5::text[]) AS t(name, wait, counts, parked)
WHERE w.name = t.name AND w.lease = $1"""

_DUE: LiteralString = """
INSERT INTO insights.due AS d (name, version, at)
SELECT * FROM unnest($1::text[], $2::int[], $3::timestamptz[]) ORDER BY 1
ON CONFLICT (name) DO UPDATE SET version = greatest(d.version, excluded.version), at = excluded.at
"""
# Several scores may rest on one resource: the first that ends has it looked at, then the next.
_EXPIRES: LiteralString = """
INSERT INTO insights.due AS d (name, version, at)
SELECT name, max(version), min(at) FROM unnest($1::text[], $2::int[], $3::timestamptz[])
    AS t(name, version, at)
GROUP BY name ORDER BY name
ON CONFLICT (name) DO UPDATE
SET version = greatest(d.version, excluded.version), at = least(d.at, excluded.at)"""
_TAKE_DUE: LiteralString = """
DELETE FROM insights.due WHERE name IN (
    SELECT name FROM insights.due WHERE at <= $1 ORDER BY at LIMIT 500 FOR UPDATE SKIP LOCKED
) RETURNING name, version, at"""


async def set_due(tx: Transaction, rows: Sequence[tuple[str, int, datetime | None]]) -> None:
    """name, version, and when it is to be looked at though nothing changed; none: not at all."""
    never = sorted(name for name, _, at in rows if at is None)
    if never:
        await tx.execute("DELETE FROM insights.due WHERE name = ANY ($1::text[])", never)
    later = [row for row in rows if row[2] is not None]
    if later:
        await tx.execute(_DUE, *(list(column) for column in zip(*later, strict=True)))


async def set_expiry(tx: Transaction, rows: Sequence[tuple[str, int, datetime]]) -> None:
    """name, version, and when something said of it ends by itself; what is due sooner stays."""
    if rows:
        await tx.execute(_EXPIRES, *(list(column) for column in zip(*rows, strict=True)))


async def note_due(tx: Transaction, now: datetime) -> int:
    """Puts what is due among what is to be looked at; how many that were."""
    rows = await tx.fetch(_TAKE_DUE, now)
    await note(tx, [(f"{row['name']}/{row['version']}", row["at"]) for row in rows])
    return len(rows)


async def note(tx: Transaction, told: Sequence[tuple[str, datetime]]) -> None:
    """Subjects as the feed has them, `Type/id/version`, and when it happened."""
    names, versions, times = [], [], []
    for subject, at in told:
        name, _, version = subject.rpartition("/")
        names.append(name)
        versions.append(int(version))
        times.append(at)
    await tx.execute(_NOTE, names, versions, times)


async def claim(database: Database, lease: UUID, limit: int, seconds: int) -> list[Row]:
    """Leases what is due, the oldest first: name, version, oldest, since, tries."""
    return await database.fetch(_CLAIM, lease, limit, seconds)


async def done(database: Database, lease: UUID, rows: Sequence[tuple[str, int]]) -> set[str]:
    """Forgets what was looked at; what was told anew meanwhile stays. The names of the former."""
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], []]
    return {row["name"] for row in await database.fetch(_DONE, lease, *columns)}


async def again(
    database: Database, lease: UUID, rows: Sequence[tuple[str, float, int, str | None]]
) -> None:
    """name, seconds to wait, 1 if it counts as a try, and why it is parked if it is."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    if columns:
        await database.execute(_AGAIN, lease, *columns)


async def release(database: Database, lease: UUID) -> None:
    """Gives back what a worker that stops had not finished."""
    await database.execute(
        "UPDATE insights.work SET lease = NULL, leased_until = NULL WHERE lease = $1", lease
    )


async def waiting(database: Database) -> Row:
    """How many wait, since when, and how many are parked."""
    row = await database.fetchrow(
        "SELECT count(*) FILTER (WHERE parked IS NULL) AS waiting,"
        " min(since) FILTER (WHERE parked IS NULL) AS since,"
        " count(*) FILTER (WHERE parked IS NOT NULL) AS parked FROM insights.work"
    )
    assert row is not None
    return row


async def parked(database: Database, limit: int) -> list[Row]:
    """What a person has to look at: name, version, since, why."""
    return await database.fetch(
        "SELECT name, version, since, tries, parked AS reason FROM insights.work"
        " WHERE parked IS NOT NULL ORDER BY seq LIMIT $1",
        limit,
    )


async def unpark(tx: Transaction, name: str) -> bool:
    """Has something parked tried once more."""
    done = await tx.fetchval(
        "UPDATE insights.work SET parked = NULL, tries = 0, next = now()"
        " WHERE name = $1 AND parked IS NOT NULL RETURNING true",
        name,
    )
    return bool(done)

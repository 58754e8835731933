"""What was moved: sources, pairs, the crosswalk, the quarantine."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import LiteralString, NamedTuple
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction


class Aside(NamedTuple):
    """What was put aside, and what it waits for (schema 0005)."""

    key: bytes
    place: str
    reason: str
    resource: str = ""
    sealed: bytes | None = None
    seen: int | None = None
    due: datetime | None = None
    awaits_pair: str | None = None
    awaits: str | None = None
    stood: datetime | None = None


class Crossed(NamedTuple):
    """A row and its resource, as of the last time that they agreed."""

    key: bytes
    resource: str
    version: int
    digest: bytes


_SAVE_SOURCE: LiteralString = """
    INSERT INTO migration.source (system, version, document, url, author, log_seq)
    VALUES ($1, 1, $2, $3, $4, $5)
    ON CONFLICT (system) DO UPDATE SET version = source.version + 1, document = excluded.document,
        url = excluded.url, author = excluded.author, made = now(), log_seq =
            CASE WHEN source.url = excluded.url THEN source.log_seq ELSE excluded.log_seq END
    RETURNING version"""
_SAVE_PAIRS: LiteralString = """
    INSERT INTO migration.pair (system, name, place)
    SELECT $1, t.name, t.place FROM unnest($2::text[], $3::int[]) AS t(name, place)
    ON CONFLICT (system, name) DO UPDATE SET place = excluded.place, filled = false,
        changed = now()"""
_CROSSED: LiteralString = """
    SELECT key, resource, version, digest FROM migration.crosswalk
    WHERE system = $1 AND pair = $2 AND key = ANY ($3::bytea[])"""
_CROSSED_BY: LiteralString = """
    SELECT key, resource, version, digest FROM migration.crosswalk
    WHERE system = $1 AND pair = $2 AND resource = $3"""
_CROSS: LiteralString = """
    INSERT INTO migration.crosswalk (system, pair, key, resource, version, digest)
    SELECT $1, $2, t.key, t.resource, t.version, t.digest
    FROM unnest($3::bytea[], $4::text[], $5::int[], $6::bytea[])
         AS t(key, resource, version, digest)
    ON CONFLICT (system, pair, key) DO UPDATE SET resource = excluded.resource,
        version = excluded.version, digest = excluded.digest, at = now()"""
_UNCROSS: LiteralString = """
    DELETE FROM migration.crosswalk
    WHERE system = $1 AND pair = $2 AND key = ANY ($3::bytea[])"""
_QUARANTINE: LiteralString = """
    INSERT INTO migration.quarantine AS q (system, pair, way, key, place, reason, resource, sealed,
        seen, due, awaits_pair, awaits, stood)
    SELECT $1, $2, $3, t.* FROM unnest($4::bytea[], $5::text[], $6::text[], $7::text[], $8::bytea[],
        $9::bigint[], $10::timestamptz[], $11::text[], $12::text[], $13::timestamptz[]) AS t
    ON CONFLICT (system, pair, key, way) DO UPDATE SET place = excluded.place,
        reason = excluded.reason, resource = excluded.resource, sealed = excluded.sealed,
        seen = excluded.seen, due = excluded.due, awaits_pair = excluded.awaits_pair,
        awaits = excluded.awaits, stood = excluded.stood, at = now()"""
_STIRRED: LiteralString = """
    SELECT q.pair, q.key, q.sealed FROM migration.quarantine q
    JOIN migration.pair p ON p.system = q.system AND p.name = q.pair
    WHERE q.system = $1 AND q.way = 'forward' AND p.name = ANY ($2::text[])
      AND p.direction <> 'off' AND q.sealed IS NOT NULL
      AND (q.seen < p.stirred OR q.due <= now())
    ORDER BY p.place, q.at LIMIT $3"""
_WOKEN: LiteralString = """
    SELECT q.pair, q.key, q.resource, c.at AS stands FROM migration.quarantine q
    JOIN migration.pair p ON p.system = q.system AND p.name = q.pair
    LEFT JOIN migration.crosswalk c
        ON c.system = q.system AND c.pair = q.awaits_pair AND c.resource = q.awaits
    WHERE q.system = $1 AND q.way = 'back' AND p.name = ANY ($2::text[]) AND p.direction = 'both'
      AND (q.due <= now() OR (c.at IS NOT NULL AND (q.stood IS NULL OR c.at <> q.stood)))
    ORDER BY q.at, q.resource LIMIT $3"""
_RELEASE: LiteralString = """
    DELETE FROM migration.quarantine
    WHERE system = $1 AND pair = $2 AND way = $3 AND key = ANY ($4::bytea[])"""
_COUNTS: LiteralString = """
    SELECT p.name, p.direction, p.filled, p.changed,
           (SELECT count(*) FROM migration.crosswalk c
            WHERE c.system = p.system AND c.pair = p.name) AS moved,
           (SELECT count(*) FROM migration.quarantine q
            WHERE q.system = p.system AND q.pair = p.name) AS quarantined
    FROM migration.pair p WHERE p.system = $1 ORDER BY p.place"""
_REASONS: LiteralString = """
    SELECT pair, way, place, reason, count(*) AS count, min(at) AS since
    FROM migration.quarantine WHERE system = $1
    GROUP BY pair, way, place, reason ORDER BY pair, way, place, reason"""


async def save_source(
    tx: Transaction, system: str, document: bytes, url: str, author: str, log_seq: int
) -> int:
    """A new version; where the log was followed to stays while it is the same log."""
    return await tx.fetchval(_SAVE_SOURCE, system, document, url, author, log_seq)


async def save_pairs(tx: Transaction, system: str, names: Sequence[str]) -> None:
    await tx.execute(_SAVE_PAIRS, system, list(names), list(range(len(names))))


async def sources(database: Database | Transaction) -> list[Row]:
    query = "SELECT system, version, document, url, log_seq FROM migration.source ORDER BY system"
    return await database.fetch(query)


async def pairs(database: Database | Transaction, system: str) -> list[Row]:
    return await database.fetch(_COUNTS, system)


async def standing(where: Database | Transaction, system: str) -> list[Row]:
    """The pairs as they are to be moved, without a count."""
    query = (
        "SELECT name, direction, filled, changed FROM migration.pair"
        " WHERE system = $1 ORDER BY place"
    )
    return await where.fetch(query, system)


async def direct(tx: Transaction, system: str, name: str, direction: str) -> bool:
    query = (
        "UPDATE migration.pair SET direction = $3, filled = false, changed = now()"
        " WHERE system = $1 AND name = $2 RETURNING true"
    )
    return bool(await tx.fetchval(query, system, name, direction))


async def fill(database: Database, system: str, version: int, name: str, changed: datetime) -> None:
    """Every row was looked at, unless the pair was `changed` since the walk through it began."""
    # Locked, because a source that is set up anew in this moment is not filled.
    query = (
        "UPDATE migration.pair SET filled = true WHERE system = $1 AND name = $3 AND changed = $4"
        " AND EXISTS"
        " (SELECT FROM migration.source WHERE system = $1 AND version = $2 FOR SHARE)"
    )
    await database.execute(query, system, version, name, changed)


async def followed(database: Database, system: str, version: int, log_seq: int) -> None:
    query = (
        "UPDATE migration.source SET log_seq = $3"
        " WHERE system = $1 AND version = $2 AND log_seq < $3"
    )
    await database.execute(query, system, version, log_seq)


async def crossed(
    where: Database | Transaction, system: str, pair: str, keys: Iterable[bytes]
) -> dict[bytes, Crossed]:
    rows = await where.fetch(_CROSSED, system, pair, list(keys))
    return {row["key"]: Crossed(*row) for row in rows}


async def crossed_by(
    where: Database | Transaction, system: str, pair: str, resource: str
) -> Crossed | None:
    row = await where.fetchrow(_CROSSED_BY, system, pair, resource)
    return None if row is None else Crossed(*row)


async def cross(tx: Transaction, system: str, pair: str, found: Sequence[Crossed]) -> None:
    if found:
        keys, names, versions, digests = (list(each) for each in zip(*found, strict=True))
        await tx.execute(_CROSS, system, pair, keys, names, versions, digests)


async def uncross(tx: Transaction, system: str, pair: str, keys: Sequence[bytes]) -> None:
    await tx.execute(_UNCROSS, system, pair, list(keys))


async def keys_of(database: Database, system: str, pair: str, gone: bytes) -> set[bytes]:
    """Of rows that were there when last seen; `gone` is the digest of those that were not."""
    query = "SELECT key FROM migration.crosswalk WHERE system = $1 AND pair = $2 AND digest <> $3"
    return {row["key"] for row in await database.fetch(query, system, pair, gone)}


async def quarantine(
    tx: Transaction, system: str, pair: str, way: str, found: Sequence[Aside]
) -> None:
    """The same row again has its newest reason."""
    if found:
        columns = (list(each) for each in zip(*found, strict=True))
        await tx.execute(_QUARANTINE, system, pair, way, *columns)


async def release(tx: Transaction, system: str, pair: str, way: str, keys: Sequence[bytes]) -> None:
    await tx.execute(_RELEASE, system, pair, way, list(keys))


async def put_aside(database: Database, system: str, pair: str) -> set[bytes]:
    """Keys of the rows that were not taken over."""
    query = (
        "SELECT key FROM migration.quarantine WHERE system = $1 AND pair = $2 AND way = 'forward'"
    )
    return {row["key"] for row in await database.fetch(query, system, pair)}


async def waits(tx: Transaction, system: str, pair: str, resource: str) -> bool:
    """Whether a resource was put aside on the way back."""
    query = (
        "SELECT EXISTS (SELECT FROM migration.quarantine"
        " WHERE system = $1 AND pair = $2 AND way = 'back' AND resource = $3)"
    )
    return await tx.fetchval(query, system, pair, resource)


async def stirred(database: Database, system: str, pairs: Sequence[str], limit: int) -> list[Row]:
    """Rows on their way here that may be taken over now: `pair`, `key` and the `sealed` key."""
    return await database.fetch(_STIRRED, system, list(pairs), limit)


async def woken(database: Database, system: str, pairs: Sequence[str], limit: int) -> list[Row]:
    """What may go back now: `pair`, `key`, `resource`, and when what it awaits was noted."""
    return await database.fetch(_WOKEN, system, list(pairs), limit)


async def put_off(
    database: Database, system: str, pair: str, key: bytes, stands: datetime | None
) -> None:
    """It goes back when what it awaits is noted anew."""
    query = (
        "UPDATE migration.quarantine SET stood = $4, due = NULL"
        " WHERE system = $1 AND pair = $2 AND key = $3 AND way = 'back'"
    )
    await database.execute(query, system, pair, key, stands)


async def let_go(tx: Transaction, system: str, pair: str, key: bytes) -> bool:
    """Takes one from what waits to go back; whether it still did."""
    query = (
        "DELETE FROM migration.quarantine"
        " WHERE system = $1 AND pair = $2 AND key = $3 AND way = 'back' RETURNING true"
    )
    return bool(await tx.fetchval(query, system, pair, key))


async def reasons(database: Database, system: str) -> list[Row]:
    return await database.fetch(_REASONS, system)


async def stir(where: Database | Transaction, system: str, pair: str) -> None:
    """Rows of the pair that wait for others, or for a time of theirs, are asked again."""
    query = "UPDATE migration.pair SET stirred = stirred + 1 WHERE system = $1 AND name = $2"
    await where.execute(query, system, pair)


async def stirs(database: Database, system: str, pair: str) -> int:
    """How often that was; asked before a row is, so that nothing is missed meanwhile."""
    query = "SELECT stirred FROM migration.pair WHERE system = $1 AND name = $2"
    return await database.fetchval(query, system, pair) or 0


async def turn(tx: Transaction, system: str, pair: str, resource: str) -> None:
    """One after the other, until the transaction ends: who takes this resource back."""
    query = (
        "SELECT pg_advisory_xact_lock(hashtextextended("
        "concat_ws('/', 'migration', $1::text, $2::text, $3::text), 0))"
    )
    await tx.execute(query, system, pair, resource)


async def add_report(
    database: Database, name: UUID, system: str, author: str, report: bytes
) -> None:
    query = (
        "INSERT INTO migration.reconciliation (id, system, author, report) VALUES ($1, $2, $3, $4)"
    )
    await database.execute(query, name, system, author, report)


async def last_report(database: Database | Transaction, system: str) -> Row | None:
    query = (
        "SELECT id, at, author, report FROM migration.reconciliation"
        " WHERE system = $1 ORDER BY at DESC LIMIT 1"
    )
    return await database.fetchrow(query, system)

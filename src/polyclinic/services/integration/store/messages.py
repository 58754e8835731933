"""Messages as rows: kept with claim, place in the queue and turn, or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction

# One row a control id is enough for a batch that says it twice: the other one finds it taken.
_KEEP: LiteralString = """
WITH asked AS (
    SELECT * FROM unnest(
        $2::uuid[], $3::text[], $4::int[], $5::text[], $6::text[], $7::timestamptz[], $8::text[],
        $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::bytea[], $15::bytea[],
        $16::bytea[], $17::text[]) WITH ORDINALITY
    AS t(id, channel, version, way, kind, at, answer, state, reason, problem, keys, finds, sealed,
         key, digest, second, n)
), first AS (
    SELECT DISTINCT ON (key) key, digest, id, at FROM asked ORDER BY key, n
), claimed AS (
    INSERT INTO integration.seen AS s (key, digest, message, at)
    SELECT key, digest, id, at FROM first ORDER BY key
    ON CONFLICT (key) DO UPDATE
        SET digest = excluded.digest, message = excluded.message, at = excluded.at
        WHERE s.at < excluded.at - make_interval(days => $1)
    RETURNING message
), kept AS (
    INSERT INTO integration.message (id, channel, version, way, kind, at, answer, state, reason,
                                     problem, keys, finds, sealed)
    SELECT id, channel, version, way, kind, at, answer, state, reason, problem, keys::bigint[],
           finds::bigint[], sealed
    FROM asked WHERE id IN (SELECT message FROM claimed) ORDER BY n
    RETURNING id, seq, state, keys
), queued AS (
    INSERT INTO integration.queue (message, seq)
    SELECT id, seq FROM kept WHERE state = 'received'
), turns AS (
    INSERT INTO integration.turn (key, seq, message)
    SELECT DISTINCT unnest(keys), seq, id FROM kept WHERE state = 'received'
), owed AS (
    INSERT INTO integration.second_answer (message, about, wanted)
    SELECT k.id, k.id, a.second FROM kept k JOIN asked a ON a.id = k.id WHERE a.second <> ''
)
SELECT id FROM kept"""
_KNOWN: LiteralString = """
    SELECT s.key, s.digest, s.message, m.at, m.answer
    FROM integration.seen s JOIN integration.message m ON m.id = s.message
    WHERE s.key = ANY ($1::bytea[])"""
_SUMMARY: LiteralString = """
    SELECT m.id, m.seq, m.channel, m.version, m.way, m.kind, m.at, m.answer, m.state, m.reason,
           m.problem, m.tries, m.patients, m.parent, m.changed, m.sealed IS NOT NULL AS has_content,
           q.next, coalesce(q.leased_until > now(), false) AS at_work
    FROM integration.message m LEFT JOIN integration.queue q ON q.message = m.id"""
_LIST: LiteralString = (
    _SUMMARY
    + """
    WHERE ($1::text IS NULL OR m.state = $1) AND ($2::text IS NULL OR m.channel = $2)
      AND ($3::text IS NULL OR m.kind = $3) AND ($4::timestamptz IS NULL OR m.at >= $4)
      AND ($5::timestamptz IS NULL OR m.at < $5) AND ($6::bigint IS NULL OR m.seq < $6)
      AND ($7::text IS NULL OR m.reason = $7)"""
)
_PAGE: LiteralString = _LIST + " ORDER BY m.seq DESC LIMIT $8"
# Apart: a plan that must also do without the hash would not use its index.
_OLDEST: LiteralString = _LIST + " ORDER BY m.seq LIMIT $8"
_FOUND: LiteralString = _LIST + " AND m.finds @> ARRAY[$9::bigint] ORDER BY m.seq DESC LIMIT $8"
_BEFORE: LiteralString = """
    SELECT DISTINCT e.message, e.seq FROM integration.turn m
    JOIN integration.turn e ON e.key = m.key AND e.seq < m.seq
    WHERE m.message = $1 ORDER BY e.seq LIMIT 1"""
_LINK: LiteralString = """
    UPDATE integration.message
    SET patients = ARRAY[$2], finds = array_append(finds, $3::bigint), changed = now()
    WHERE id = $1 AND patients = '{}' AND state IN ('waiting', 'parked') RETURNING true"""
_COUNTS: LiteralString = """
    SELECT channel, state, count(*) AS count, min(at) AS oldest FROM integration.message
    WHERE state = ANY ('{received,failed,waiting,parked}') GROUP BY channel, state"""
_TRAFFIC: LiteralString = """
    SELECT c.name, l.at AS last, t.count FROM integration.channel c
    LEFT JOIN LATERAL (SELECT m.at FROM integration.message m WHERE m.channel = c.name
                       ORDER BY m.seq DESC LIMIT 1) l ON true
    LEFT JOIN LATERAL (SELECT count(*) AS count FROM integration.message m
                       WHERE m.channel = c.name AND m.at > now() - interval '1 hour') t ON true"""


@dataclass(frozen=True, slots=True)
class Kept:
    """A message to be kept; `key` is its claim, and `digest` what it says, both hashed."""

    id: UUID
    channel: str
    version: int
    way: str
    kind: str
    at: datetime
    answer: str
    state: str
    reason: str
    problem: str
    keys: tuple[int, ...]
    finds: tuple[int, ...]
    sealed: bytes
    key: bytes
    digest: bytes
    second: str = ""  # MSH-16, where a second acknowledgement is owed


@dataclass(frozen=True, slots=True)
class Filter:
    """Which messages somebody wants to see; `before` is the last `seq` of the former page."""

    state: str | None = None
    channel: str | None = None
    kind: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    reason: str | None = None
    find: int | None = None


async def keep(where: Database | Transaction, days: int, asked: Sequence[Kept]) -> set[UUID]:
    """Keeps those whose claim is new, or older than `days`; the ids of these."""
    columns = zip(
        *((m.id, m.channel, m.version, m.way, m.kind, m.at, m.answer, m.state, m.reason, m.problem,
           _array(m.keys), _array(m.finds), m.sealed, m.key, m.digest, m.second) for m in asked),
        strict=True,
    )  # fmt: skip
    rows = await where.fetch(_KEEP, days, *(list(column) for column in columns))
    return {row["id"] for row in rows}


async def known(where: Database | Transaction, keys: Sequence[bytes]) -> dict[bytes, Row]:
    """digest, message, at, answer: of what was claimed before."""
    return {row["key"]: row for row in await where.fetch(_KNOWN, list(keys))}


async def find(where: Database | Transaction, message: UUID) -> Row | None:
    return await where.fetchrow(_SUMMARY + " WHERE m.id = $1", message)


async def content(where: Database | Transaction, message: UUID) -> bytes | None:
    """The sealed bytes; none once their time is over."""
    return await where.fetchval("SELECT sealed FROM integration.message WHERE id = $1", message)


async def page(database: Database, wanted: Filter, limit: int) -> list[Row]:
    """The newest first."""
    values = (wanted.state, wanted.channel, wanted.kind, wanted.since, wanted.until, wanted.before)
    if wanted.find is None:
        return await database.fetch(_PAGE, *values, wanted.reason, limit)
    return await database.fetch(_FOUND, *values, wanted.reason, limit, wanted.find)


async def oldest(database: Database, wanted: Filter, limit: int) -> list[UUID]:
    """The ids of those that came first."""
    values = (wanted.state, wanted.channel, wanted.kind, wanted.since, wanted.until, wanted.before)
    rows = await database.fetch(_OLDEST, *values, wanted.reason, limit)
    return [row["id"] for row in rows]


async def link(tx: Transaction, message: UUID, patient: str, number: int) -> bool:
    """Gives somebody a message that is nobody's and has stopped; False for every other one."""
    return bool(await tx.fetchval(_LINK, message, patient, number))


async def standing_before(database: Database, message: UUID) -> UUID | None:
    """The unfinished message behind which this one waits for its turn."""
    return await database.fetchval(_BEFORE, message)


async def copies(database: Database, message: UUID) -> list[UUID]:
    query = "SELECT id FROM integration.message WHERE parent = $1 ORDER BY seq"
    return [row["id"] for row in await database.fetch(query, message)]


async def counts(database: Database) -> list[Row]:
    """channel, state, count, oldest: of all that is not finished."""
    return await database.fetch(_COUNTS)


async def traffic(database: Database) -> list[Row]:
    """name, last, count: when each channel last got something, and how much within the hour."""
    return await database.fetch(_TRAFFIC)


async def forget_claims(database: Database, days: int) -> None:
    query = "DELETE FROM integration.seen WHERE at < now() - make_interval(days => $1)"
    await database.execute(query, days)


def _array(numbers: Sequence[int]) -> str:
    """As PostgreSQL reads an array: arrays of different lengths do not travel as one value."""
    return "{" + ",".join(map(str, numbers)) + "}"

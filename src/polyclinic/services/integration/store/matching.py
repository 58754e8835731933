"""Numbers and the patients they name, questions for people, and what they answered."""

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction

_LEARN: LiteralString = """
    INSERT INTO integration.crosswalk (number, patient, message)
    SELECT DISTINCT n, $2, $3::uuid FROM unnest($1::bytea[]) AS t(n)
    ON CONFLICT (number) DO UPDATE SET patient = excluded.patient, message = excluded.message,
        at = now()
    WHERE crosswalk.patient <> excluded.patient"""
_ASK: LiteralString = """
WITH gone AS (DELETE FROM integration.candidate WHERE message = $1),
asked AS (
    INSERT INTO integration.question (message, person, reason) VALUES ($1, $2, $3)
    ON CONFLICT (message) DO UPDATE SET person = excluded.person, reason = excluded.reason,
        until = NULL)
SELECT true"""
_CANDIDATES: LiteralString = """
    INSERT INTO integration.candidate (message, patient, score, likes)
    SELECT $1, p, s, string_to_array(l, ',') FROM unnest($2::text[], $3::real[], $4::text[])
    AS t(p, s, l) ON CONFLICT (message, patient) DO NOTHING"""
_OPEN: LiteralString = """
    SELECT m.id AS message, m.channel, m.kind, m.reason, m.problem AS text, m.at, m.patients,
           m.state, q.reason AS question,
           (SELECT count(*) FROM integration.candidate c WHERE c.message = m.id) AS candidates
    FROM integration.message m
    LEFT JOIN integration.question q ON q.message = m.id AND q.until IS NULL
    WHERE (m.state = 'waiting' OR (m.state = 'parked' AND m.patients = '{}' AND m.kind <> ''))
      AND ($1::text IS NULL OR m.reason = $1) ORDER BY m.seq LIMIT $2"""


async def known(database: Database, numbers: Sequence[bytes]) -> dict[bytes, str]:
    """The patients whom these numbers were found to name."""
    query = "SELECT number, patient FROM integration.crosswalk WHERE number = ANY ($1::bytea[])"
    rows = await database.fetch(query, list(numbers))
    return {row["number"]: row["patient"] for row in rows}


async def learn(database: Database, numbers: Sequence[bytes], patient: str, message: UUID) -> None:
    """Keeps whom numbers name; what they named before is forgotten."""
    if numbers:
        await database.execute(_LEARN, list(numbers), patient, message)


async def told_and_known(
    database: Database, person: bytes, numbers: Sequence[bytes]
) -> tuple[dict[str, str], dict[bytes, str]]:
    """`told` and `known` in one look: each message asks both."""
    query = (
        "SELECT NULL::bytea AS number, patient, word FROM integration.told WHERE person = $1"
        " UNION ALL SELECT number, patient, '' FROM integration.crosswalk"
        " WHERE number = ANY ($2::bytea[])"
    )
    rows = await database.fetch(query, person, list(numbers))
    said = {row["patient"]: row["word"] for row in rows if row["number"] is None}
    return said, {row["number"]: row["patient"] for row in rows if row["number"] is not None}


async def told(database: Database, person: bytes) -> dict[str, str]:
    """What people said of somebody: for each patient same or different; '' is new."""
    query = "SELECT patient, word FROM integration.told WHERE person = $1"
    return {row["patient"]: row["word"] for row in await database.fetch(query, person)}


async def ask(
    database: Database,
    message: UUID,
    person: bytes,
    reason: str,
    candidates: Sequence[tuple[str, float, str]],
) -> None:
    """Puts a question to people: patient, score and likenesses (comma-separated) of each chart."""
    async with database.transaction() as tx:
        await tx.execute(_ASK, message, person, reason)
        if candidates:
            columns = [list(column) for column in zip(*candidates, strict=True)]
            await tx.execute(_CANDIDATES, message, *columns)


async def waiting(database: Database, reason: str | None, limit: int) -> list[Row]:
    """Messages that wait for people, the oldest first; also those that stopped before they were
    somebody's."""
    return await database.fetch(_OPEN, reason, limit)


async def question(database: Database, message: UUID) -> Row | None:
    query = (
        "SELECT message, person, reason, since, until FROM integration.question WHERE message = $1"
    )
    return await database.fetchrow(query, message)


async def candidates(database: Database, message: UUID) -> list[Row]:
    query = (
        "SELECT patient, score, likes FROM integration.candidate WHERE message = $1"
        " ORDER BY score DESC, patient"
    )
    return await database.fetch(query, message)


async def tell(
    tx: Transaction, person: bytes, said: Sequence[tuple[str, str]], author: str, message: UUID
) -> None:
    """Keeps a person's word on each (patient, word); a later one replaces it."""
    query = (
        "INSERT INTO integration.told (person, patient, word, author, message)"
        " SELECT $1, p, w, $4, $5::uuid FROM unnest($2::text[], $3::text[]) AS t(p, w)"
        " ON CONFLICT (person, patient) DO UPDATE SET word = excluded.word,"
        " author = excluded.author, message = excluded.message, at = now()"
    )
    patients, words = [each[0] for each in said], [each[1] for each in said]
    await tx.execute(query, person, patients, words, author, message)


async def forget_new(tx: Transaction, person: bytes) -> None:
    """Who is somebody's chart after all is not new."""
    query = "DELETE FROM integration.told WHERE person = $1 AND word = 'new'"
    await tx.execute(query, person)


async def answered(tx: Transaction, message: UUID) -> bool:
    """Closes the question; False when it was closed before, or never asked."""
    query = (
        "UPDATE integration.question SET until = now() WHERE message = $1 AND until IS NULL"
        " RETURNING true"
    )
    return bool(await tx.fetchval(query, message))


async def file_without_order(tx: Transaction, message: UUID, author: str) -> None:
    query = (
        "INSERT INTO integration.without_order (message, author) VALUES ($1, $2)"
        " ON CONFLICT (message) DO NOTHING"
    )
    await tx.execute(query, message, author)


async def is_without_order(database: Database, message: UUID) -> bool:
    query = "SELECT EXISTS (SELECT FROM integration.without_order WHERE message = $1)"
    return await database.fetchval(query, message)


async def await_(database: Database, message: UUID, terms: Sequence[bytes]) -> None:
    """Notes what a message waits for."""
    query = (
        "INSERT INTO integration.awaited (term, message)"
        " SELECT DISTINCT t, $2::uuid FROM unnest($1::bytea[]) AS n(t) ON CONFLICT DO NOTHING"
    )
    await database.execute(query, list(terms), message)


async def is_awaited(database: Database, terms: Sequence[bytes]) -> bool:
    """Whether anything waits for one of these: rarely, so that nearly always one look is all."""
    query = "SELECT EXISTS (SELECT FROM integration.awaited WHERE term = ANY ($1::bytea[]))"
    return await database.fetchval(query, list(terms))


async def no_longer_awaited(tx: Transaction, terms: Sequence[bytes]) -> list[UUID]:
    """The messages that waited for one of these."""
    query = "DELETE FROM integration.awaited WHERE term = ANY ($1::bytea[]) RETURNING message"
    return [row["message"] for row in await tx.fetch(query, list(terms))]


async def long_awaiting(tx: Transaction, reasons: Sequence[str], seconds: float) -> list[UUID]:
    """Messages that have waited so long since they were last looked at; a few at a time."""
    query = (
        "SELECT id FROM integration.message WHERE state = 'waiting' AND reason = ANY ($1::text[])"
        " AND changed < now() - make_interval(secs => $2) ORDER BY changed LIMIT 200"
    )
    return [row["id"] for row in await tx.fetch(query, list(reasons), seconds)]

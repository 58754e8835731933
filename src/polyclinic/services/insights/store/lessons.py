"""What is being learned: leased by one process at a time, with how far it is."""

from typing import LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction

_FIND: LiteralString = """
SELECT id, task, model, version, author, at, state, percent, words, ended
FROM insights.lesson WHERE id = $1"""
_NEWEST: LiteralString = """
SELECT id, task, model, version, author, at, state, percent, words, ended
FROM insights.lesson ORDER BY ended IS NOT NULL, at DESC LIMIT $1"""
_CLAIM: LiteralString = """
UPDATE insights.lesson l SET lease = $1, leased_until = now() + make_interval(secs => $2),
    state = 'learning', tries = l.tries + 1, percent = 0
WHERE l.id = (
    SELECT id FROM insights.lesson
    WHERE ended IS NULL AND (leased_until IS NULL OR leased_until < now())
    ORDER BY at LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING l.id, l.task, l.model, l.version, l.fallback, l.author, l.tries"""


async def add(tx: Transaction, row: tuple[str, str, str, str, str]) -> UUID | None:
    """task, model, version, fallback, author; none where this version is being learned already."""
    return await tx.fetchval(
        "INSERT INTO insights.lesson (task, model, version, fallback, author)"
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING id",
        *row,
    )


async def find(database: Database, lesson: UUID) -> Row | None:
    return await database.fetchrow(_FIND, lesson)


async def newest(database: Database, limit: int) -> list[Row]:
    """What is being learned, then what was, the newest first."""
    return await database.fetch(_NEWEST, limit)


async def claim(database: Database, lease: UUID, seconds: int) -> Row | None:
    """The oldest that nobody is at; it begins again from its first step."""
    return await database.fetchrow(_CLAIM, lease, seconds)


async def keep(database: Database, lease: UUID, seconds: int) -> bool:
    """Holds on to what is being learned; False where another process has it by now."""
    done = await database.fetchval(
        "UPDATE insights.lesson SET leased_until = now() + make_interval(secs => $2)"
        " WHERE lease = $1 AND ended IS NULL RETURNING true",
        lease,
        seconds,
    )
    return bool(done)


async def report(database: Database, lease: UUID, percent: int, words: str) -> None:
    """How far it is, 0 to 100, and what it is at."""
    await database.execute(
        "UPDATE insights.lesson SET percent = $2, words = $3 WHERE lease = $1 AND ended IS NULL",
        lease,
        percent,
        words,
    )


async def end(tx: Transaction, lease: UUID, state: str, words: str) -> bool:
    """`done`, or `refused` with the reason; False where another process has it by now."""
    done = await tx.fetchval(
        "UPDATE insights.lesson SET state = $2, words = $3, ended = now(), lease = NULL,"
        " percent = CASE WHEN $2 = 'done' THEN 100 ELSE percent END"
        " WHERE lease = $1 AND ended IS NULL RETURNING true",
        lease,
        state,
        words,
    )
    return bool(done)


async def release(database: Database, lease: UUID) -> None:
    """Whoever starts next goes on with it; that a process stopped in order counts as no try."""
    await database.execute(
        "UPDATE insights.lesson SET lease = NULL, leased_until = NULL, state = 'waiting',"
        " tries = tries - 1 WHERE lease = $1 AND ended IS NULL",
        lease,
    )

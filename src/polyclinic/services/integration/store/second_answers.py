"""Second acknowledgements that senders are owed, and what became of them."""

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction

# Those whose connection this process holds at once; others once nobody else seems to hold it.
_DUE: LiteralString = """
    SELECT s.message, s.wanted, m.state, m.reason, m.problem, m.changed, o.channel
    FROM integration.second_answer s
    JOIN integration.message m ON m.id = s.about
    JOIN integration.message o ON o.id = s.message
    WHERE s.state = 'owed' AND m.state IN ('done', 'ignored', 'skipped', 'parked')
      AND (s.message = ANY ($1::uuid[])
           OR greatest(m.changed, s.at) < now() - make_interval(secs => $2))
    ORDER BY s.at LIMIT $3"""
_END: LiteralString = """
    UPDATE integration.second_answer SET state = $2, at = now()
    WHERE message = $1 AND state = 'owed' RETURNING true"""
_AGAIN: LiteralString = """
    UPDATE integration.second_answer SET state = 'owed', at = now()
    WHERE message = $1 AND state IN ('sent', 'lost') RETURNING true"""
_OF: LiteralString = """
    SELECT m.state, m.reason, m.problem, m.changed, o.channel, o.sealed
    FROM integration.second_answer s
    JOIN integration.message m ON m.id = s.about
    JOIN integration.message o ON o.id = s.message
    WHERE s.message = $1"""


async def due(
    database: Database, held: Sequence[UUID], grace_seconds: float, most: int
) -> list[Row]:
    """message, wanted, state, reason, problem, changed, channel: of what has come to an end."""
    return await database.fetch(_DUE, list(held), grace_seconds, most)


async def end(where: Database | Transaction, message: UUID, state: str) -> bool:
    """False where another process was faster."""
    return bool(await where.fetchval(_END, message, state))


async def again(database: Database, message: UUID) -> None:
    """A sender that repeats its message has not heard the second answer, or has lost it."""
    await database.fetchval(_AGAIN, message)


async def find(database: Database, message: UUID) -> Row | None:
    """state, reason, problem, changed, channel, sealed: what a second answer is made of."""
    return await database.fetchrow(_OF, message)


async def state_of(database: Database, message: UUID) -> str | None:
    """How it stands; none where no second answer was asked for."""
    query = "SELECT state FROM integration.second_answer WHERE message = $1"
    return await database.fetchval(query, message)

"""Messages whose time is over: what they said goes, that they came stays."""

from datetime import datetime
from typing import LiteralString

from polyclinic.foundation.database import Database

# `finds` goes along: a message that says nothing any more is not to be found by a name either.
_EMPTY: LiteralString = """
WITH old AS (
    SELECT id FROM integration.message
    WHERE state = $2 AND channel = $1 AND changed < $3 AND sealed IS NOT NULL
    ORDER BY seq LIMIT $4 FOR UPDATE SKIP LOCKED
), stages AS (
    DELETE FROM integration.stage s USING old WHERE s.message = old.id
), emptied AS (
    UPDATE integration.message m SET sealed = NULL, finds = '{}', keys = '{}'
    FROM old WHERE m.id = old.id RETURNING 1
)
SELECT count(*) FROM emptied"""


async def empty(database: Database, channel: str, state: str, before: datetime, limit: int) -> int:
    """Of those that have been in this state since before then, the oldest; how many."""
    return await database.fetchval(_EMPTY, channel, state, before, limit)

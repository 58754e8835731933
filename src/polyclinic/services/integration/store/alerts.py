"""What somebody should look at: open once a channel and kind until it is ended."""

from typing import LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction

_OPEN: LiteralString = """
    INSERT INTO integration.alert (channel, kind) VALUES ($1, $2)
    ON CONFLICT (channel, kind) WHERE until IS NULL
    DO UPDATE SET last = now(), count = alert.count + 1
    RETURNING count = 1"""


async def open_alert(where: Database | Transaction, channel: str, kind: str) -> bool:
    """Whether it is new; one that is open counts once more."""
    return bool(await where.fetchval(_OPEN, channel, kind))


async def end_alert(where: Database | Transaction, channel: str, kind: str, by: str) -> bool:
    query = (
        "UPDATE integration.alert SET until = now(), ended_by = $3"
        " WHERE channel = $1 AND kind = $2 AND until IS NULL RETURNING true"
    )
    return bool(await where.fetchval(query, channel, kind, by))


async def end_by_id(where: Database | Transaction, alert: UUID, by: str) -> bool:
    query = (
        "UPDATE integration.alert SET until = now(), ended_by = $2"
        " WHERE id = $1 AND until IS NULL RETURNING true"
    )
    return bool(await where.fetchval(query, alert, by))


async def open_alerts(database: Database) -> list[Row]:
    query = (
        "SELECT id, channel, kind, since, last, count FROM integration.alert"
        " WHERE until IS NULL ORDER BY id"
    )
    return await database.fetch(query)

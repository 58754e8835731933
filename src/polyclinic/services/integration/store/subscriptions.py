"""How subscriptions stand, and the numbers of what they were told."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Transaction

_PUT: LiteralString = """
    INSERT INTO integration.subscription (id, status, shown, heartbeat, until)
    VALUES ($1, 'requested', 'requested', $2, $3)
    ON CONFLICT (id) DO UPDATE
    SET status = 'requested', shown = 'requested', error = '', heartbeat = $2, until = $3"""
_WELL: LiteralString = """
    UPDATE integration.subscription
    SET heard = now(), error = '',
        status = CASE WHEN status = 'off' THEN status ELSE 'active' END
    WHERE id = $1"""
_FAILED: LiteralString = """
    UPDATE integration.subscription
    SET error = $2, status = CASE WHEN status = 'off' OR $3 THEN 'off' ELSE 'error' END
    WHERE id = $1"""
_NUMBER: LiteralString = """
    UPDATE integration.subscription SET said = said + 1 WHERE id = $1 RETURNING said"""
_SAY: LiteralString = "UPDATE integration.delivery SET said = $2 WHERE id = $1"
_TAKEN: LiteralString = """
    SELECT said, taker FROM integration.delivery WHERE id = $1 FOR UPDATE"""
_FIND: LiteralString = """
    SELECT id, status, error, said FROM integration.subscription WHERE id = ANY ($1::uuid[])"""
_UNSHOWN: LiteralString = """
    SELECT id, status, error FROM integration.subscription WHERE status <> shown LIMIT 100"""
_SHOWN: LiteralString = "UPDATE integration.subscription SET shown = $2 WHERE id = $1"
_EVENTS: LiteralString = """
    SELECT said, at, subject FROM integration.delivery
    WHERE destination = $1 AND said >= $2 AND said <= $3 ORDER BY said LIMIT $4"""
# Nothing was heard for a while and nothing is on its way.
_SILENT: LiteralString = """
    SELECT s.id FROM integration.subscription s
    WHERE s.heartbeat > 0 AND s.status = 'active'
      AND s.heard + make_interval(secs => s.heartbeat) <= now()
      AND NOT EXISTS (SELECT FROM integration.delivery d
                      WHERE d.destination = s.id AND d.state = 'waiting')
    LIMIT 100"""
_OVER: LiteralString = """
    SELECT id FROM integration.subscription
    WHERE until <= now() AND status <> 'off' LIMIT 100"""
_OFF: LiteralString = """
    UPDATE integration.subscription SET status = 'off', error = $2 WHERE id = $1"""


async def put(tx: Transaction, name: UUID, heartbeat: int, until: datetime | None) -> None:
    """A subscription that waits for its handshake; a known one goes on counting."""
    await tx.execute(_PUT, name, heartbeat, until)


async def well(tx: Transaction, name: UUID) -> None:
    await tx.execute(_WELL, name)


async def failed(tx: Transaction, name: UUID, error: str, *, off: bool) -> None:
    await tx.execute(_FAILED, name, error, off)


async def off(tx: Transaction, name: UUID, error: str) -> None:
    await tx.execute(_OFF, name, error)


async def number(tx: Transaction, name: UUID, delivery: UUID, taker: UUID) -> int | None:
    """The event's own number, given once and for all; None when somebody else holds it now."""
    row = await tx.fetchrow(_TAKEN, delivery)
    if row is None or row["taker"] != taker:
        return None
    if row["said"] is None:
        said = await tx.fetchval(_NUMBER, name)
        await tx.execute(_SAY, delivery, said)
        return said
    return row["said"]


async def find(where: Database, names: Sequence[UUID]) -> list[dict[str, Any]]:
    return [dict(row) for row in await where.fetch(_FIND, list(names))]


async def unshown(where: Database) -> list[dict[str, Any]]:
    """Those whose resource says something else than is so."""
    return [dict(row) for row in await where.fetch(_UNSHOWN)]


async def shown(tx: Transaction, name: UUID, status: str) -> None:
    await tx.execute(_SHOWN, name, status)


async def events(
    where: Database, name: UUID, since: int, until: int, most: int
) -> list[dict[str, Any]]:
    return [dict(row) for row in await where.fetch(_EVENTS, name, since, until, most)]


async def silent(where: Database) -> list[UUID]:
    return [row["id"] for row in await where.fetch(_SILENT)]


async def over(where: Database) -> list[UUID]:
    return [row["id"] for row in await where.fetch(_OVER)]

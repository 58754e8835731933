"""Receivers of events."""

from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Transaction
from polyclinic.services.integration.domain.destinations import Destination

_FIND: LiteralString = """
    SELECT id, kind, status, reason, kinds, owner, version, failures, failing, rests_until, made,
           sealed
    FROM integration.destination WHERE id = $1"""
_LISTED: LiteralString = """
    SELECT id, kind, status, reason, kinds, owner, version, failures, failing, rests_until, made,
           sealed
    FROM integration.destination WHERE kind = $1 ORDER BY made DESC LIMIT 1000"""
_ADD: LiteralString = """
    INSERT INTO integration.destination (id, kind, status, kinds, sealed, owner)
    VALUES ($1, $2, $3, $4, $5, $6)"""
_CHANGE: LiteralString = """
    UPDATE integration.destination
    SET kinds = $3, sealed = $4, version = version + 1 WHERE id = $1 AND version = $2
    RETURNING true"""
# Whoever is told again has no past: failures count anew, and so do the events.
_ENABLE: LiteralString = """
    UPDATE integration.destination
    SET status = 'active', reason = '', failures = 0, failing = NULL, rests_until = '-infinity',
        since = CASE WHEN status = 'active' THEN since ELSE now() END
    WHERE id = $1"""
_DISABLE: LiteralString = """
    UPDATE integration.destination SET status = 'disabled', reason = $2
    WHERE id = $1 AND status = 'active' RETURNING true"""
_WORKED: LiteralString = """
    UPDATE integration.destination
    SET failures = 0, failing = NULL, rests_until = '-infinity'
    WHERE id = $1 AND (failures > 0 OR rests_until > '-infinity') RETURNING true"""
_FAILED: LiteralString = """
    UPDATE integration.destination
    SET failures = failures + 1, failing = coalesce(failing, now()) WHERE id = $1
    RETURNING failures"""
_REST: LiteralString = """
    UPDATE integration.destination
    SET rests_until = greatest(rests_until, now() + make_interval(secs => $2)) WHERE id = $1"""

Where = Database | Transaction


async def add(
    where: Where, new: tuple[UUID, str, tuple[str, ...], bytes, str], status: str
) -> None:
    """`new` is id, kind, kinds of events, what is sealed, and whose it is."""
    name, kind, kinds, sealed, owner = new
    await where.execute(_ADD, name, kind, status, list(kinds), sealed, owner)


async def find(where: Where, name: UUID) -> tuple[Destination, bytes] | None:
    row = await where.fetchrow(_FIND, name)
    return None if row is None else (_destination(row), row["sealed"])


async def lock(tx: Transaction, name: UUID) -> None:
    query = "SELECT FROM integration.destination WHERE id = $1 FOR UPDATE"
    await tx.execute(query, name)


async def listed(where: Where, kind: str) -> list[tuple[Destination, bytes]]:
    return [(_destination(row), row["sealed"]) for row in await where.fetch(_LISTED, kind)]


async def change(
    where: Where, name: UUID, version: int, kinds: tuple[str, ...], sealed: bytes
) -> bool:
    """False when somebody else changed it meanwhile."""
    return bool(await where.fetchval(_CHANGE, name, version, list(kinds), sealed))


async def enable(where: Where, name: UUID) -> None:
    await where.execute(_ENABLE, name)


async def disable(where: Where, name: UUID, reason: str) -> bool:
    """False when it was disabled already."""
    return bool(await where.fetchval(_DISABLE, name, reason))


async def remove(where: Where, name: UUID) -> None:
    await where.execute("DELETE FROM integration.destination WHERE id = $1", name)


async def worked(tx: Transaction, name: UUID) -> bool:
    """Whether it had failed before."""
    return bool(await tx.fetchval(_WORKED, name))


async def failed(tx: Transaction, name: UUID) -> int:
    """Failures in a row, this one included."""
    return await tx.fetchval(_FAILED, name) or 0


async def rest(tx: Transaction, name: UUID, seconds: float) -> None:
    await tx.execute(_REST, name, seconds)


async def failing_since(tx: Transaction, name: UUID) -> datetime | None:
    return await tx.fetchval("SELECT failing FROM integration.destination WHERE id = $1", name)


def _destination(row: Any) -> Destination:
    return Destination(
        row["id"], row["kind"], row["status"], row["reason"], tuple(row["kinds"]), row["owner"],
        row["version"], row["failures"], row["failing"], row["rests_until"], row["made"],
    )  # fmt: skip

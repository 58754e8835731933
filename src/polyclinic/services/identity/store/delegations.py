"""Delegations as rows; of the handle only its hash."""

from dataclasses import dataclass
from datetime import datetime

from polyclinic.foundation.database import Database


@dataclass(frozen=True, slots=True)
class Delegation:
    """Which client let which service ask in its name, and for what."""

    service: str
    client_id: str
    scopes: tuple[str, ...]


async def add(db: Database, hashed: bytes, given: Delegation, now: datetime) -> None:
    query = """
        INSERT INTO identity.delegation (hash, service, client_id, scopes, created_at)
        VALUES ($1, $2, $3, $4, $5)"""
    scopes = list(given.scopes)
    await db.execute(query, hashed, given.service, given.client_id, scopes, now)


async def find(db: Database, hashed: bytes, service: str) -> Delegation | None:
    query = """
        SELECT service, client_id, scopes FROM identity.delegation
        WHERE hash = $1 AND service = $2"""
    row = await db.fetchrow(query, hashed, service)
    if row is None:
        return None
    return Delegation(row["service"], row["client_id"], tuple(row["scopes"]))


async def remove(db: Database, hashed: bytes, service: str) -> bool:
    query = "DELETE FROM identity.delegation WHERE hash = $1 AND service = $2 RETURNING true"
    return bool(await db.fetchval(query, hashed, service))

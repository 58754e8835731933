"""Data keys and signing keys as rows, both sealed."""

from dataclasses import dataclass
from datetime import datetime

from polyclinic.foundation.database import Database
from polyclinic.foundation.vault import WrappedKey


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A signing key as it lies in the database: the private half sealed."""

    generation: int
    kid: str
    public_x: str
    sealed: bytes
    created_at: datetime


async def find_data_key(db: Database, owner: bytes) -> WrappedKey | None:
    query = """
        SELECT id, owner, generation, wrapping, wrapped, commitment
        FROM identity.data_key WHERE owner = $1"""
    row = await db.fetchrow(query, owner)
    return None if row is None else WrappedKey(*row.values())


async def add_data_key(db: Database, key: WrappedKey) -> None:
    """Keeps the key unless another process was first: then that one counts."""
    query = """
        INSERT INTO identity.data_key (id, owner, generation, wrapping, wrapped, commitment)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (owner) DO NOTHING"""
    await db.execute(
        query, key.id, key.owner, key.generation, key.wrapping, key.wrapped, key.commitment
    )


async def list_signing_keys(db: Database, made_after: datetime) -> list[StoredKey]:
    """The keys whose tokens may still be alive, newest first."""
    query = """
        SELECT generation, kid, public_x, sealed, created_at
        FROM identity.signing_key WHERE created_at > $1 ORDER BY generation DESC"""
    return [StoredKey(*row.values()) for row in await db.fetch(query, made_after)]


async def last_generation(db: Database) -> int:
    return await db.fetchval("SELECT coalesce(max(generation), 0) FROM identity.signing_key")


async def add_signing_key(db: Database, key: StoredKey) -> None:
    """Of several processes that make the same generation at once, the first one's key counts."""
    query = """
        INSERT INTO identity.signing_key (generation, kid, public_x, sealed, created_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (generation) DO NOTHING"""
    await db.execute(query, key.generation, key.kid, key.public_x, key.sealed, key.created_at)

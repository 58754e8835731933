"""Channels and all their versions."""

from typing import LiteralString

from polyclinic.foundation.database import Database, Row, Transaction

_ADD: LiteralString = """
WITH made AS (
    INSERT INTO integration.channel_version (name, version, digest, sealed, author)
    VALUES ($1, $2, $3, $4, $5)
)
INSERT INTO integration.channel (name, version) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET version = excluded.version, changed = now()"""


async def current(database: Database) -> list[Row]:
    """name, version, status: of each channel."""
    return await database.fetch(
        "SELECT name, version, status FROM integration.channel ORDER BY name"
    )


async def text(where: Database | Transaction, name: str, version: int) -> bytes | None:
    """The sealed YAML."""
    query = "SELECT sealed FROM integration.channel_version WHERE name = $1 AND version = $2"
    return await where.fetchval(query, name, version)


async def versions(database: Database, name: str) -> list[Row]:
    """The newest first."""
    query = (
        "SELECT version, author, made FROM integration.channel_version"
        " WHERE name = $1 ORDER BY version DESC"
    )
    return await database.fetch(query, name)


async def lock(tx: Transaction, name: str) -> Row | None:
    """version and digest of what is deployed; who deploys next waits."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 5))", name)
    query = (
        "SELECT c.version, v.digest FROM integration.channel c JOIN integration.channel_version v"
        " ON v.name = c.name AND v.version = c.version WHERE c.name = $1"
    )
    return await tx.fetchrow(query, name)


async def add(
    tx: Transaction, name: str, version: int, digest: bytes, sealed: bytes, author: str
) -> None:
    """Keeps a version and puts it to work."""
    await tx.execute(_ADD, name, version, digest, sealed, author)


async def set_status(tx: Transaction, name: str, status: str) -> bool:
    query = (
        "UPDATE integration.channel SET status = $2, changed = now() WHERE name = $1 RETURNING true"
    )
    return bool(await tx.fetchval(query, name, status))

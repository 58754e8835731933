"""Registered clients as rows."""

from datetime import datetime

import msgspec

from polyclinic.foundation.database import Database
from polyclinic.services.identity.domain.clients import Client


async def find_client(db: Database, client_id: str) -> Client | None:
    query = "SELECT id, kind, scopes, keys FROM identity.client WHERE id = $1"
    row = await db.fetchrow(query, client_id)
    if row is None:
        return None
    keys = msgspec.json.decode(row["keys"], type=tuple[dict[str, object], ...])
    return Client(row["id"], row["kind"], tuple(row["scopes"]), keys)


async def add_client(db: Database, client: Client, now: datetime) -> None:
    """Makes a client known by name; one that is known keeps its keys and scopes."""
    query = """
        INSERT INTO identity.client (id, kind, scopes, keys, created_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING"""
    await db.execute(query, client.id, client.kind, list(client.scopes), _keys(client), now)


async def save_client(db: Database, client: Client, now: datetime) -> None:
    query = """
        INSERT INTO identity.client (id, kind, scopes, keys, created_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (id) DO UPDATE SET kind = $2, scopes = $3, keys = $4"""
    await db.execute(query, client.id, client.kind, list(client.scopes), _keys(client), now)


def _keys(client: Client) -> str:
    return msgspec.json.encode(client.keys).decode()

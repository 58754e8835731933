"""What happened to sign-ins and tokens, and the forgetting of what has no more use."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

from polyclinic.foundation import ids
from polyclinic.foundation.database import Database, Transaction
from polyclinic.foundation.service import Trail
from polyclinic.foundation.trail import WINDOW


@dataclass(frozen=True, slots=True)
class SecurityEvent:
    """Something that somebody may have to explain later; ids only."""

    kind: str
    at: datetime
    request_id: str
    account_id: UUID | None = None
    client_id: str | None = None
    source: bytes | None = None


async def add_event(db: Database | Transaction, event: SecurityEvent) -> None:
    query = """
        INSERT INTO identity.security_event
            (id, at, kind, account_id, client_id, source, request_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7)"""
    values = (event.kind, event.account_id, event.client_id, event.source, event.request_id)
    await db.execute(query, ids.new_uuid(), event.at, *values)


async def delete_expired(db: Database, now: datetime) -> None:
    """What has expired is kept for a day longer, so that late questions find an answer."""
    then = now - timedelta(days=1)
    await db.execute("DELETE FROM identity.code WHERE expires_at < $1", then)
    await db.execute("DELETE FROM identity.authorization_grant WHERE expires_at < $1", then)
    await db.execute("DELETE FROM identity.session WHERE expires_at < $1", then)
    await db.execute("DELETE FROM identity.spent WHERE expires_at < $1", then)
    await db.execute("DELETE FROM identity.tries WHERE last_at < $1", now - timedelta(days=2))


_ROWS: LiteralString = """
    SELECT position, tx, at, id, kind, account_id, client_id, source AS address,
           request_id
    FROM identity.security_event WHERE """

security_trail = Trail("security", _ROWS + WINDOW, "SELECT nextval('identity.security_position')")

"""Codes, grants and refresh tokens; secrets are kept as hashes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.services.identity.domain.authorization import Code, Grant


@dataclass(frozen=True, slots=True)
class Renewal:
    """A refresh token that was presented, with its grant, both locked."""

    used_at: datetime | None
    grant: Grant


async def add_code(db: Database, code_hash: bytes, code: Code) -> None:
    query = """
        INSERT INTO identity.code
            (hash, client_id, account_id, session_hash, redirect_uri, challenge, scopes, nonce,
             signed_in_at, expires_at, grant_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"""
    await db.execute(
        query,
        code_hash,
        code.client_id,
        code.account_id,
        code.session_hash,
        code.redirect_uri,
        code.challenge,
        list(code.scopes),
        code.nonce,
        code.signed_in_at,
        code.expires_at,
        code.grant_id,
    )


async def lock_code(tx: Transaction, code_hash: bytes) -> Code | None:
    # Locked, because a thief and the rightful client may present it at the same moment.
    query = """
        SELECT client_id, account_id, session_hash, redirect_uri, challenge, scopes, nonce,
               signed_in_at, expires_at, used_at, grant_id
        FROM identity.code WHERE hash = $1 FOR UPDATE"""
    row = await tx.fetchrow(query, code_hash)
    if row is None:
        return None
    found: dict[str, Any] = dict(row.items())
    found["scopes"] = tuple(found["scopes"])
    return Code(**found)


async def mark_code_used(tx: Transaction, code_hash: bytes, now: datetime) -> None:
    await tx.execute("UPDATE identity.code SET used_at = $2 WHERE hash = $1", code_hash, now)


async def add_grant(tx: Transaction, grant: Grant) -> None:
    query = """
        INSERT INTO identity.authorization_grant
            (id, account_id, client_id, session_hash, scopes, signed_in_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)"""
    values = (grant.id, grant.account_id, grant.client_id, grant.session_hash)
    await tx.execute(query, *values, list(grant.scopes), grant.signed_in_at, grant.expires_at)


async def add_refresh_token(
    tx: Transaction, token_hash: bytes, grant_id: UUID, now: datetime
) -> None:
    query = """
        INSERT INTO identity.refresh_token (hash, grant_id, created_at) VALUES ($1, $2, $3)"""
    await tx.execute(query, token_hash, grant_id, now)


async def lock_renewal(tx: Transaction, token_hash: bytes) -> Renewal | None:
    """A refresh token and its grant; the grant's lock makes parallel renewals wait in a row."""
    query = """
        SELECT g.id, g.account_id, g.client_id, g.session_hash, g.scopes, g.signed_in_at,
               g.expires_at, g.revoked_at
        FROM identity.authorization_grant g
        WHERE g.id = (SELECT grant_id FROM identity.refresh_token WHERE hash = $1)
        FOR UPDATE"""
    row = await tx.fetchrow(query, token_hash)
    if row is None:
        return None
    # Read after the lock: whoever held it before may have used the token.
    used = "SELECT used_at FROM identity.refresh_token WHERE hash = $1"
    grant = _grant(row)
    return Renewal(await tx.fetchval(used, token_hash), grant)


async def mark_refresh_token_used(tx: Transaction, token_hash: bytes, now: datetime) -> None:
    query = "UPDATE identity.refresh_token SET used_at = $2 WHERE hash = $1"
    await tx.execute(query, token_hash, now)


async def revoke_grant(tx: Transaction, grant_id: UUID, now: datetime) -> None:
    query = """
        UPDATE identity.authorization_grant SET revoked_at = $2
        WHERE id = $1 AND revoked_at IS NULL"""
    await tx.execute(query, grant_id, now)


async def is_grant_open(db: Database, grant_id: UUID, now: datetime) -> bool:
    query = """
        SELECT EXISTS (
            SELECT FROM identity.authorization_grant g
            JOIN identity.account a ON a.id = g.account_id
            WHERE g.id = $1 AND g.revoked_at IS NULL AND g.expires_at > $2 AND NOT a.is_disabled)"""
    return await db.fetchval(query, grant_id, now)


async def find_grant_of(db: Database, token_hash: bytes) -> tuple[Grant, bool] | None:
    """The grant of a refresh token and whether that token was used already."""
    query = """
        SELECT g.id, g.account_id, g.client_id, g.session_hash, g.scopes, g.signed_in_at,
               g.expires_at, g.revoked_at, r.used_at IS NOT NULL AS is_used
        FROM identity.refresh_token r JOIN identity.authorization_grant g ON g.id = r.grant_id
        WHERE r.hash = $1"""
    row = await db.fetchrow(query, token_hash)
    if row is None:
        return None
    return _grant(row), row["is_used"]


async def spend(db: Database | Transaction, token_hash: bytes, until: datetime) -> bool:
    """Whether this was the first time; of several at once exactly one hears yes."""
    query = """
        INSERT INTO identity.spent (hash, expires_at) VALUES ($1, $2)
        ON CONFLICT (hash) DO NOTHING RETURNING hash"""
    return await db.fetchval(query, token_hash, until) is not None


async def spend_access(db: Database, token_hash: bytes, until: datetime) -> None:
    """Withdraws an access token; others hear of it as long as it would have lived."""
    query = """
        INSERT INTO identity.spent (hash, expires_at, is_access) VALUES ($1, $2, true)
        ON CONFLICT (hash) DO NOTHING"""
    await db.execute(query, token_hash, until)


async def list_withdrawn(
    db: Database, now: datetime, since: datetime
) -> tuple[list[UUID], list[UUID], list[bytes]]:
    """Disabled accounts, grants revoked since then, and access tokens that still would live."""
    accounts = await db.fetch("SELECT id FROM identity.account WHERE is_disabled")
    revoked = "SELECT id FROM identity.authorization_grant WHERE revoked_at > $1"
    grants = await db.fetch(revoked, since)
    tokens = "SELECT hash FROM identity.spent WHERE is_access AND expires_at > $1"
    spent = await db.fetch(tokens, now)
    return [r["id"] for r in accounts], [r["id"] for r in grants], [r["hash"] for r in spent]


async def is_spent(db: Database, token_hash: bytes) -> bool:
    query = "SELECT EXISTS (SELECT FROM identity.spent WHERE hash = $1)"
    return await db.fetchval(query, token_hash)


def _grant(row: Row) -> Grant:
    return Grant(
        id=row["id"],
        account_id=row["account_id"],
        client_id=row["client_id"],
        session_hash=row["session_hash"],
        scopes=tuple(row["scopes"]),
        signed_in_at=row["signed_in_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
    )

"""Accounts, their browsers' sessions, and the tries at them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from polyclinic.foundation.database import Database, Transaction
from polyclinic.services.identity.domain.lockout import Tries


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account as it lies in the database: what could name somebody is sealed."""

    id: UUID
    name_hash: bytes
    particulars: bytes
    role: str
    is_disabled: bool
    version: int


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A browser that is signed in at identity itself."""

    hash: bytes
    account_id: UUID
    signed_in_at: datetime
    expires_at: datetime


async def find_account(db: Database, name_hash: bytes) -> AccountRow | None:
    query = """
        SELECT id, name_hash, particulars, role, is_disabled, version
        FROM identity.account WHERE name_hash = $1"""
    row = await db.fetchrow(query, name_hash)
    return None if row is None else AccountRow(*row.values())


async def find_account_by_id(db: Database | Transaction, account_id: UUID) -> AccountRow | None:
    query = """
        SELECT id, name_hash, particulars, role, is_disabled, version
        FROM identity.account WHERE id = $1"""
    row = await db.fetchrow(query, account_id)
    return None if row is None else AccountRow(*row.values())


async def list_accounts(db: Database, account_ids: Sequence[UUID]) -> list[AccountRow]:
    query = """
        SELECT id, name_hash, particulars, role, is_disabled, version
        FROM identity.account WHERE id = ANY ($1::uuid[])"""
    return [AccountRow(*row.values()) for row in await db.fetch(query, list(account_ids))]


async def add_account(tx: Transaction, account: AccountRow, now: datetime) -> bool:
    """Whether it is new: an account of the same name is left as it is."""
    query = """
        INSERT INTO identity.account
            (id, name_hash, particulars, role, is_disabled, version, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (name_hash) DO NOTHING RETURNING id"""
    values = (account.id, account.name_hash, account.particulars, account.role)
    added = await tx.fetchval(query, *values, account.is_disabled, account.version, now)
    return added is not None


async def save_account(db: Database, account: AccountRow) -> bool:
    """Keeps a changed account unless somebody else changed it in between."""
    query = """
        UPDATE identity.account
        SET particulars = $2, role = $3, is_disabled = $4, version = $5
        WHERE id = $1 AND version = $5 - 1 RETURNING id"""
    values = (account.particulars, account.role, account.is_disabled, account.version)
    return await db.fetchval(query, account.id, *values) is not None


async def lock_tries(
    tx: Transaction, subjects: Sequence[bytes], now: datetime
) -> dict[bytes, Tries]:
    """The tries of each subject, locked in one order so that two guesses never block each other."""
    add = """
        INSERT INTO identity.tries (subject, count, last_at)
        SELECT subject, 0, $2 FROM unnest($1::bytea[]) AS subject ORDER BY subject
        ON CONFLICT (subject) DO NOTHING"""
    await tx.execute(add, sorted(subjects), now)
    query = """
        SELECT subject, count, last_at, locked_until
        FROM identity.tries WHERE subject = ANY($1) ORDER BY subject FOR UPDATE"""
    rows = await tx.fetch(query, list(subjects))
    return {row[0]: Tries(row[1], row[2], row[3]) for row in rows}


async def save_tries(tx: Transaction, tries: Mapping[bytes, Tries]) -> None:
    query = """
        UPDATE identity.tries SET count = $2, last_at = $3, locked_until = $4
        WHERE subject = $1"""
    rows = [(name, t.count, t.last_at, t.locked_until) for name, t in sorted(tries.items())]
    await tx.executemany(query, rows)


async def add_session(tx: Transaction, session: SessionRow) -> None:
    query = """
        INSERT INTO identity.session (hash, account_id, signed_in_at, expires_at)
        VALUES ($1, $2, $3, $4)"""
    values = (session.hash, session.account_id, session.signed_in_at, session.expires_at)
    await tx.execute(query, *values)


async def find_session(db: Database, session_hash: bytes, now: datetime) -> SessionRow | None:
    query = """
        SELECT s.hash, s.account_id, s.signed_in_at, s.expires_at
        FROM identity.session s JOIN identity.account a ON a.id = s.account_id
        WHERE s.hash = $1 AND s.expires_at > $2 AND s.ended_at IS NULL AND NOT a.is_disabled"""
    row = await db.fetchrow(query, session_hash, now)
    return None if row is None else SessionRow(*row.values())


async def is_session_open(tx: Transaction, session_hash: bytes) -> bool:
    """Whether nobody signed out of it; that it runs out does not count here."""
    query = """
        SELECT EXISTS (SELECT FROM identity.session WHERE hash = $1 AND ended_at IS NULL)"""
    return await tx.fetchval(query, session_hash)


async def end_session(tx: Transaction, session_hash: bytes, now: datetime) -> UUID | None:
    """Ends a browser's session and everything granted from it; whose it was, if it was open."""
    query = """
        UPDATE identity.session SET ended_at = $2
        WHERE hash = $1 AND ended_at IS NULL RETURNING account_id"""
    account_id = await tx.fetchval(query, session_hash, now)
    revoke = """
        UPDATE identity.authorization_grant SET revoked_at = $2
        WHERE session_hash = $1 AND revoked_at IS NULL"""
    await tx.execute(revoke, session_hash, now)
    return account_id

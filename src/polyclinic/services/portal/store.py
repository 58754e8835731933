"""Sessions, themes and drafts as rows of `portal.session`, `portal.preference`, `portal.draft`."""

from dataclasses import dataclass
from datetime import datetime

from polyclinic.foundation.database import Database, Transaction


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session as it is kept; `sealed` opens with its cookie only."""

    id: bytes
    sealed: bytes
    subject: str
    started_at: datetime
    seen_at: datetime
    ends_at: datetime
    theme: str = "system"


async def add_session(db: Database, row: SessionRow) -> None:
    await db.execute(
        "INSERT INTO portal.session (id, sealed, subject, started_at, seen_at, ends_at) "
        "VALUES ($1, $2, $3, $4, $5, $6)",
        row.id,
        row.sealed,
        row.subject,
        row.started_at,
        row.seen_at,
        row.ends_at,
    )


async def find_session(
    db: Database, session_id: bytes, now: datetime, seen_after: datetime
) -> SessionRow | None:
    row = await db.fetchrow(
        "SELECT s.id, s.sealed, s.subject, s.started_at, s.seen_at, s.ends_at, "
        "coalesce(p.theme, 'system') AS theme "
        "FROM portal.session s LEFT JOIN portal.preference p USING (subject) "
        "WHERE s.id = $1 AND s.ends_at > $2 AND s.seen_at > $3",
        session_id,
        now,
        seen_after,
    )
    return None if row is None else SessionRow(**dict(row))


async def lock_sealed(tx: Transaction, session_id: bytes) -> bytes | None:
    return await tx.fetchval(
        "SELECT sealed FROM portal.session WHERE id = $1 FOR UPDATE", session_id
    )


async def save_sealed(tx: Transaction, session_id: bytes, sealed: bytes) -> None:
    await tx.execute("UPDATE portal.session SET sealed = $2 WHERE id = $1", session_id, sealed)


async def touch_session(db: Database, session_id: bytes, now: datetime) -> None:
    await db.execute(
        "UPDATE portal.session SET seen_at = $2 WHERE id = $1 AND seen_at < $2", session_id, now
    )


async def remove_session(db: Database, session_id: bytes) -> None:
    await db.execute("DELETE FROM portal.session WHERE id = $1", session_id)


async def remove_ended_sessions(db: Database, now: datetime, seen_after: datetime) -> None:
    await db.execute(
        "DELETE FROM portal.session WHERE ends_at <= $1 OR seen_at <= $2", now, seen_after
    )


async def save_theme(db: Database, subject: str, theme: str) -> None:
    await db.execute(
        "INSERT INTO portal.preference (subject, theme) VALUES ($1, $2) "
        "ON CONFLICT (subject) DO UPDATE SET theme = excluded.theme",
        subject,
        theme,
    )


async def save_draft(db: Database, draft_id: bytes, sealed: bytes, ends_at: datetime) -> None:
    await db.execute(
        "INSERT INTO portal.draft (id, sealed, ends_at) VALUES ($1, $2, $3) "
        "ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed, ends_at = excluded.ends_at",
        draft_id,
        sealed,
        ends_at,
    )


async def find_draft(db: Database, draft_id: bytes, now: datetime) -> bytes | None:
    return await db.fetchval(
        "SELECT sealed FROM portal.draft WHERE id = $1 AND ends_at > $2", draft_id, now
    )


async def remove_ended_drafts(db: Database, now: datetime) -> None:
    await db.execute("DELETE FROM portal.draft WHERE ends_at <= $1", now)

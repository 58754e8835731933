"""Proofs that came already, and what EHRs said about cards."""

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Transaction

# Only about cards that were really shown; said twice it is said once.
_FEEDBACK: LiteralString = """
INSERT INTO insights.feedback (card, at, service, issuer, outcome, reason, accepted)
SELECT e.id, t.at, $6, $7, t.outcome, t.reason, t.accepted::text[]
FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[])
    AS t(card, at, outcome, reason, accepted)
JOIN insights.exposure e ON e.id = t.card AND e.place = 'card' AND e.held = ''
ON CONFLICT (card, outcome) DO NOTHING RETURNING card"""


async def is_new(database: Database, token: bytes, until: datetime) -> bool:
    """Notes a proof; False where it came before."""
    done = await database.fetchval(
        "INSERT INTO insights.proof (token, until) VALUES ($1, $2)"
        " ON CONFLICT (token) DO NOTHING RETURNING true",
        token,
        until,
    )
    return bool(done)


async def forget(database: Database) -> None:
    await database.execute("DELETE FROM insights.proof WHERE until < now()")


async def keep_feedback(
    tx: Transaction,
    said: Sequence[tuple[UUID, datetime, str, str, str]],
    service: str,
    issuer: str,
) -> int:
    """card, when, outcome, reason, accepted suggestions; how many were new."""
    columns = [list(column) for column in zip(*said, strict=True)]
    rows = await tx.fetch(_FEEDBACK, *columns, service, issuer)
    return len(rows)

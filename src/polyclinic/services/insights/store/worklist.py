"""The list as pseudonyms, and what was decided about its lines."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction

# A decision hides a line until its time is over, or until the score asks for more than it did.
_LINES: LiteralString = """
WITH open AS (
    SELECT a.id, a.subject, a.method, a.version, a.band, a.action, a.urgency, a.benefit,
           a.changed, i.owner, i.due, i.state = 'accepted' AS is_taken
    FROM insights.assessment a LEFT JOIN insights.item i ON i.assessment = a.id
    WHERE a.ended IS NULL AND a.action <> ''
      AND (i.assessment IS NULL OR i.state = 'accepted' OR i.until <= now()
           OR (i.band <> a.band AND a.benefit > i.benefit))
)
SELECT *, max(benefit) OVER (PARTITION BY subject) AS best,
       bool_or(coalesce(is_taken, false)) OVER (PARTITION BY subject) AS taken
FROM open ORDER BY taken DESC, best DESC, subject, benefit DESC, id LIMIT $1 OFFSET $2"""
_DECIDE: LiteralString = """
INSERT INTO insights.item AS i
    (assessment, state, band, benefit, owner, due, until, reason, outcome)
SELECT a.id, $2, a.band, a.benefit, $3, $4, $5, $6, $7
FROM insights.assessment a WHERE a.id = $1 AND a.ended IS NULL
ON CONFLICT (assessment) DO UPDATE
SET state = excluded.state, band = excluded.band, benefit = excluded.benefit,
    owner = excluded.owner, due = excluded.due, until = excluded.until,
    reason = excluded.reason, outcome = excluded.outcome, changed = now()
RETURNING true"""
_REMEMBER: LiteralString = """
INSERT INTO insights.item_event (assessment, state, author, method, version, band, reason, outcome)
SELECT a.id, $2, $3, a.method, a.version, a.band, $4, $5
FROM insights.assessment a WHERE a.id = $1 RETURNING method"""
_OUTCOMES: LiteralString = """
SELECT method, version, date_trunc('week', at)::date AS week, state, reason, outcome,
       count(*) AS count
FROM insights.item_event WHERE at >= $1
GROUP BY method, version, week, state, reason, outcome
ORDER BY week, method, version, state, reason, outcome"""


async def lines(database: Database, limit: int, offset: int) -> list[Row]:
    """What is accepted first, then whom to help first; all lines of a person stand together."""
    return await database.fetch(_LINES, limit, offset)


async def taken(database: Database) -> int:
    """How many people the clinic has taken on and not finished."""
    count = await database.fetchval(
        "SELECT count(DISTINCT a.subject) FROM insights.item i"
        " JOIN insights.assessment a ON a.id = i.assessment"
        " WHERE i.state = 'accepted' AND a.ended IS NULL"
    )
    return int(count)


async def decide(
    tx: Transaction,
    assessment: UUID,
    state: str,
    owner: str,
    times: tuple[date | None, datetime | None],
    words: tuple[str, str],
) -> bool:
    """`times` due and until, `words` reason and outcome; False where it no longer holds."""
    return bool(await tx.fetchval(_DECIDE, assessment, state, owner, *times, *words))


async def reopen(tx: Transaction, assessment: UUID) -> bool:
    done = await tx.fetchval(
        "DELETE FROM insights.item WHERE assessment = $1 RETURNING true", assessment
    )
    return bool(done)


async def remember(
    tx: Transaction, assessment: UUID, state: str, author: str, words: tuple[str, str]
) -> str:
    """Keeps who decided what; the method that it was about."""
    return await tx.fetchval(_REMEMBER, assessment, state, author, *words)


async def events_of(database: Database, assessments: Sequence[UUID]) -> list[Row]:
    return await database.fetch(
        "SELECT assessment, at, state, author, reason, outcome FROM insights.item_event"
        " WHERE assessment = ANY ($1::uuid[]) ORDER BY at",
        list(assessments),
    )


async def outcomes(database: Database, since: datetime) -> list[Row]:
    """What was decided, counted by week and method."""
    return await database.fetch(_OUTCOMES, since)

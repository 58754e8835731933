"""Scores by their place in the list: whom to help first, without saying who that is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from polyclinic.foundation.database import Transaction

_KEEP: LiteralString = """
INSERT INTO insights.assessment AS a
    (id, subject, method, version, band, action, urgency, benefit)
SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[],
                     $7::smallint[], $8::float8[])
ON CONFLICT (id) DO UPDATE
SET version = excluded.version, band = excluded.band, action = excluded.action,
    urgency = excluded.urgency, benefit = excluded.benefit, changed = now(), ended = NULL
WHERE (a.version, a.band, a.action, a.urgency, a.benefit, a.ended) IS DISTINCT FROM
      (excluded.version, excluded.band, excluded.action, excluded.urgency, excluded.benefit,
       NULL::timestamptz)"""


@dataclass(frozen=True, slots=True)
class Kept:
    """A score as its place in the list is made of it."""

    id: UUID
    subject: bytes
    method: str
    version: str
    band: str
    action: str
    urgency: int
    benefit: float


async def keep(tx: Transaction, kept: Sequence[Kept]) -> None:
    """The same again changes nothing, not even the time."""
    rows = sorted(kept, key=lambda each: each.id)
    if rows:
        columns = [
            [getattr(each, name) for each in rows]
            for name in (
                "id", "subject", "method", "version", "band", "action", "urgency", "benefit",
            )
        ]  # fmt: skip
        await tx.execute(_KEEP, *columns)


async def end(tx: Transaction, assessments: Sequence[UUID]) -> None:
    """They no longer hold; what was decided about them stays."""
    await tx.execute(
        "UPDATE insights.assessment SET ended = now(), changed = now()"
        " WHERE id = ANY ($1::uuid[]) AND ended IS NULL",
        sorted(assessments),
    )


async def end_method(tx: Transaction, method: str, version: str) -> None:
    """Nothing that this version of a model said stands in a list any more."""
    await tx.execute(
        "UPDATE insights.assessment SET ended = now(), changed = now()"
        " WHERE method = $1 AND version = $2 AND ended IS NULL",
        method,
        version,
    )

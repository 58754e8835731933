"""Documents that records is to have of a claim, and how far it has them."""

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction

_ADD: LiteralString = """
    INSERT INTO billing.publication (kind, claim)
    SELECT k, c FROM unnest($1::text[]) AS k, unnest($2::uuid[]) AS c ORDER BY 1, 2
    ON CONFLICT (kind, claim) DO UPDATE SET version = publication.version + 1,
        next = now(), tries = 0"""


async def add(tx: Transaction, kinds: Sequence[str], claims: Sequence[UUID]) -> None:
    """Each of these claims has something new to tell as each of these types."""
    await tx.execute(_ADD, list(kinds), sorted(set(claims)))


async def waiting(database: Database, limit: int = 50) -> list[Row]:
    """kind, claim, version, tries: what records does not have yet."""
    return await database.fetch(
        "SELECT kind, claim, version, tries FROM billing.publication"
        " WHERE told < version AND next <= now() ORDER BY next, kind LIMIT $1",
        limit,
    )


async def told(database: Database, kind: str, claim: UUID, version: int) -> None:
    query = (
        "UPDATE billing.publication SET told = greatest(told, $3), tries = 0"
        " WHERE kind = $1 AND claim = $2"
    )
    await database.execute(query, kind, claim, version)


async def later(database: Database, kind: str, claim: UUID, seconds: int) -> None:
    query = (
        "UPDATE billing.publication SET tries = tries + 1,"
        " next = now() + make_interval(secs => $3) WHERE kind = $1 AND claim = $2"
    )
    await database.execute(query, kind, claim, seconds)

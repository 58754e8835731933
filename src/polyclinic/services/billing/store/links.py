"""Pay links as rows: a hash, when it ends, and how often the wrong answer was given."""

from typing import LiteralString, NamedTuple
from uuid import UUID

from polyclinic.foundation.database import Database, Transaction

# The attempt is counted before the answer is looked at: many at once are not more than five.
_TRY: LiteralString = """
    UPDATE billing.pay_link SET failures = failures + 1
    WHERE hash = $1 AND expires > now() AND failures < $2 RETURNING statement"""
_RIGHT: LiteralString = """
    UPDATE billing.pay_link SET failures = failures - 1, used = coalesce(used, now())
    WHERE hash = $1"""
_LIVE: LiteralString = """
    SELECT count(*) AS generation,
           coalesce(bool_or(expires > now() AND failures < $2), false) AS is_live
    FROM billing.pay_link WHERE statement = $1"""
_ADD: LiteralString = """
    INSERT INTO billing.pay_link (hash, statement, expires)
    VALUES ($1, $2, now() + make_interval(days => $3)) ON CONFLICT DO NOTHING"""


class Generation(NamedTuple):
    """How many links a statement has had, and whether the last one still opens."""

    number: int
    is_live: bool


async def attempt(where: Database, hashed: bytes, failures_max: int) -> UUID | None:
    """The statement of a link that may be tried; the attempt counts as failed until `right`."""
    return await where.fetchval(_TRY, hashed, failures_max)


async def right(where: Database, hashed: bytes) -> None:
    await where.execute(_RIGHT, hashed)


async def generation(
    where: Database | Transaction, statement: UUID, failures_max: int
) -> Generation:
    row = await where.fetchrow(_LIVE, statement, failures_max)
    assert row is not None
    return Generation(row["generation"], row["is_live"])


async def add(where: Database | Transaction, hashed: bytes, statement: UUID, days: int) -> None:
    await where.execute(_ADD, hashed, statement, days)

"""What was counted: answers of both sides, and who still uses the old one."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import LiteralString, NamedTuple

from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.services.migration.domain.burn import Tally
from polyclinic.services.migration.domain.routing import Side

SLOT_SECONDS = 10
_ADD: LiteralString = """
    INSERT INTO migration.tally AS t
        (capability, side, at, requests, failed, slow, compared, mismatched, dropped)
    SELECT capability, side, date_bin('10 seconds', $1::timestamptz, 'epoch'), r, f, s, c, m, d
    FROM unnest($2::text[], $3::text[], $4::int[], $5::int[], $6::int[], $7::int[], $8::int[],
                $9::int[]) AS u(capability, side, r, f, s, c, m, d)
    ORDER BY capability, side
    ON CONFLICT (capability, side, at) DO UPDATE SET
        requests = t.requests + excluded.requests, failed = t.failed + excluded.failed,
        slow = t.slow + excluded.slow, compared = t.compared + excluded.compared,
        mismatched = t.mismatched + excluded.mismatched, dropped = t.dropped + excluded.dropped"""
_LIST: LiteralString = """
    SELECT at, side, requests, failed, slow, compared, mismatched FROM migration.tally
    WHERE capability = $1 AND at >= $2"""
_TOTAL: LiteralString = """
    SELECT side, sum(requests)::bigint AS requests, sum(failed)::bigint AS failed,
           sum(slow)::bigint AS slow, sum(compared)::bigint AS compared,
           sum(mismatched)::bigint AS mismatched, sum(dropped)::bigint AS dropped
    FROM migration.tally
    WHERE capability = $1 AND at >= date_bin('10 seconds', $2::timestamptz, 'epoch')
    GROUP BY side"""
_USED: LiteralString = """
    INSERT INTO migration.legacy_use AS u (capability, kind, name, day, count)
    SELECT capability, kind, name, $1::date, n
    FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[]) AS t(capability, kind, name, n)
    ORDER BY 1, 4, 2, 3
    ON CONFLICT (capability, day, kind, name) DO UPDATE SET count = u.count + excluded.count"""
_USES: LiteralString = """
    SELECT kind, name, max(day) AS last, sum(count)::bigint AS count FROM migration.legacy_use
    WHERE capability = $1 AND day > $2::date - 30 GROUP BY kind, name ORDER BY kind, name"""
_DOWN: LiteralString = """
    SELECT day, sum(count)::bigint AS count FROM migration.legacy_use
    WHERE capability = $1 AND kind = 'route' AND day > $2::date - 90 GROUP BY day ORDER BY day"""


class Counted(NamedTuple):
    """What one replica counted of a capability's side since it last told."""

    requests: int = 0
    failed: int = 0
    slow: int = 0
    compared: int = 0
    mismatched: int = 0
    dropped: int = 0


async def add(
    database: Database, at: datetime, counted: Mapping[tuple[str, Side], Counted]
) -> None:
    """Adds to the slot of this moment."""
    names, values = list(counted), list(counted.values())
    columns = [list(column) for column in zip(*values, strict=True)]
    await database.execute(_ADD, at, [n for n, _ in names], [s for _, s in names], *columns)


async def tallies(database: Database, capability: str, since: datetime) -> list[Tally]:
    return [Tally(*row.values()) for row in await database.fetch(_LIST, capability, since)]


async def totals(
    where: Database | Transaction, capability: str, since: datetime
) -> dict[str, Counted]:
    rows = await where.fetch(_TOTAL, capability, since)
    return {row["side"]: Counted(*tuple(row.values())[1:]) for row in rows}


async def add_uses(
    database: Database, at: datetime, used: Mapping[tuple[str, str, str], int]
) -> None:
    """Notes that routes, feeds and credentials of the old side were in use today."""
    columns = [list(column) for column in zip(*used, strict=True)]
    await database.execute(_USED, at.date(), *columns, list(used.values()))


async def uses(where: Database | Transaction, capability: str, now: datetime) -> Sequence[Row]:
    """kind, name, last, count of all that used the old side within 30 days."""
    return await where.fetch(_USES, capability, now.date())


async def burn_down(database: Database, capability: str, now: datetime) -> Sequence[Row]:
    """day, count: answers of the old side in the last 90 days."""
    return await database.fetch(_DOWN, capability, now.date())


async def sweep(database: Database, now: datetime) -> None:
    query = "DELETE FROM migration.tally WHERE at < $1::timestamptz - interval '30 days'"
    await database.execute(query, now)
    query = "DELETE FROM migration.legacy_use WHERE day < $1::date - 400"
    await database.execute(query, now.date())

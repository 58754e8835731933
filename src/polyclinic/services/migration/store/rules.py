"""Route rules as versions, and what visits and keys were promised."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import LiteralString, NamedTuple

import msgspec

from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.services.migration.domain.routing import RouteRule, Side

_CURRENT: LiteralString = """
    SELECT DISTINCT ON (capability) document, version, author, reason, made, since
    FROM migration.route_rule ORDER BY capability, version DESC"""
_VERSIONS: LiteralString = """
    SELECT document, version, author, reason, made, since
    FROM migration.route_rule WHERE capability = $1 ORDER BY version DESC LIMIT $2"""
_ADD: LiteralString = """
    INSERT INTO migration.route_rule
        (capability, version, mode, percent, document, author, reason, made, since)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"""
# A promise that still holds is kept and lasts longer; one that ended is made anew. Nobody waits for
# the disk: what a crash of PostgreSQL takes (a second at most) is dealt again by the same hash.
_PROMISE: LiteralString = """
    WITH soon AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
    INSERT INTO migration.promise AS p (visit, unit, side, until, written)
    SELECT DISTINCT ON (visit)
        visit, unit, side, now() + $4::interval, CASE WHEN wrote THEN now() END
    FROM soon, unnest($1::bytea[], $2::bytea[], $3::text[], $5::boolean[])
        AS t(visit, unit, side, wrote)
    ORDER BY visit, wrote DESC
    ON CONFLICT (visit) DO UPDATE SET
        side = CASE WHEN p.until > now() THEN p.side ELSE excluded.side END,
        until = excluded.until, written = coalesce(excluded.written, p.written)
    RETURNING visit, side"""
_WRITTEN: LiteralString = """
    SELECT coalesce(max(written) > now() - $2::interval, false) FROM migration.promise
    WHERE unit = $1 AND written IS NOT NULL"""
_SENT: LiteralString = """
    INSERT INTO migration.sent AS s (key, side) VALUES ($1, $2)
    ON CONFLICT (key) DO UPDATE SET side = s.side RETURNING side, xmax <> 0 AS repeated"""


class Kept(NamedTuple):
    """A rule as it is kept: who made it so, why and when."""

    rule: RouteRule
    author: str
    reason: str
    made: datetime
    since: datetime


class Promise(NamedTuple):
    """What a visit is to be promised, if nothing was; `wrote` notes that its unit changes now."""

    visit: bytes
    unit: bytes
    side: Side
    wrote: bool


async def newest(database: Database) -> int:
    return await database.fetchval("SELECT coalesce(max(serial), 0) FROM migration.route_rule")


async def current(where: Database | Transaction) -> list[Kept]:
    return [_kept(row) for row in await where.fetch(_CURRENT)]


async def versions(where: Database | Transaction, capability: str, limit: int) -> list[Kept]:
    return [_kept(row) for row in await where.fetch(_VERSIONS, capability, limit)]


async def lock(tx: Transaction, capability: str) -> Kept | None:
    """The current version; the next one is this transaction's to make."""
    await tx.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('migration.rule|' || $1, 0))", capability
    )
    found = await versions(tx, capability, 1)
    return found[0] if found else None


async def add(tx: Transaction, kept: Kept) -> None:
    rule = kept.rule
    await tx.execute(
        _ADD,
        rule.capability,
        rule.version,
        rule.mode,
        rule.percent,
        msgspec.json.encode(rule),
        kept.author,
        kept.reason,
        kept.made,
        kept.since,
    )


async def promise(database: Database, asked: Sequence[Promise], seconds: float) -> list[Side]:
    """What each visit was promised first, whoever asked."""
    rows = await database.fetch(
        _PROMISE,
        [each.visit for each in asked],
        [each.unit for each in asked],
        [each.side for each in asked],
        timedelta(seconds=seconds),
        [each.wrote for each in asked],
    )
    sides: dict[bytes, Side] = {row["visit"]: row["side"] for row in rows}
    return [sides[each.visit] for each in asked]


async def was_written(database: Database, unit: bytes, seconds: float) -> bool:
    """Whether a change of this unit went through within the last seconds."""
    return await database.fetchval(_WRITTEN, unit, timedelta(seconds=seconds))


async def sent(database: Database, key: bytes, side: Side) -> tuple[Side, bool]:
    """Where a change of this key is to go, which is where it went first, and whether it did."""
    (row,) = await database.fetch(_SENT, key, side)
    return row["side"], row["repeated"]


async def never_sent(database: Database, key: bytes) -> None:
    await database.execute("DELETE FROM migration.sent WHERE key = $1", key)


async def sweep(database: Database, key_hours: int) -> None:
    await database.execute("DELETE FROM migration.promise WHERE until < now()")
    query = "DELETE FROM migration.sent WHERE at < now() - make_interval(hours => $1)"
    await database.execute(query, key_hours)


def _kept(row: Row) -> Kept:
    rule = msgspec.json.decode(row["document"], type=RouteRule)
    return Kept(rule, row["author"], row["reason"], row["made"], row["since"])

"""What was shown to whom and what was held back; whether a group is shown nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction

_ADD: LiteralString = """
INSERT INTO insights.exposure (id, viewer, subject, method, version, band, place, held, basis)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::text[], $5::text[], $6::text[],
                     $7::text[], $8::text[], $9::bytea[])"""
# Looking at a list again on the same day shows nothing new.
_ADD_DAILY: LiteralString = """
INSERT INTO insights.exposure (id, viewer, subject, method, version, band, place, held, basis)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::text[], $5::text[], $6::text[],
                     $7::text[], $8::text[], $9::bytea[]) AS t(id, viewer, subject, method,
                                                               version, band, place, held, basis)
WHERE NOT EXISTS (
    SELECT FROM insights.exposure e
    WHERE e.subject = t.subject AND e.method = t.method AND e.at > now() - interval '1 day'
      AND e.viewer = t.viewer AND e.place = t.place AND e.band = t.band AND e.held = t.held)"""
_REPEATED: LiteralString = """
SELECT DISTINCT method, band, basis FROM insights.exposure
WHERE subject = $1 AND viewer = $2 AND place = 'card' AND held = ''
  AND at > now() - make_interval(days => $3)"""


@dataclass(frozen=True, slots=True)
class Exposure:
    """One thing shown to one viewer, or held back from them."""

    id: UUID
    viewer: str
    subject: bytes
    method: str
    version: str
    band: str
    place: str
    held: str = ""
    # A keyed hash of what a card rests on; empty for other places.
    basis: bytes = b""


def _columns(exposures: Sequence[Exposure]) -> list[list[object]]:
    names = ("id", "viewer", "subject", "method", "version", "band", "place", "held", "basis")
    return [[getattr(each, name) for each in exposures] for name in names]


async def add(tx: Transaction, exposures: Sequence[Exposure]) -> None:
    if exposures:
        await tx.execute(_ADD, *_columns(exposures))


async def add_daily(database: Database, exposures: Sequence[Exposure]) -> None:
    """The same to the same viewer counts once a day."""
    if exposures:
        await database.execute(_ADD_DAILY, *_columns(exposures))


async def lock_viewer(tx: Transaction, viewer: str) -> None:
    """Two calls for one viewer take turns, so that a budget is spent once."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", viewer)


async def shown_since(tx: Transaction, viewer: str, since: datetime) -> int:
    """How many cards the viewer was shown."""
    count = await tx.fetchval(
        "SELECT count(*) FROM insights.exposure"
        " WHERE viewer = $1 AND place = 'card' AND held = '' AND at >= $2",
        viewer,
        since,
    )
    return int(count)


async def repeated(
    tx: Transaction, subject: bytes, viewer: str, days: int
) -> set[tuple[str, str, bytes]]:
    """Method, band and basis of cards about somebody that the viewer has seen lately."""
    rows = await tx.fetch(_REPEATED, subject, viewer, days)
    return {(row["method"], row["band"], row["basis"]) for row in rows}


async def hold_out(database: Database) -> int:
    """How many of 100 are shown nothing; 0 until somebody decided otherwise."""
    percent = await database.fetchval(
        "SELECT percent FROM insights.hold_out ORDER BY id DESC LIMIT 1"
    )
    return int(percent or 0)


async def set_hold_out(tx: Transaction, percent: int, author: str, reason: str) -> None:
    await tx.execute(
        "INSERT INTO insights.hold_out (percent, author, reason) VALUES ($1, $2, $3)",
        percent,
        author,
        reason,
    )


async def hold_outs(database: Database) -> list[Row]:
    """Every time that the group was changed, the newest first."""
    return await database.fetch(
        "SELECT at, percent, author, reason FROM insights.hold_out ORDER BY id DESC LIMIT 100"
    )


async def counts(database: Database, since: datetime) -> list[Row]:
    """What was shown and held back, by method and place."""
    return await database.fetch(
        "SELECT method, version, place, held, count(*) AS count,"
        " count(DISTINCT subject) AS people, count(DISTINCT viewer) AS viewers"
        " FROM insights.exposure WHERE at >= $1"
        " GROUP BY method, version, place, held ORDER BY method, version, place, held",
        since,
    )


async def forget(database: Database, days: int) -> None:
    """What was shown to whom, once its time is over; also feedback and what people decided."""
    for statement in _FORGET:
        await database.execute(statement, days)


_FORGET: tuple[LiteralString, ...] = (
    "DELETE FROM insights.exposure WHERE at < now() - make_interval(days => $1)",
    "DELETE FROM insights.feedback WHERE at < now() - make_interval(days => $1)",
    "DELETE FROM insights.item_event WHERE at < now() - make_interval(days => $1)",
)

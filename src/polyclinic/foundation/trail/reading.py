"""Reads pages of a trail, as the canonical bytes that others hash and compare."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import msgspec

from polyclinic.foundation.database import Database
from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.service import Trail

_GENERATIONS: LiteralString = """
    SELECT generation, first FROM trail_generation WHERE trail = $1 ORDER BY generation"""
_LAST: LiteralString = """
    SELECT generation, cluster FROM trail_generation WHERE trail = $1
    ORDER BY generation DESC LIMIT 1"""
_BEGIN: LiteralString = """
    INSERT INTO trail_generation (trail, generation, cluster, first) VALUES ($1, $2, $3, $4)"""
_XMAX: LiteralString = "SELECT pg_snapshot_xmax(pg_current_snapshot())"
_CLUSTER: LiteralString = """
    SELECT (SELECT system_identifier FROM pg_control_system()) || '/'
        || (SELECT timeline_id FROM pg_control_checkpoint())"""

# Positions that no sequence gives may stand there all the same: somebody may have put them.
_FIRST, _LAST_POSITION = -(1 << 63), (1 << 63) - 1
_SPOT = re.compile(r"\d{1,9}\.\d{1,19}\.-?\d{1,19}", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Spot:
    """A place in a trail: a row's generation, transaction and position; zeros are the start."""

    generation: int = 0
    tx: int = 0
    position: int = 0

    def __str__(self) -> str:
        return f"{self.generation}.{self.tx}.{self.position}"

    @classmethod
    def read(cls, text: str) -> "Spot":
        """Raises Invalid for anything but three numbers with points between them."""
        if not _SPOT.fullmatch(text):
            raise Invalid("A place in a trail is generation.transaction.position.", place="after")
        return cls(*map(int, text.split(".")))


@dataclass(frozen=True, slots=True)
class Page:
    """Rows after a place, how far they reach, and whether there may be more at once."""

    rows: tuple[bytes, ...]
    last: Spot
    more: bool


async def begin(database: Database, trail: Trail) -> None:
    """Begins a new generation where the database is another cluster's than the rows so far."""
    async with database.transaction() as tx:
        await tx.execute("LOCK TABLE trail_generation IN SHARE ROW EXCLUSIVE MODE")
        last = await tx.fetchrow(_LAST, trail.name)
        cluster = await tx.fetchval(_CLUSTER)
        if last is None:
            await tx.execute(_BEGIN, trail.name, 1, cluster, _FIRST)
        elif last["cluster"] != cluster:
            first = await tx.fetchval(trail.next_position)
            await tx.execute(_BEGIN, trail.name, last["generation"] + 1, cluster, first)


async def page(database: Database, source: str, trail: Trail, after: Spot, limit: int) -> Page:
    """The next rows after a place. Whoever reads on from `last` meets every row exactly once."""
    known = [tuple(row) for row in await database.fetch(_GENERATIONS, trail.name)]
    last = after
    for number, (generation, first) in enumerate(known):
        if generation < after.generation:
            continue
        end = known[number + 1][1] if number + 1 < len(known) else None
        start = last if last.generation == generation else Spot(generation)
        found = await database.fetch(trail.rows, start.tx, start.position, first, end, limit)
        if found:
            rows = tuple(canonical(source, generation, dict(row)) for row in found)
            last = Spot(generation, found[-1]["tx"], found[-1]["position"])
            return Page(rows, last, more=len(found) == limit or end is not None)
    return Page((), last, more=False)


async def impossible(database: Database, source: str, trail: Trail) -> tuple[bytes, ...]:
    """Rows of transactions that have not begun: nobody but a tamperer leaves such rows.

    They would be handed on only when the transactions come that they pretend to be of.
    """
    known = await database.fetch(_GENERATIONS, trail.name)
    generation, first = known[-1]
    before = await database.fetchval(_XMAX)
    found = await database.fetch(trail.rows, before, _FIRST, first, _LAST_POSITION, 100)
    now = await database.fetchval(_XMAX)
    late = [dict(row) for row in found if row["tx"] >= now]
    return tuple(canonical(source, generation, row) for row in late)


def canonical(source: str, generation: int, row: dict[str, Any]) -> bytes:
    """The bytes of a row: JSON with its names in order, times in UTC to the microsecond."""
    said = {name: _plain(value) for name, value in row.items()}
    return msgspec.json.encode({**said, "source": source, "generation": generation}, order="sorted")


def _plain(value: object) -> object:
    """Bytes of one letter are PostgreSQL's "char"; longer ones are hashes."""
    if isinstance(value, bytes):
        return value.decode("ascii") if len(value) <= 1 else value.hex()
    if isinstance(value, UUID | datetime | str | int | None):
        return value
    raise TypeError(type(value).__name__)

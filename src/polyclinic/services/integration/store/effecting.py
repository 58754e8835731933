"""How new what was said is, what owners gave ids of their own, and others' names for ours."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Row

# Arrays of text compare element by element, as ranks do.
_CONFIRM: LiteralString = """
    INSERT INTO integration.confirmed (name, rank) VALUES ($1, $2::text[])
    ON CONFLICT (name) DO UPDATE SET rank = excluded.rank, at = now()
    WHERE confirmed.rank < excluded.rank"""


async def ranks(database: Database, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The newest ranks of these, where something was confirmed beyond what is kept."""
    query = "SELECT name, rank FROM integration.confirmed WHERE name = ANY ($1::text[])"
    return {row["name"]: tuple(row["rank"]) for row in await database.fetch(query, list(names))}


async def confirm(database: Database, name: str, rank: Sequence[str]) -> None:
    """Notes that this was said as of this rank; an older one changes nothing."""
    if rank:
        await database.execute(_CONFIRM, name, list(rank))


@dataclass(frozen=True, slots=True)
class Deed:
    """What was made, or (a credit) taken back, under a sender's number."""

    target: str
    same: bytes
    is_credit: bool


async def deed(database: Database, key: bytes) -> Deed | None:
    query = (
        "SELECT target, same, key <> $1 AS is_credit FROM integration.deed"
        " WHERE key = $1 OR taken_back_by = $1"
    )
    found = await database.fetch(query, key)
    return Deed(**dict(found[0])) if found else None


async def done(database: Database, keys: tuple[bytes, bytes], target: str, message: UUID) -> None:
    """Notes what was made: the sender's number, and what a reversal would have in common."""
    query = (
        "INSERT INTO integration.deed (key, same, target, message) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (key) DO NOTHING"
    )
    await database.execute(query, *keys, target, message)


async def open_deed(database: Database, same: bytes) -> str | None:
    """The newest that is the same, and was not taken back."""
    query = (
        "SELECT target FROM integration.deed WHERE same = $1 AND taken_back_by IS NULL"
        " ORDER BY at DESC LIMIT 1"
    )
    return await database.fetchval(query, same)


async def taken_back(database: Database, target: str, by: bytes) -> None:
    query = (
        "UPDATE integration.deed SET taken_back_by = $2 WHERE target = $1 AND taken_back_by IS NULL"
    )
    await database.execute(query, target, by)


async def named(
    database: Database, kind: str, numbers: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """What of ours these names of others mean; a name without a system may be anybody's."""
    query = (
        "SELECT system, value, target FROM integration.directory"
        " WHERE kind = $1 AND (system, value) IN"
        " (SELECT * FROM unnest($2::text[], $3::text[]))"
    )
    systems, values = [each[0] for each in numbers], [each[1] for each in numbers]
    rows = await database.fetch(query, kind, systems, values)
    return {(row["system"], row["value"]): row["target"] for row in rows}


async def listed(database: Database, kind: str | None) -> list[Row]:
    query = (
        "SELECT kind, system, value, target, author, at FROM integration.directory"
        " WHERE $1::text IS NULL OR kind = $1 ORDER BY kind, system, value LIMIT 10000"
    )
    return await database.fetch(query, kind)


async def put_name(database: Database, entry: tuple[str, str, str, str], author: str) -> None:
    """Kind, system, value, target; replaces what the name meant before."""
    query = (
        "INSERT INTO integration.directory (kind, system, value, target, author)"
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (kind, system, value)"
        " DO UPDATE SET target = excluded.target, author = excluded.author, at = now()"
    )
    await database.execute(query, *entry, author)


async def drop_name(database: Database, kind: str, system: str, value: str) -> bool:
    query = (
        "DELETE FROM integration.directory WHERE kind = $1 AND system = $2 AND value = $3"
        " RETURNING true"
    )
    return bool(await database.fetchval(query, kind, system, value))

"""Old systems, what their sources showed, and what they are able to do."""

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString, NamedTuple
from uuid import UUID

import msgspec

from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.services.migration.domain.capabilities import Capability
from polyclinic.services.migration.domain.inventory.findings import Finding


class Inventory(NamedTuple):
    """An old system by its own name."""

    name: str
    title: str
    author: str
    made: datetime


class Kept(NamedTuple):
    """A finding, under the name that its source was given, and since when."""

    source: str
    finding: Finding
    author: str
    made: datetime


_SAVE: LiteralString = """
    INSERT INTO migration.inventory (name, title, author) VALUES ($1, $2, $3)
    ON CONFLICT (name) DO UPDATE SET title = excluded.title RETURNING xmax = 0"""
# The same thing shown again stands as the newest: an older one in between is the past.
_ADD: LiteralString = """
    INSERT INTO migration.finding (id, inventory, source, digest, document, author)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (inventory, source, digest) DO UPDATE SET made = clock_timestamp()"""
_NEWEST: LiteralString = """
    SELECT DISTINCT ON (source) source, document, author, made
    FROM migration.finding WHERE inventory = $1 ORDER BY source, made DESC"""
_CAPABILITIES: LiteralString = """
    INSERT INTO migration.capability (inventory, name, service, confirmed, document)
    SELECT $1, * FROM unnest($2::text[], $3::text[], $4::boolean[], $5::bytea[])
    ON CONFLICT (inventory, name) DO UPDATE
    SET service = excluded.service, confirmed = excluded.confirmed, document = excluded.document,
        changed = now()"""
_GONE: LiteralString = """
    DELETE FROM migration.capability WHERE inventory = $1 AND name <> ALL ($2::text[])"""


async def lock(tx: Transaction, name: str) -> Inventory | None:
    """The inventory, and nobody else changes it in the meantime."""
    query = "SELECT name, title, author, made FROM migration.inventory WHERE name = $1 FOR UPDATE"
    row = await tx.fetchrow(query, name)
    return None if row is None else Inventory(**dict(row))


async def find(where: Database | Transaction, name: str) -> Inventory | None:
    query = "SELECT name, title, author, made FROM migration.inventory WHERE name = $1"
    row = await where.fetchrow(query, name)
    return None if row is None else Inventory(**dict(row))


async def list_all(where: Database | Transaction) -> list[Inventory]:
    rows = await where.fetch(
        "SELECT name, title, author, made FROM migration.inventory ORDER BY name"
    )
    return [Inventory(**dict(row)) for row in rows]


async def save(tx: Transaction, name: str, title: str, author: str) -> bool:
    """Whether it is new."""
    return bool(await tx.fetchval(_SAVE, name, title, author))


async def add_finding(
    tx: Transaction, number: UUID, place: tuple[str, str], finding: tuple[bytes, bytes], author: str
) -> None:
    """`place` is inventory and source; `finding` is digest and document."""
    await tx.execute(_ADD, number, *place, *finding, author)


async def findings(where: Database | Transaction, name: str) -> list[Kept]:
    """The newest of each source."""
    return [_kept(row) for row in await where.fetch(_NEWEST, name)]


async def keep_capabilities(tx: Transaction, name: str, found: Sequence[Capability]) -> None:
    """These and no others."""
    await tx.execute(_GONE, name, [each.name for each in found])
    await tx.execute(
        _CAPABILITIES,
        name,
        [each.name for each in found],
        [each.service or None for each in found],
        [bool(each.confirmed_by) for each in found],
        [msgspec.json.encode(each) for each in found],
    )


async def capabilities(where: Database | Transaction, name: str) -> list[Capability]:
    query = "SELECT document FROM migration.capability WHERE inventory = $1 ORDER BY name"
    rows = await where.fetch(query, name)
    return [msgspec.json.decode(row["document"], type=Capability) for row in rows]


def _kept(row: Row) -> Kept:
    finding = msgspec.json.decode(row["document"], type=Finding)
    return Kept(row["source"], finding, row["author"], row["made"])

"""Leaves, nodes and checkpoints: only added, in one order for all replicas."""

from collections.abc import Sequence
from typing import LiteralString

from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.services.audit.domain.entries import Entry

# One at a time gives out numbers; the lock ends with the transaction.
_LOCK: LiteralString = "SELECT pg_advisory_xact_lock(hashtext('audit.entry'))"
_SIZE: LiteralString = "SELECT coalesce(max(seq) + 1, 0) FROM audit.entry"
_AFTER: LiteralString = """
    SELECT generation, tx, position FROM audit.entry WHERE source = $1
    ORDER BY source, generation DESC, tx DESC, position DESC LIMIT 1"""
_ADD: LiteralString = """
    INSERT INTO audit.entry
        (seq, source, generation, tx, position, at, patient, actor, leaf, body)
    SELECT $1::bigint + n - 1, $2, g, t, p, at, patient, actor, leaf, body
    FROM unnest($3::int[], $4::bigint[], $5::bigint[], $6::timestamptz[], $7::bigint[], $8::text[],
                $9::bytea[], $10::bytea[]) WITH ORDINALITY
         AS e(g, t, p, at, patient, actor, leaf, body, n)"""
_LEAVES: LiteralString = """
    SELECT leaf FROM audit.entry WHERE seq >= $1 AND seq < $2 ORDER BY seq"""
_NODES: LiteralString = """
    SELECT hash FROM audit.node WHERE level = $1 AND position >= $2 AND position < $3
    ORDER BY position"""
_ADD_NODE: LiteralString = "INSERT INTO audit.node (level, position, hash) VALUES ($1, $2, $3)"
_LAST: LiteralString = "SELECT size, at, note FROM audit.checkpoint ORDER BY size DESC LIMIT 1"
_SIGNED: LiteralString = """
    SELECT size, at, note FROM audit.checkpoint WHERE size > $1 ORDER BY size LIMIT $2"""
_ADD_SIGNED: LiteralString = "INSERT INTO audit.checkpoint (size, at, note) VALUES ($1, $2, $3)"
_ENTRIES: LiteralString = """
    SELECT seq, source, generation, tx, position, at, patient, actor, leaf, body
    FROM audit.entry WHERE seq > $1 ORDER BY seq LIMIT $2"""
_OF_SOURCE: LiteralString = """
    SELECT seq, source, generation, tx, position, at, patient, actor, leaf, body
    FROM audit.entry WHERE source = $1 AND (generation, tx, position) > ($2, $3, $4)
    ORDER BY generation, tx, position LIMIT $5"""
_ALL_NODES: LiteralString = """
    SELECT level, position, hash FROM audit.node WHERE (level, position) > ($1::smallint, $2)
    ORDER BY level, position LIMIT $3"""
_SOURCES: LiteralString = "SELECT DISTINCT source FROM audit.entry ORDER BY source"


async def lock_tree(tx: Transaction) -> int:
    """Waits for its turn to add; answers how many leaves there are."""
    await tx.execute(_LOCK)
    return await tx.fetchval(_SIZE)


async def find_size(where: Database | Transaction) -> int:
    return await where.fetchval(_SIZE)


async def find_last_spot(where: Database | Transaction, source: str) -> tuple[int, int, int]:
    """How far a trail was taken in; zeros when nothing of it was."""
    row = await where.fetchrow(_AFTER, source)
    return (row["generation"], row["tx"], row["position"]) if row else (0, 0, 0)


async def add_entries(tx: Transaction, size: int, source: str, entries: Sequence[Entry]) -> None:
    """Adds leaves behind the `size` that there are."""
    await tx.execute(
        _ADD,
        size,
        source,
        [e.generation for e in entries],
        [e.tx for e in entries],
        [e.position for e in entries],
        [e.at for e in entries],
        [e.patient for e in entries],
        [e.actor for e in entries],
        [e.leaf for e in entries],
        [e.body for e in entries],
    )


async def list_hashes(
    where: Database | Transaction, level: int, start: int, end: int
) -> list[bytes]:
    """Hashes side by side: of leaves (level 0), or of nodes over 256 times as many a level."""
    if level == 0:
        return [row["leaf"] for row in await where.fetch(_LEAVES, start, end)]
    return [row["hash"] for row in await where.fetch(_NODES, level, start, end)]


async def add_node(tx: Transaction, level: int, position: int, hashed: bytes) -> None:
    await tx.execute(_ADD_NODE, level, position, hashed)


async def find_last_checkpoint(where: Database | Transaction) -> Row | None:
    return await where.fetchrow(_LAST)


async def list_checkpoints(where: Database, after: int, limit: int) -> list[Row]:
    return await where.fetch(_SIGNED, after, limit)


async def add_checkpoint(tx: Transaction, size: int, at: object, note: str) -> None:
    await tx.execute(_ADD_SIGNED, size, at, note)


async def list_entries(where: Database, after: int, limit: int) -> list[Row]:
    return await where.fetch(_ENTRIES, after, limit)


async def list_entries_of(
    where: Database, source: str, after: tuple[int, int, int], limit: int
) -> list[Row]:
    return await where.fetch(_OF_SOURCE, source, *after, limit)


async def list_nodes(where: Database, after: tuple[int, int], limit: int) -> list[Row]:
    return await where.fetch(_ALL_NODES, *after, limit)


async def list_sources(where: Database) -> list[str]:
    return [row["source"] for row in await where.fetch(_SOURCES)]

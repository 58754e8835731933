"""Decisions, one after the other."""

from typing import LiteralString

from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.services.migration.domain.decisions import Decision

# Decisions are made by people: a few a day. One at a time keeps the chain a chain.
_LOCK: LiteralString = "SELECT pg_advisory_xact_lock(hashtextextended('migration.decision', 0))"
_NEWEST: LiteralString = """
    SELECT number, at, author, kind, subject, text, document, digest
    FROM migration.decision ORDER BY number DESC LIMIT 1"""
_ADD: LiteralString = """
    INSERT INTO migration.decision (number, at, author, kind, subject, text, document, digest)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"""
_FIND_NEWEST: LiteralString = """
    SELECT number, at, author, kind, subject, text, document, digest
    FROM migration.decision WHERE number < $1 AND ($2::text IS NULL OR subject = $2)
    ORDER BY number DESC LIMIT $3"""
_FIND: LiteralString = """
    SELECT number, at, author, kind, subject, text, document, digest
    FROM migration.decision WHERE number > $1 AND ($2::text IS NULL OR subject = $2)
    ORDER BY number LIMIT $3"""


async def lock_newest(tx: Transaction) -> Decision | None:
    """The last decision; the next one is this transaction's to make."""
    await tx.execute(_LOCK)
    row = await tx.fetchrow(_NEWEST)
    return None if row is None else _decision(row)


async def add(tx: Transaction, made: Decision) -> None:
    await tx.execute(
        _ADD,
        made.number,
        made.at,
        made.author,
        made.kind,
        made.subject,
        made.text,
        made.document,
        made.digest,
    )


async def find(
    where: Database | Transaction, subject: str | None, after: int, limit: int
) -> list[Decision]:
    return [_decision(row) for row in await where.fetch(_FIND, after, subject, limit)]


async def find_newest(
    where: Database | Transaction, subject: str | None, before: int, limit: int
) -> list[Decision]:
    return [_decision(row) for row in await where.fetch(_FIND_NEWEST, before, subject, limit)]


def _decision(row: Row) -> Decision:
    return Decision(**dict(row))

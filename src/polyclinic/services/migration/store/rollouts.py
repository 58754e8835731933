"""Incidents of rollouts, and what people said of them."""

from datetime import datetime
from typing import LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.services.migration.domain.routing import RouteRule

_ADD_INCIDENT: LiteralString = """
    INSERT INTO migration.incident (id, capability, kind, at, version, percent, evidence)
    VALUES ($1, $2, $3, $4, $5, $6, $7)"""
_ADD_FEEDBACK: LiteralString = """
    INSERT INTO migration.feedback (id, capability, side, liked, effort, request, at, sealed)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"""
_FEEDBACK: LiteralString = """
    SELECT side, count(*) AS said, count(*) FILTER (WHERE liked) AS liked,
           count(*) FILTER (WHERE NOT liked) AS disliked, avg(effort)::float AS effort
    FROM migration.feedback WHERE capability = $1 GROUP BY side ORDER BY side"""
_WORDS: LiteralString = """
    SELECT id, side, liked, effort, request, at, sealed FROM migration.feedback
    WHERE capability = $1 ORDER BY at DESC LIMIT 200"""


async def add_incident(
    tx: Transaction, name: UUID, kind: str, at: datetime, rule: RouteRule, evidence: bytes
) -> None:
    await tx.execute(
        _ADD_INCIDENT, name, rule.capability, kind, at, rule.version, rule.percent, evidence
    )


async def incidents(database: Database, capability: str | None) -> list[Row]:
    query = (
        "SELECT id, capability, kind, at, version, percent, evidence FROM migration.incident"
        " WHERE $1::text IS NULL OR capability = $1 ORDER BY at DESC LIMIT 200"
    )
    return await database.fetch(query, capability)


async def add_feedback(tx: Transaction, values: tuple[object, ...]) -> None:
    """id, capability, side, liked, effort, request, at, sealed."""
    await tx.execute(_ADD_FEEDBACK, *values)


async def feedback(database: Database, capability: str) -> list[Row]:
    """side, said, liked, disliked, effort."""
    return await database.fetch(_FEEDBACK, capability)


async def words(database: Database, capability: str) -> list[Row]:
    return await database.fetch(_WORDS, capability)

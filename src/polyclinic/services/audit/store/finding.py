"""Leaves by patient, by actor and by time, the newest first."""

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from polyclinic.foundation.database import Database, Row

_PAGE: LiteralString = """
    AND at >= $2 AND at < $3 AND (at, seq) < ($4, $5) AND NOT actor = ANY ($6::text[])
    ORDER BY at DESC, seq DESC LIMIT $7"""
_OF_PATIENT: LiteralString = """
    SELECT seq, at, body FROM audit.entry
    WHERE patient = ANY ($1::bigint[]) AND ($8::text IS NULL OR actor = $8)"""
_OF_ACTOR: LiteralString = "SELECT seq, at, body FROM audit.entry WHERE actor = $1"
_ALL: LiteralString = "SELECT seq, at, body FROM audit.entry WHERE $1::text IS NULL"
_ONE: LiteralString = "SELECT seq, at, patient, actor, body FROM audit.entry WHERE seq = $1"
_ALIASES: LiteralString = """
    SELECT alias_id FROM audit.patient_alias WHERE id = $1 ORDER BY alias_id"""


@dataclass(frozen=True, slots=True)
class Span:
    """From when until when, after which place of the page before, how many, and without whom."""

    low: datetime
    high: datetime
    before: tuple[datetime, int]
    limit: int
    without: tuple[str, ...] = ()

    def values(self) -> tuple[object, ...]:
        return (self.low, self.high, *self.before, list(self.without), self.limit)


async def list_of_patient(
    database: Database, numbers: list[int], actor: str | None, span: Span
) -> list[Row]:
    return await database.fetch(_OF_PATIENT + _PAGE, numbers, *span.values(), actor)


async def list_of_actor(database: Database, actor: str, span: Span) -> list[Row]:
    return await database.fetch(_OF_ACTOR + _PAGE, actor, *span.values())


async def list_all(database: Database, span: Span) -> list[Row]:
    return await database.fetch(_ALL + _PAGE, None, *span.values())


async def find_entry(database: Database, seq: int) -> Row | None:
    return await database.fetchrow(_ONE, seq)


async def list_aliases(database: Database, patient_id: str) -> list[str]:
    """The other records of a person, by id."""
    return [row["alias_id"] for row in await database.fetch(_ALIASES, patient_id)]

"""Visits as rows: whose, when and in which state; the diagnoses are sealed."""

from collections.abc import Sequence
from datetime import date
from typing import LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.services.billing.domain.charges import Visit

_COLUMNS: LiteralString = (
    "id, source, encounter, patient, practitioner, day, status, coverage, diagnoses, coded, made"
)
_ALL: LiteralString = f"SELECT {_COLUMNS} FROM billing.visit"  # noqa: S608 (constants)
_FIND: LiteralString = _ALL + " WHERE id = $1"
_LOCK: LiteralString = _ALL + " WHERE id = $1 FOR UPDATE"
_KNOWN: LiteralString = (
    _ALL
    + """ WHERE source = ANY ($1::text[]) OR encounter = ANY ($1::text[]) ORDER BY id FOR UPDATE"""
)
_OF: LiteralString = _ALL + """ WHERE patient = $1 ORDER BY day DESC, id DESC LIMIT $2"""
_ADD: LiteralString = """
    INSERT INTO billing.visit (id, source, patient, practitioner, day, encounter)
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING true"""
_CODE: LiteralString = """
    UPDATE billing.visit SET status = $2, coverage = $3, diagnoses = $4, coded = now()
    WHERE id = $1"""
_TIE: LiteralString = "UPDATE billing.visit SET encounter = $2 WHERE id = $1 AND encounter IS NULL"


async def find(where: Database | Transaction, visit: UUID) -> Row | None:
    return await where.fetchrow(_FIND, visit)


async def lock(tx: Transaction, visit: UUID) -> Row | None:
    return await tx.fetchrow(_LOCK, visit)


async def known(tx: Transaction, sources: Sequence[str]) -> list[Row]:
    """Visits that came from any of these (`Appointment/<id>`, `Encounter/<id>`), locked."""
    return await tx.fetch(_KNOWN, list(sources))


async def same_day(tx: Transaction, patient: str, practitioner: str, day: date) -> Row | None:
    """The visit of a patient to a clinician on a day, locked; the last one of several."""
    query = _ALL + (
        " WHERE patient = $1 AND practitioner = $2 AND day = $3 AND status <> 'not billable'"
        " ORDER BY id DESC LIMIT 1 FOR UPDATE"
    )
    return await tx.fetchrow(query, patient, practitioner, day)


async def of_patient(where: Database | Transaction, patient: str, limit: int = 100) -> list[Row]:
    """The newest first."""
    return await where.fetch(_OF, patient, limit)


async def add(tx: Transaction, visit: Visit) -> bool:
    """False when this visit came before."""
    return bool(
        await tx.fetchval(
            _ADD, visit.id, visit.source, visit.patient, visit.practitioner, visit.day,
            visit.encounter,
        )
    )  # fmt: skip


async def save_coding(
    tx: Transaction, visit: UUID, status: str, coverage: UUID | None, diagnoses: bytes | None
) -> None:
    await tx.execute(_CODE, visit, status, coverage, diagnoses)


async def tie(tx: Transaction, visit: UUID, encounter: str) -> None:
    """The chart's encounter of a visit that was known already."""
    await tx.execute(_TIE, visit, encounter)

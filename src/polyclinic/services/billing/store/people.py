"""Persons as rows: sealed, one a patient."""

from collections.abc import Sequence
from typing import LiteralString

from polyclinic.foundation.database import Database, Transaction

_SAVE: LiteralString = """
    INSERT INTO billing.person (patient, sealed) VALUES ($1, $2)
    ON CONFLICT (patient) DO UPDATE SET sealed = excluded.sealed, changed = now()
    RETURNING xmax = 0"""
_ADD: LiteralString = """
    INSERT INTO billing.person (patient, sealed) VALUES ($1, $2) ON CONFLICT DO NOTHING"""


async def find(where: Database | Transaction, patients: Sequence[str]) -> dict[str, bytes]:
    """Sealed persons by patient reference; unknown ones are left out."""
    query = "SELECT patient, sealed FROM billing.person WHERE patient = ANY ($1::text[])"
    rows = await where.fetch(query, list(patients))
    return {row["patient"]: row["sealed"] for row in rows}


async def save(tx: Transaction, patient: str, sealed: bytes) -> bool:
    """Whether the person is new."""
    return bool(await tx.fetchval(_SAVE, patient, sealed))


async def add(database: Database, patient: str, sealed: bytes) -> None:
    """A copy from the chart never replaces what billing was told."""
    await database.execute(_ADD, patient, sealed)

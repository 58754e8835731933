"""Coverages as rows: terms readable, who is insured and by which number sealed."""

from collections.abc import Sequence
from datetime import date
from typing import LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.services.billing.domain.coverage import Coverage, Terms

_COLUMNS: LiteralString = """
    id, patient, payer, rank, from_day, until_day, copay, deductible_left, coinsurance_bp,
    out_of_pocket_left, sealed, ended IS NOT NULL AS ended"""
_ALL: LiteralString = f"SELECT {_COLUMNS} FROM billing.coverage"  # noqa: S608 (constants)
_FIND: LiteralString = _ALL + " WHERE id = ANY ($1::uuid[])"
_OF: LiteralString = _ALL + """ WHERE patient = $1 ORDER BY ended, rank, from_day, id"""
_VALID: LiteralString = (
    _ALL
    + """ WHERE patient = $1 AND ended IS NULL AND from_day <= $2
      AND (until_day IS NULL OR until_day >= $2)
    ORDER BY rank, from_day DESC, id"""
)
_ADD: LiteralString = """
    INSERT INTO billing.coverage (id, patient, payer, rank, from_day, until_day, copay,
        deductible_left, coinsurance_bp, out_of_pocket_left, sealed)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"""
_END: LiteralString = """
    UPDATE billing.coverage SET until_day = $2, ended = now()
    WHERE id = $1 AND ended IS NULL RETURNING true"""
_TERMS: LiteralString = """
    UPDATE billing.coverage SET copay = $2, deductible_left = $3, coinsurance_bp = $4,
        out_of_pocket_left = $5
    WHERE id = $1 AND ended IS NULL RETURNING true"""


async def lock(tx: Transaction, patient: str) -> None:
    """One at a time changes a patient's coverages."""
    await tx.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('coverage ' || $1, 0))", patient
    )


async def find(where: Database | Transaction, coverage: UUID) -> Row | None:
    """A row to be opened by `actions.opened.coverages`."""
    rows = await where.fetch(_FIND, [coverage])
    return rows[0] if rows else None


async def find_all(where: Database | Transaction, wanted: Sequence[UUID]) -> list[Row]:
    return await where.fetch(_FIND, list(wanted))


async def of_patient(where: Database | Transaction, patient: str) -> list[Row]:
    return await where.fetch(_OF, patient)


async def valid_on(where: Database | Transaction, patient: str, day: date) -> list[Row]:
    """The first one pays first."""
    return await where.fetch(_VALID, patient, day)


async def add(tx: Transaction, coverage: Coverage, sealed: bytes) -> None:
    terms = coverage.terms
    await tx.execute(
        _ADD, coverage.id, coverage.patient, coverage.payer, coverage.rank, coverage.from_day,
        coverage.until_day, terms.copay, terms.deductible_left, terms.coinsurance_bp,
        terms.out_of_pocket_left, sealed,
    )  # fmt: skip


async def end(tx: Transaction, coverage: UUID, until: date) -> bool:
    return bool(await tx.fetchval(_END, coverage, until))


async def set_terms(tx: Transaction, coverage: UUID, terms: Terms) -> bool:
    return bool(
        await tx.fetchval(
            _TERMS, coverage, terms.copay, terms.deductible_left, terms.coinsurance_bp,
            terms.out_of_pocket_left,
        )
    )  # fmt: skip

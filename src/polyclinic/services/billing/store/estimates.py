"""Estimates as rows: totals readable, the lines sealed."""

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.services.billing.domain.estimate import Estimate

_COLUMNS: LiteralString = (
    "id, patient, kind, coverage, for_day, total, share, currency, visit, billed, flagged,"
    " author, made, sealed"
)
_ALL: LiteralString = f"SELECT {_COLUMNS} FROM billing.estimate"  # noqa: S608 (constants)
_ADD: LiteralString = """
    INSERT INTO billing.estimate
        (id, patient, kind, coverage, for_day, total, share, currency, author, made, sealed)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"""
# The one that was given last for this patient and day comes true in the visit.
_TIE: LiteralString = """
    UPDATE billing.estimate SET visit = $1
    WHERE id = (SELECT id FROM billing.estimate
                WHERE patient = $2 AND for_day = $3 AND visit IS NULL ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (SELECT FROM billing.estimate WHERE visit = $1)"""
_OF_VISIT: LiteralString = """
    SELECT id, share, flagged FROM billing.estimate WHERE visit = $1 FOR UPDATE"""
_BILLED: LiteralString = "UPDATE billing.estimate SET billed = $2, flagged = $3 WHERE id = $1"
# What a visit has put on the patient's account, by its charges and its claims; what was paid, given
# back or disputed is left aside.
_ASKED: LiteralString = """
    SELECT coalesce(sum(p.amount), 0)::bigint
    FROM billing.ledger_line p
    JOIN billing.ledger_entry e ON e.id = p.entry JOIN billing.account a ON a.number = p.account
    WHERE (p.charge IN (SELECT c.id FROM billing.charge c WHERE c.visit = $1)
           OR p.claim IN (SELECT c.id FROM billing.claim c WHERE c.visit = $1))
      AND a.name = $2 AND e.kind NOT IN ('payment', 'refund', 'dispute')"""
_WITH: LiteralString = """
    SELECT v.id, v.patient, v.day FROM billing.estimate e JOIN billing.visit v ON v.id = e.visit
    WHERE e.visit = ANY ($1::uuid[]) ORDER BY e.id"""


async def find(where: Database | Transaction, estimate: UUID) -> Row | None:
    return await where.fetchrow(_ALL + " WHERE id = $1", estimate)


async def of_patient(where: Database | Transaction, patient: str) -> list[Row]:
    """The newest first."""
    return await where.fetch(_ALL + " WHERE patient = $1 ORDER BY id DESC LIMIT 100", patient)


async def add(tx: Transaction, made: Estimate, sealed: bytes) -> None:
    await tx.execute(
        _ADD, made.id, made.patient, made.kind, made.coverage, made.for_day, made.total,
        made.share, made.currency, made.author, made.made, sealed,
    )  # fmt: skip


async def tie(tx: Transaction, visit: UUID, patient: str, day: object) -> None:
    await tx.execute(_TIE, visit, patient, day)


async def of_visit(tx: Transaction, visit: UUID) -> Row | None:
    """id, share, flagged of the estimate that came true in it, locked."""
    return await tx.fetchrow(_OF_VISIT, visit)


async def with_estimate(tx: Transaction, visits: Sequence[UUID]) -> list[Row]:
    """id, patient, day of those visits that somebody was given an estimate of."""
    return await tx.fetch(_WITH, list(visits))


async def asked(where: Database | Transaction, visit: UUID, account: str) -> int:
    return await where.fetchval(_ASKED, visit, account)


async def set_billed(tx: Transaction, estimate: UUID, billed: int, *, flagged: bool) -> None:
    await tx.execute(_BILLED, estimate, billed, flagged)

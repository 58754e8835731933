"""Charges as rows: amounts readable, what was done sealed."""

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.services.billing.domain.charges import Charge

_COLUMNS: LiteralString = (
    "id, visit, line, patient, day, amount, units, currency, status, sealed, made"
)
_ALL: LiteralString = f"SELECT {_COLUMNS} FROM billing.charge"  # noqa: S608 (constants)
_OF_VISIT: LiteralString = _ALL + " WHERE visit = $1 ORDER BY line"
_FIND: LiteralString = _ALL + " WHERE id = ANY ($1::uuid[])"
_LOCK: LiteralString = _ALL + " WHERE id = $1 FOR UPDATE"
_OF_PATIENT: LiteralString = _ALL + """ WHERE patient = $1 ORDER BY day, visit, line"""
_ADD: LiteralString = """
    INSERT INTO billing.charge (id, visit, line, patient, day, amount, units, currency, sealed)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::text[], $5::date[],
                         $6::bigint[], $7::integer[], $8::text[], $9::bytea[])"""
_STATUS: LiteralString = """
    UPDATE billing.charge SET status = $2
    WHERE id = ANY ($1::uuid[]) AND status <> 'aborted' RETURNING id"""
_HAS_ANY: LiteralString = "SELECT EXISTS (SELECT FROM billing.charge WHERE patient = $1)"


async def of_visit(where: Database | Transaction, visit: UUID) -> list[Row]:
    """Rows to be opened by `actions.opened.charges`, aborted ones too, in the order of lines."""
    return await where.fetch(_OF_VISIT, visit)


async def of_patient(where: Database | Transaction, patient: str) -> list[Row]:
    return await where.fetch(_OF_PATIENT, patient)


async def find_all(where: Database | Transaction, wanted: Sequence[UUID]) -> list[Row]:
    return await where.fetch(_FIND, list(wanted))


async def lock(tx: Transaction, charge: UUID) -> Row | None:
    return await tx.fetchrow(_LOCK, charge)


async def has_any(where: Database | Transaction, patient: str) -> bool:
    return bool(await where.fetchval(_HAS_ANY, patient))


async def set_status(tx: Transaction, wanted: Sequence[UUID], status: str) -> int:
    """How many there were; an aborted charge stays aborted."""
    return len(await tx.fetch(_STATUS, sorted(wanted), status))


async def add(tx: Transaction, charges: Sequence[Charge], sealed: Sequence[bytes]) -> None:
    await tx.execute(
        _ADD,
        [each.id for each in charges],
        [each.visit for each in charges],
        [each.line for each in charges],
        [each.patient for each in charges],
        [each.day for each in charges],
        [each.amount for each in charges],
        [each.units for each in charges],
        [each.currency for each in charges],
        list(sealed),
    )

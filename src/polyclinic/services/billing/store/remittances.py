"""Remittances as they were posted, and what each decided of which charge."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction

_ADD: LiteralString = """
    INSERT INTO billing.remittance (id, payer, trace, paid, currency, day, lines, digest, file)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"""
_ADD_LINES: LiteralString = """
    INSERT INTO billing.remittance_line
        (remittance, line, claim, charge, charged, paid, patient_share, adjustments)
    SELECT $1, * FROM unnest($2::int[], $3::uuid[], $4::uuid[], $5::bigint[], $6::bigint[],
                             $7::bigint[], $8::bytea[])"""
_LINES: LiteralString = """
    SELECT l.remittance, l.line, l.claim, l.charge, l.charged, l.paid, l.patient_share,
           l.adjustments, r.payer, r.day, r.trace
    FROM billing.remittance_line l JOIN billing.remittance r ON r.id = l.remittance"""

_OF_CHARGES: LiteralString = f"""
    {_LINES} WHERE l.charge = ANY ($1) AND l.claim IN (
        SELECT c.claim FROM billing.claim_line c WHERE c.charge = ANY ($1))
    ORDER BY r.posted, l.line"""  # noqa: S608 (constants)


@dataclass(frozen=True, slots=True)
class Posted:
    """One remittance as it is kept; `digest` covers all that it says."""

    id: UUID
    payer: str
    trace: str
    paid: int
    currency: str
    day: date
    lines: int
    digest: bytes
    file: UUID


@dataclass(frozen=True, slots=True)
class PostedLine:
    """What the payer decided of one line; `adjustments` is JSON: [["CO", "45", 1234], …]."""

    claim: UUID | None
    charge: UUID | None
    charged: int
    paid: int
    patient_share: int
    adjustments: bytes


async def hold(tx: Transaction, payers: Sequence[str]) -> None:
    """Files of one payer wait for each other, so that `digest_of` says what is posted."""
    query = "SELECT FROM billing.payer WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE"
    await tx.fetch(query, list(payers))


async def add(tx: Transaction, posted: Posted, lines: Sequence[PostedLine]) -> None:
    """Nothing can be posted twice: the constraint refuses what `digest_of` did not know."""
    values = (posted.id, posted.payer, posted.trace, posted.paid, posted.currency, posted.day)
    await tx.execute(_ADD, *values, posted.lines, posted.digest, posted.file)
    await tx.execute(
        _ADD_LINES,
        posted.id,
        list(range(1, len(lines) + 1)),
        [each.claim for each in lines],
        [each.charge for each in lines],
        [each.charged for each in lines],
        [each.paid for each in lines],
        [each.patient_share for each in lines],
        [each.adjustments for each in lines],
    )


async def digest_of(where: Database | Transaction, payer: str, trace: str) -> bytes | None:
    query = "SELECT digest FROM billing.remittance WHERE payer = $1 AND trace = $2"
    return await where.fetchval(query, payer, trace)


async def of_claim(database: Database, claim: UUID) -> list[Row]:
    """How the payer decided, the first decision first."""
    return await database.fetch(_LINES + " WHERE l.claim = $1 ORDER BY r.posted, l.line", claim)


async def of_charges(database: Database, charges: Sequence[UUID]) -> list[Row]:
    """Every decision about these charges; found by their claims, for which there is an index."""
    return await database.fetch(_OF_CHARGES, list(charges))

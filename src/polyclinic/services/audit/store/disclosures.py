"""The ledger of disclosures: only added to; what is sealed stays sealed here."""

from collections.abc import Sequence
from datetime import date
from typing import Any, LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.foundation.service import Trail
from polyclinic.foundation.trail import WINDOW

_ADD: LiteralString = """
    INSERT INTO audit.disclosure
        (id, patient, day, basis, made_by, series, protocol, actor, envelope)
    SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::date[], $4::text[], $5::text[], $6::uuid[],
                         $7::text[], $8::text[], $9::bytea[])"""
_OF: LiteralString = """
    SELECT d.id, d.patient, d.day, d.basis, d.made_by, d.series, d.protocol, d.envelope,
           (SELECT max(s.until) FROM audit.suppression s WHERE s.disclosure = d.id) AS suppressed
    FROM audit.disclosure d
    WHERE d.patient = ANY ($1::bigint[]) AND d.day >= $2 AND d.day <= $3
    ORDER BY d.day, d.id"""
_BASIS: LiteralString = "SELECT basis FROM audit.disclosure WHERE id = $1"
_SUPPRESS: LiteralString = """
    INSERT INTO audit.suppression (id, disclosure, until, statement, actor)
    VALUES ($1, $2, $3, $4, $5)"""
_ROWS: LiteralString = """
    SELECT position, tx, at, id, patient, day::text AS day, basis, made_by, series, protocol,
           actor, envelope
    FROM audit.disclosure WHERE """

_HELD: LiteralString = """
    SELECT position, tx, at, id, disclosure, until::text AS until, statement, actor
    FROM audit.suppression WHERE """
_NEXT: LiteralString = "SELECT nextval('audit.disclosure_position')"

disclosures_trail = Trail("disclosures", _ROWS + WINDOW, _NEXT)
suppressions_trail = Trail("suppressions", _HELD + WINDOW, _NEXT)


async def add_disclosures(tx: Transaction, columns: Sequence[list[Any]]) -> None:
    """Columns as `_ADD` has them."""
    await tx.execute(_ADD, *columns)


async def list_disclosures(
    database: Database, patients: list[int], low: date, high: date
) -> list[Row]:
    return await database.fetch(_OF, patients, low, high)


async def find_basis(database: Database, disclosure: UUID) -> str | None:
    return await database.fetchval(_BASIS, disclosure)


async def add_suppression(
    tx: Transaction, suppression: UUID, disclosure: UUID, until: date, said: tuple[str, str]
) -> None:
    """`said`: the kind of statement, and who wrote it down."""
    await tx.execute(_SUPPRESS, suppression, disclosure, until, *said)

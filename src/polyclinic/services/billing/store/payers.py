"""Insurers as rows; the document holds all of it, the columns what is looked for."""

from typing import LiteralString

import asyncpg
import msgspec

from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.services.billing.domain.payers import Payer, SameNumber

_SAVE: LiteralString = """
    INSERT INTO billing.payer (id, name, x12_id, document) VALUES ($1, $2, $3, $4)
    ON CONFLICT (id) DO UPDATE
    SET name = excluded.name, x12_id = excluded.x12_id, document = excluded.document,
        changed = now()
    RETURNING xmax = 0"""


async def find(where: Database | Transaction, name: str) -> Payer | None:
    row = await where.fetchrow("SELECT document FROM billing.payer WHERE id = $1", name)
    return None if row is None else _payer(row)


async def find_by_x12(where: Database | Transaction, x12_id: str) -> Payer | None:
    """The payer that signs its files with this id."""
    row = await where.fetchrow("SELECT document FROM billing.payer WHERE x12_id = $1", x12_id)
    return None if row is None else _payer(row)


async def list_all(where: Database | Transaction) -> list[Payer]:
    rows = await where.fetch("SELECT document FROM billing.payer ORDER BY name, id")
    return [_payer(row) for row in rows]


async def save(tx: Transaction, payer: Payer) -> bool:
    """Whether it is new; raises SameNumber when another payer has its X12 id."""
    document = msgspec.json.encode(payer)
    try:
        return bool(await tx.fetchval(_SAVE, payer.id, payer.name, payer.x12_id, document))
    except asyncpg.UniqueViolationError as taken:
        raise SameNumber(place="x12_id") from taken


def _payer(row: Row) -> Payer:
    return msgspec.json.decode(row["document"], type=Payer)

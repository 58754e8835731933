"""Fee schedules as rows: whole or not at all, one a payer and day."""

from collections.abc import Sequence
from datetime import date
from typing import LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.services.billing.domain.fees import Fee, Fees, Schedule

_COLUMNS: LiteralString = "id, name, payer, from_day, until_day, currency"
_ALL: LiteralString = f"SELECT {_COLUMNS} FROM billing.fee_schedule"  # noqa: S608 (constants)
_ADD: LiteralString = """
    INSERT INTO billing.fee_schedule (id, name, payer, from_day, until_day, currency, author)
    VALUES ($1, $2, $3, $4, $5, $6, $7)"""
_ADD_FEES: LiteralString = """
    INSERT INTO billing.fee (schedule, code, modifier, title, amount)
    SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[])"""
_FEES: LiteralString = """
    SELECT code, modifier, title, amount FROM billing.fee WHERE schedule = $1
    ORDER BY code, modifier"""
_OF_DAY: LiteralString = """
    SELECT f.code, f.modifier, f.title, f.amount
    FROM billing.fee_schedule s JOIN billing.fee f ON f.schedule = s.id
    WHERE s.payer IS NOT DISTINCT FROM $1 AND s.from_day <= $2
      AND (s.until_day IS NULL OR s.until_day >= $2) AND f.code = ANY ($3::text[])"""


async def lock(tx: Transaction) -> None:
    """Whoever adds a schedule sees all the others."""
    await tx.execute("LOCK TABLE billing.fee_schedule IN SHARE ROW EXCLUSIVE MODE")


async def of_payer(where: Database | Transaction, payer: str | None) -> list[Schedule]:
    rows = await where.fetch(_ALL + " WHERE payer IS NOT DISTINCT FROM $1", payer)
    return [_schedule(row) for row in rows]


async def list_all(where: Database | Transaction) -> list[Schedule]:
    """The clinic's own first, then the payers', the newest first."""
    rows = await where.fetch(_ALL + " ORDER BY payer NULLS FIRST, from_day DESC")
    return [_schedule(row) for row in rows]


async def find(where: Database | Transaction, schedule: UUID) -> Schedule | None:
    row = await where.fetchrow(_ALL + " WHERE id = $1", schedule)
    return None if row is None else _schedule(row)


async def fees(where: Database | Transaction, schedule: UUID) -> list[Fee]:
    return [Fee(*row) for row in await where.fetch(_FEES, schedule)]


async def of_day(
    where: Database | Transaction, payer: str | None, day: date, codes: Sequence[str]
) -> Fees:
    """What the clinic (no payer) asks or a payer allows for these codes on that day."""
    rows = await where.fetch(_OF_DAY, payer, day, list(codes))
    return {(row["code"], row["modifier"]): Fee(*row) for row in rows}


async def add(tx: Transaction, schedule: Schedule, fees: Sequence[Fee], author: str) -> None:
    await tx.execute(
        _ADD, schedule.id, schedule.name, schedule.payer, schedule.from_day, schedule.until_day,
        schedule.currency, author,
    )  # fmt: skip
    await tx.execute(
        _ADD_FEES,
        schedule.id,
        [fee.code for fee in fees],
        [fee.modifier for fee in fees],
        [fee.title for fee in fees],
        [fee.amount for fee in fees],
    )


async def end(tx: Transaction, schedule: UUID, until: date) -> None:
    query = "UPDATE billing.fee_schedule SET until_day = $2 WHERE id = $1"
    await tx.execute(query, schedule, until)


def _schedule(row: Row) -> Schedule:
    return Schedule(*row)

"""Payment plans as rows; how far they are is asked of the ledger."""

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.services.billing.domain.ledger import Account
from polyclinic.services.billing.domain.plans import Instalment, Plan

_COLUMNS: LiteralString = "id, patient, total, currency, status, author, made, seq"
_FIND: LiteralString = f"SELECT {_COLUMNS} FROM billing.plan WHERE id = $1"  # noqa: S608 (constants)
_OF_PATIENT: LiteralString = f"""
    SELECT {_COLUMNS} FROM billing.plan WHERE patient = $1
    ORDER BY made DESC, id LIMIT 20"""  # noqa: S608 (constants)
_ADD: LiteralString = """
    INSERT INTO billing.plan (id, patient, total, currency, author, seq)
    VALUES ($1, $2, $3, $4, $5, $6)"""
_ADD_PARTS: LiteralString = """
    INSERT INTO billing.instalment (plan, line, due, amount)
    SELECT $1, * FROM unnest($2::smallint[], $3::date[], $4::bigint[])"""
_PARTS: LiteralString = """
    SELECT plan, line, due, amount FROM billing.instalment WHERE plan = ANY ($1::uuid[])
    ORDER BY plan, line"""
# Paid since the plan began, less what was given back; not what insurance did meanwhile.
_PAID: LiteralString = """
    SELECT coalesce(-sum(l.amount), 0)::bigint FROM billing.ledger_line l
    JOIN billing.ledger_entry e ON e.id = l.entry
    JOIN billing.account a ON a.number = l.account
    WHERE l.patient = $1 AND a.name = $2 AND e.seq > $3
      AND e.kind IN ('payment', 'refund', 'dispute')"""
_END: LiteralString = """
    UPDATE billing.plan p SET status = 'done'
    WHERE p.patient = $1 AND p.status = 'active' AND p.total <= (
        SELECT coalesce(-sum(l.amount), 0) FROM billing.ledger_line l
        JOIN billing.ledger_entry e ON e.id = l.entry
        JOIN billing.account a ON a.number = l.account
        WHERE l.patient = $1 AND a.name = $2 AND e.seq > p.seq
          AND e.kind IN ('payment', 'refund', 'dispute'))"""
_CANCEL: LiteralString = """
    UPDATE billing.plan SET status = 'cancelled' WHERE id = $1 AND status = 'active'
    RETURNING true"""


async def add(tx: Transaction, plan: Plan) -> None:
    await tx.execute(_ADD, plan.id, plan.patient, plan.total, plan.currency, plan.author, plan.seq)
    await tx.execute(
        _ADD_PARTS,
        plan.id,
        [each.line for each in plan.parts],
        [each.due for each in plan.parts],
        [each.amount for each in plan.parts],
    )


async def find(where: Database | Transaction, plan: UUID) -> Plan | None:
    row = await where.fetchrow(_FIND, plan)
    return (await _whole(where, [row]))[0] if row is not None else None


async def of_patient(where: Database | Transaction, patient: str) -> list[Plan]:
    """The newest first."""
    return await _whole(where, await where.fetch(_OF_PATIENT, patient))


async def has_active(tx: Transaction, patient: str) -> bool:
    query = "SELECT EXISTS (SELECT FROM billing.plan WHERE patient = $1 AND status = 'active')"
    return await tx.fetchval(query, patient)


async def paid(where: Database | Transaction, plan: Plan, account: Account) -> int:
    return await where.fetchval(_PAID, plan.patient, account.name, plan.seq)


async def end(tx: Transaction, patient: str, account: Account) -> None:
    """A plan that was paid is done."""
    await tx.execute(_END, patient, account.name)


async def cancel(tx: Transaction, plan: UUID) -> bool:
    return bool(await tx.fetchval(_CANCEL, plan))


async def _whole(where: Database | Transaction, rows: Sequence[Row]) -> list[Plan]:
    found = await where.fetch(_PARTS, [row["id"] for row in rows])
    return [
        Plan(
            *row.values(),
            parts=tuple(
                Instalment(each["line"], each["due"], each["amount"])
                for each in found
                if each["plan"] == row["id"]
            ),
        )
        for row in rows
    ]

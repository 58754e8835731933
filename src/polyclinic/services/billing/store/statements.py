"""Statements as rows, and what the ledger says of a patient, charge by charge."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import LiteralString, NamedTuple
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.services.billing.domain.ledger import Account
from polyclinic.services.billing.domain.statements import Came, Statement

_COLUMNS: LiteralString = "id, number, patient, day, due, total, currency, status, seq"
_FIND: LiteralString = f"""
    SELECT {_COLUMNS}, sealed FROM billing.statement WHERE id = $1"""  # noqa: S608 (constants)
_OF_PATIENT: LiteralString = f"""
    SELECT {_COLUMNS}, sealed FROM billing.statement WHERE patient = $1
    ORDER BY number DESC LIMIT $2"""  # noqa: S608 (constants)
_ADD: LiteralString = """
    INSERT INTO billing.statement (id, patient, day, due, total, currency, seq, sealed)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING number"""
_CAME: LiteralString = """
    SELECT l.charge,
           coalesce(sum(l.amount) FILTER (WHERE a.name = $2), 0)::bigint AS share,
           coalesce(sum(l.amount) FILTER (WHERE a.name LIKE 'payer/%'), 0)::bigint AS waiting,
           coalesce(sum(l.amount) FILTER (WHERE a.name = 'bank'), 0)::bigint AS insurance,
           coalesce(sum(l.amount) FILTER (WHERE a.name IN ('contractual', 'adjusted')), 0)::bigint
               AS contract,
           coalesce(sum(l.amount) FILTER (WHERE a.name = 'written-off'), 0)::bigint AS forgiven
    FROM billing.ledger_line l JOIN billing.account a ON a.number = l.account
    WHERE l.patient = $1 AND l.charge IS NOT NULL AND a.currency = $3 GROUP BY l.charge"""
# One statement, so that both numbers are of one moment.
_STANDING: LiteralString = """
    SELECT coalesce((SELECT b.amount FROM billing.balance b WHERE b.account = a.number), 0)
               AS balance,
           coalesce((SELECT max(e.seq) FROM billing.ledger_line l
                     JOIN billing.ledger_entry e ON e.id = l.entry
                     WHERE l.account = a.number), 0) AS seq
    FROM billing.account a WHERE a.name = $1 AND a.currency = $2"""
# Under FIFO a bill is paid when nothing but newer debts is left of the balance.
_MARK: LiteralString = """
    UPDATE billing.statement s SET status = t.status
    FROM (SELECT s.id, CASE WHEN $3::bigint <= coalesce((
                     SELECT sum(l.amount) FROM billing.ledger_line l
                     JOIN billing.ledger_entry e ON e.id = l.entry
                     JOIN billing.account a ON a.number = l.account
                     WHERE l.patient = $1 AND a.name = $2 AND e.seq > s.seq AND l.amount > 0
                       AND e.kind NOT IN ('refund', 'dispute')), 0)
                 THEN 'balanced' ELSE 'issued' END AS status
          FROM billing.statement s WHERE s.patient = $1 AND s.status <> 'cancelled') t
    WHERE s.id = t.id AND s.status <> t.status RETURNING s.id"""
_CONCERNED: LiteralString = """
    SELECT p FROM unnest($1::text[]) AS p
    WHERE EXISTS (SELECT FROM billing.statement s WHERE s.patient = p AND s.status <> 'cancelled')
       OR EXISTS (SELECT FROM billing.plan n WHERE n.patient = p AND n.status = 'active')
       OR EXISTS (SELECT FROM billing.work_item w
                  WHERE w.queue = 'unapplied' AND w.subject = p AND w.done IS NULL)
       OR EXISTS (SELECT FROM billing.account a JOIN billing.balance b ON b.account = a.number
                  WHERE a.name = 'patient/' || substr(p, 9) AND a.currency = $2 AND b.amount < 0)
    ORDER BY p"""
_OWING: LiteralString = """
    SELECT 'Patient/' || substr(a.name, 9) AS patient
    FROM billing.account a JOIN billing.balance b ON b.account = a.number
    WHERE a.name LIKE 'patient/%' AND a.currency = $1 AND b.amount > 0
      AND NOT EXISTS (SELECT FROM billing.statement s
                      WHERE s.patient = 'Patient/' || substr(a.name, 9) AND s.day > $2)
    ORDER BY a.number LIMIT $3"""


class Standing(NamedTuple):
    """What a patient owes, and the last ledger entry that says so."""

    balance: int
    seq: int


class Kept(NamedTuple):
    """A statement and its sealed lines."""

    statement: Statement
    sealed: bytes


async def standing(where: Database | Transaction, account: Account, currency: str) -> Standing:
    row = await where.fetchrow(_STANDING, account.name, currency)
    return Standing(row["balance"], row["seq"]) if row is not None else Standing(0, 0)


async def came(
    where: Database | Transaction, patient: str, account: Account, currency: str
) -> Mapping[UUID, Came]:
    rows = await where.fetch(_CAME, patient, account.name, currency)
    return {
        row["charge"]: Came(
            row["share"], row["waiting"], row["insurance"], row["contract"], row["forgiven"]
        )
        for row in rows
    }


async def concerned(tx: Transaction, patients: Sequence[str], currency: str) -> list[str]:
    """Those of whom something is kept that follows from their balance."""
    return [row["p"] for row in await tx.fetch(_CONCERNED, list(patients), currency)]


async def add(tx: Transaction, new: Statement, sealed: bytes) -> Statement:
    """With the number that it gets."""
    number = await tx.fetchval(
        _ADD, new.id, new.patient, new.day, new.due, new.total, new.currency, new.seq, sealed
    )
    return Statement(
        new.id, number, new.patient, new.day, new.due, new.total, new.currency, new.status, new.seq
    )


async def find(where: Database | Transaction, statement: UUID) -> Kept | None:
    row = await where.fetchrow(_FIND, statement)
    return _kept(row) if row is not None else None


async def of_patient(where: Database | Transaction, patient: str, limit: int) -> list[Kept]:
    """The newest first."""
    return [_kept(row) for row in await where.fetch(_OF_PATIENT, patient, limit)]


async def mark(tx: Transaction, patient: str, account: Account, balance: int) -> list[UUID]:
    """Bills that are paid now, or owed again; answers those that changed."""
    return [row["id"] for row in await tx.fetch(_MARK, patient, account.name, balance)]


async def owing(where: Database, currency: str, since: date, limit: int) -> list[str]:
    """Patients who owe and were sent no bill since that day."""
    return [row["patient"] for row in await where.fetch(_OWING, currency, since, limit)]


def _kept(row: Row) -> Kept:
    values = {name: value for name, value in row.items() if name != "sealed"}
    return Kept(Statement(**values), row["sealed"])

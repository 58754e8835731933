"""Payments, refunds, disputes and heard events as rows."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.services.billing.domain.cards import Dispute, Intent
from polyclinic.services.billing.domain.payments import Payment, Refund

_COLUMNS: LiteralString = (
    "id, patient, method, amount, currency, status, author, made, changed, refunded, disputed,"
    " statement, asked, intent, charge, failure"
)
_ALL: LiteralString = f"SELECT {_COLUMNS} FROM billing.payment"  # noqa: S608 (constants)
_FIND: LiteralString = _ALL + " WHERE id = $1"
_LOCK: LiteralString = _ALL + " WHERE id = $1 FOR UPDATE"
_OPEN: LiteralString = (
    _ALL + " WHERE patient = $1 AND method = 'card' AND status IN ('starting', 'requires_action')"
)
_OF_PATIENT: LiteralString = _ALL + " WHERE patient = $1 ORDER BY made DESC, id LIMIT $2"
_UNSETTLED: LiteralString = """
    SELECT id FROM billing.payment
    WHERE status IN ('starting', 'requires_action', 'processing') AND method = 'card'
      AND changed < $1 ORDER BY changed LIMIT $2"""
# What the ledger holds of each card payment and refund, as the gateway ought to hold it.
_POSTED: LiteralString = """
    SELECT e.source, e.at, sum(l.amount)::bigint AS amount
    FROM billing.ledger_entry e JOIN billing.ledger_line l ON l.entry = e.id
    JOIN billing.account a ON a.number = l.account
    WHERE a.name = 'card' AND e.kind IN ('payment', 'refund') AND e.at >= $1
    GROUP BY e.source, e.at"""
_ADD: LiteralString = """
    INSERT INTO billing.payment (id, patient, method, amount, currency, status, author, statement,
                                 asked, made, changed)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)"""
_SAVE: LiteralString = """
    UPDATE billing.payment SET status = $2, intent = coalesce($3, intent),
           charge = coalesce($4, charge), failure = $5, changed = now()
    WHERE id = $1"""
# The CHECK says the same; this way it is a sentence and no error.
_RESERVE: LiteralString = """
    UPDATE billing.payment SET refunded = refunded + $2
    WHERE id = $1 AND refunded + $2 <= amount RETURNING true"""
_ON_ITS_WAY: LiteralString = """
    SELECT coalesce(sum(amount), 0)::bigint FROM billing.payment
    WHERE patient = $1 AND status = 'processing'"""
_REFUND_COLUMNS: LiteralString = "id, payment, amount, status, reason, author, made, asked, gateway"
_REFUNDS: LiteralString = f"SELECT {_REFUND_COLUMNS} FROM billing.refund"  # noqa: S608 (constants)
_FIND_REFUND: LiteralString = _REFUNDS + " WHERE id = $1"
_LOCK_REFUND: LiteralString = _REFUNDS + " WHERE id = $1 FOR UPDATE"
_REFUNDS_OF: LiteralString = _REFUNDS + " WHERE payment = ANY ($1::uuid[]) ORDER BY made, id"
_UNSETTLED_REFUNDS: LiteralString = """
    SELECT id FROM billing.refund WHERE status IN ('starting', 'processing') AND changed < $1
    ORDER BY changed LIMIT $2"""
_ADD_REFUND: LiteralString = """
    INSERT INTO billing.refund (id, payment, amount, status, reason, author, made, asked)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"""
_SAVE_REFUND: LiteralString = """
    UPDATE billing.refund SET status = $2, gateway = coalesce($3, gateway), changed = now()
    WHERE id = $1"""
_SAVE_DISPUTE: LiteralString = """
    INSERT INTO billing.dispute (id, payment, amount, status) VALUES ($1, $2, $3, $4)
    ON CONFLICT (id) DO UPDATE SET status = excluded.status, changed = now()"""
_MARK_DISPUTED: LiteralString = """
    UPDATE billing.payment p SET disputed = EXISTS (
        SELECT FROM billing.dispute d WHERE d.payment = p.id AND d.status IN ('open', 'lost'))
    WHERE p.id = $1"""


@dataclass(frozen=True, slots=True)
class New:
    """A payment to be added."""

    id: UUID
    patient: str
    method: str
    amount: int
    currency: str
    status: str
    author: str
    statement: UUID | None
    asked: bytes | None
    made: datetime


async def hold_patient(tx: Transaction, patient: str) -> None:
    """One who starts a payment, a plan or a statement for this patient at a time."""
    query = "SELECT pg_advisory_xact_lock(hashtextextended('billing|' || $1, 0))"
    await tx.execute(query, patient)


async def add(tx: Transaction, new: New) -> None:
    await tx.execute(_ADD, *astuple(new))


async def find(where: Database | Transaction, payment: UUID) -> Payment | None:
    row = await where.fetchrow(_FIND, payment)
    return _payment(row) if row is not None else None


async def lock(tx: Transaction, payment: UUID) -> Payment | None:
    row = await tx.fetchrow(_LOCK, payment)
    return _payment(row) if row is not None else None


async def find_open(tx: Transaction, patient: str) -> Payment | None:
    """The card payment that waits for the person, if any: there is one at most."""
    row = await tx.fetchrow(_OPEN, patient)
    return _payment(row) if row is not None else None


async def of_patient(where: Database, patient: str, limit: int) -> list[Payment]:
    return [_payment(row) for row in await where.fetch(_OF_PATIENT, patient, limit)]


async def on_its_way(where: Database | Transaction, patient: str) -> int:
    """What was paid and has not arrived: bank debits take days."""
    return await where.fetchval(_ON_ITS_WAY, patient)


async def unsettled(where: Database, before: datetime, limit: int) -> list[UUID]:
    return [row["id"] for row in await where.fetch(_UNSETTLED, before, limit)]


async def posted_since(where: Database, since: datetime) -> list[Row]:
    """source, at, amount: what the ledger says came to and went from the cards' till."""
    return await where.fetch(_POSTED, since)


async def save(tx: Transaction, payment: UUID, status: str, intent: Intent | None) -> None:
    """`intent` None: the gateway never heard of it, or refused it."""
    told = (intent.id, intent.charge, intent.failure) if intent else (None, None, None)
    await tx.execute(_SAVE, payment, status, *told)


async def fail(tx: Transaction, payment: UUID, status: str, failure: str) -> None:
    await tx.execute(_SAVE, payment, status, None, None, failure)


async def reserve(tx: Transaction, payment: UUID, amount: int) -> bool:
    """Sets aside what is to be given back; False when it would be more than was paid."""
    return bool(await tx.fetchval(_RESERVE, payment, amount))


async def release(tx: Transaction, payment: UUID, amount: int) -> None:
    query = "UPDATE billing.payment SET refunded = refunded - $2 WHERE id = $1"
    await tx.execute(query, payment, amount)


async def add_refund(tx: Transaction, refund: Refund) -> None:
    await tx.execute(_ADD_REFUND, *astuple(refund)[:8])


async def find_refund(where: Database | Transaction, refund: UUID) -> Refund | None:
    row = await where.fetchrow(_FIND_REFUND, refund)
    return Refund(**row) if row is not None else None


async def lock_refund(tx: Transaction, refund: UUID) -> Refund | None:
    row = await tx.fetchrow(_LOCK_REFUND, refund)
    return Refund(**row) if row is not None else None


async def refunds_of(where: Database | Transaction, payments: Sequence[UUID]) -> list[Refund]:
    return [Refund(**row) for row in await where.fetch(_REFUNDS_OF, list(payments))]


async def unsettled_refunds(where: Database, before: datetime, limit: int) -> list[UUID]:
    return [row["id"] for row in await where.fetch(_UNSETTLED_REFUNDS, before, limit)]


async def save_refund(tx: Transaction, refund: UUID, status: str, gateway: str | None) -> None:
    await tx.execute(_SAVE_REFUND, refund, status, gateway)


async def dispute_status(tx: Transaction, dispute: str) -> str | None:
    return await tx.fetchval("SELECT status FROM billing.dispute WHERE id = $1", dispute)


async def save_dispute(tx: Transaction, payment: UUID, dispute: Dispute, status: str) -> None:
    await tx.execute(_SAVE_DISPUTE, dispute.id, payment, dispute.amount, status)
    await tx.execute(_MARK_DISPUTED, payment)


async def is_heard(where: Database, event: str) -> bool:
    query = "SELECT EXISTS (SELECT FROM billing.gateway_event WHERE id = $1)"
    return await where.fetchval(query, event)


async def hear(tx: Transaction, event: str) -> bool:
    """False when it was heard before."""
    query = (
        "INSERT INTO billing.gateway_event (id) VALUES ($1) ON CONFLICT DO NOTHING RETURNING true"
    )
    return bool(await tx.fetchval(query, event))


def _payment(row: Row) -> Payment:
    return Payment(**row)


async def touch(where: Database, payment: UUID) -> None:
    """It goes behind the others that are unsettled."""
    await where.execute("UPDATE billing.payment SET changed = now() WHERE id = $1", payment)


async def touch_refund(where: Database, refund: UUID) -> None:
    await where.execute("UPDATE billing.refund SET changed = now() WHERE id = $1", refund)


async def patient_of_statement(where: Database | Transaction, statement: UUID) -> str | None:
    query = "SELECT patient FROM billing.statement WHERE id = $1"
    return await where.fetchval(query, statement)

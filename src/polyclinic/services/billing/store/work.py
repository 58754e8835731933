"""Work items as rows: an item is open once for its queue and subject."""

from datetime import date
from typing import LiteralString
from uuid import UUID

from polyclinic.foundation import ids
from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.services.billing.domain.work import Item, Waiting

_OPEN: LiteralString = """
    INSERT INTO billing.work_item (id, queue, subject, patient, payer, amount, code, due)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[],
                         $6::bigint[], $7::text[], $8::date[])
    ON CONFLICT (queue, subject) WHERE done IS NULL DO NOTHING"""
_CLOSE: LiteralString = """
    UPDATE billing.work_item SET done = now(), done_by = $3, outcome = $4
    WHERE queue = $1 AND subject = $2 AND done IS NULL RETURNING true"""
_CLOSE_ONE: LiteralString = """
    UPDATE billing.work_item SET done = now(), done_by = $2, outcome = $3
    WHERE id = $1 AND done IS NULL RETURNING true"""
_LIST: LiteralString = """
    SELECT id, queue, subject, patient, payer, amount, code, owner, due, made
    FROM billing.work_item
    WHERE done IS NULL AND ($1::text IS NULL OR queue = $1) AND ($2::uuid IS NULL OR id > $2)
      AND ($4::text IS NULL OR owner = $4) AND ($5::text IS NULL OR subject = $5)
    ORDER BY id LIMIT $3"""
_COUNTS: LiteralString = """
    SELECT queue, count(*) AS items, sum(amount)::bigint AS amount, min(made) AS oldest
    FROM billing.work_item WHERE done IS NULL GROUP BY queue"""
# Somebody else's item is taken from them by no one but themselves.
_TAKE: LiteralString = """
    UPDATE billing.work_item SET owner = $2
    WHERE id = $1 AND done IS NULL AND (owner IS NULL OR owner = $2) RETURNING true"""
_RELEASE: LiteralString = """
    UPDATE billing.work_item SET owner = NULL WHERE id = $1 AND done IS NULL RETURNING true"""
_FIND: LiteralString = """
    SELECT id, queue, subject, patient, payer, amount, code, owner, due, made, done
    FROM billing.work_item WHERE id = $1"""
_DUE: LiteralString = """
    UPDATE billing.work_item SET due = $2 WHERE id = $1 AND done IS NULL RETURNING true"""


async def open_item(tx: Transaction, *items: Item) -> None:
    """Puts items into their queues; what is open there already stays as it is."""
    if not items:
        return
    items = tuple(sorted(items, key=lambda each: (each.queue, each.subject)))  # one lock order
    await tx.execute(
        _OPEN,
        [ids.new_uuid() for _ in items],
        [item.queue for item in items],
        [item.subject for item in items],
        [item.patient for item in items],
        [item.payer for item in items],
        [item.amount for item in items],
        [item.code for item in items],
        [item.due for item in items],
    )


async def close_item(tx: Transaction, queue: str, subject: str, by: str, outcome: str) -> bool:
    """Closes the open item; False when there is none."""
    return bool(await tx.fetchval(_CLOSE, queue, subject, by, outcome))


async def close_by_id(tx: Transaction, item: UUID, by: str, outcome: str) -> bool:
    return bool(await tx.fetchval(_CLOSE_ONE, item, by, outcome))


async def list_open(
    database: Database | Transaction,
    queue: str | None,
    after: UUID | None = None,
    limit: int = 50,
    *,
    owner: str | None = None,
    subject: str | None = None,
) -> list[Waiting]:
    """The oldest first, from the one after `after`."""
    rows = await database.fetch(_LIST, queue, after, limit, owner, subject)
    return [_waiting(row) for row in rows]


async def counts(database: Database) -> list[Row]:
    """queue, items, amount, oldest: of every queue in which something waits."""
    return await database.fetch(_COUNTS)


async def find(where: Database | Transaction, item: UUID) -> Waiting | None:
    """An item, open or done."""
    row = await where.fetchrow(_FIND, item)
    return None if row is None else _waiting(row)


async def take(tx: Transaction, item: UUID, owner: str) -> bool:
    return bool(await tx.fetchval(_TAKE, item, owner))


async def release(tx: Transaction, item: UUID) -> bool:
    return bool(await tx.fetchval(_RELEASE, item))


async def put_off(tx: Transaction, item: UUID, until: date) -> bool:
    return bool(await tx.fetchval(_DUE, item, until))


def _waiting(row: Row) -> Waiting:
    item = Item(
        row["queue"], row["subject"], row["patient"], row["payer"], row["amount"], row["code"],
        row["due"],
    )  # fmt: skip
    return Waiting(row["id"], item, row["owner"], row["made"])

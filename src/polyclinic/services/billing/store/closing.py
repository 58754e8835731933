"""Closed days: digests over the entries of all days up to each, chained and signed."""

import hashlib
from collections.abc import AsyncGenerator
from datetime import date
from typing import LiteralString, NamedTuple

from polyclinic.foundation.database import Database, Row, Transaction

# Entries of the days after the last close up to this one, in the order they were posted.
_ROWS: LiteralString = """
    SELECT e.seq, e.id, e.day, e.kind, e.source, e.author, e.reverses, e.reason,
           p.line, a.name, a.currency, p.amount, p.patient, p.claim, p.charge, p.what
    FROM billing.ledger_entry e JOIN billing.ledger_line p ON p.entry = e.id
    JOIN billing.account a ON a.number = p.account
    WHERE e.day <= $1 AND e.day > coalesce(
        (SELECT max(c.day) FROM billing.day_close c WHERE c.day < $1), '-infinity')
      AND (e.seq, p.line) > ($2, $3)
    ORDER BY e.seq, p.line LIMIT $4"""
PAGE = 5_000  # rows at a time: the first day that is closed may hold years
_ALL: LiteralString = """
    SELECT day, author, entries, debits, former, digest, signature FROM billing.day_close"""


class Closed(NamedTuple):
    """A closed day as it is kept."""

    day: date
    author: str
    entries: int
    debits: int
    former: bytes
    digest: bytes
    signature: bytes


class Counted(NamedTuple):
    """What a day comes to."""

    entries: int
    debits: int
    digest: bytes


async def hold_ledger(tx: Transaction) -> None:
    """Waits for entries that are on their way, and lets none begin until the commit."""
    await tx.execute("LOCK TABLE billing.ledger_entry IN SHARE MODE")


async def digest(where: Database | Transaction, day: date, former: bytes) -> Counted:
    """SHA-256 over the former digest and every posting since the day closed before."""
    whole, entries, debits = hashlib.sha256(former), set[int](), 0
    async for row in _rows(where, day):
        values = tuple(row.values())
        text = "\x1f".join("" if value is None else str(value) for value in values)
        whole.update(text.encode() + b"\x1e")
        entries.add(row["seq"])
        debits += max(row["amount"], 0)
    return Counted(len(entries), debits, whole.digest())


async def _rows(where: Database | Transaction, day: date) -> AsyncGenerator[Row, None]:
    after = (0, 0)
    while rows := await where.fetch(_ROWS, day, *after, PAGE):
        for row in rows:
            yield row
        after = (rows[-1]["seq"], rows[-1]["line"])


async def add(tx: Transaction, closed: Closed) -> None:
    await tx.execute(
        "INSERT INTO billing.day_close (day, author, entries, debits, former, digest, signature)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        *closed,
    )


async def last(where: Database | Transaction) -> Closed | None:
    row = await where.fetchrow(_ALL + " ORDER BY day DESC LIMIT 1")
    return Closed(*row) if row is not None else None


async def closed(where: Database | Transaction) -> list[Closed]:
    """Every closed day, the first one first."""
    return [Closed(*row) for row in await where.fetch(_ALL + " ORDER BY day")]

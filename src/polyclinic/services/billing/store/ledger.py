"""The ledger's rows: entries go in together, and nothing ever goes out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import LiteralString
from uuid import UUID

from polyclinic.foundation import ids
from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.services.billing.domain.ledger import Account, Entry

_NUMBERS: LiteralString = """
    SELECT name, number FROM billing.account WHERE name = ANY ($1::text[]) AND currency = $2"""
_OPEN: LiteralString = """
    INSERT INTO billing.account (name, kind, currency)
    SELECT name, kind, $3 FROM unnest($1::text[], $2::text[]) AS t(name, kind)
    ORDER BY name ON CONFLICT (name, currency) DO NOTHING"""
# The day after the last closed one at the earliest: whoever closes a day holds the table. A cause
# that is known, or an entry that was taken back before in another way, changes nothing.
_ADD: LiteralString = """
    INSERT INTO billing.ledger_entry (id, day, kind, source, author, reverses, reason)
    SELECT t.id, greatest($1::date, (SELECT max(day) + 1 FROM billing.day_close)),
           t.kind, t.source, t.author, t.reverses, t.reason
    FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::text[])
         WITH ORDINALITY AS t(id, kind, source, author, reverses, reason, n)
    ORDER BY t.source ON CONFLICT DO NOTHING RETURNING id"""
_POST: LiteralString = """
    INSERT INTO billing.ledger_line (entry, line, account, amount, patient, claim, charge, what)
    SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::bigint[], $4::bigint[], $5::text[],
                         $6::uuid[], $7::uuid[], $8::text[])"""
_LINES: LiteralString = """
    SELECT p.line, a.name AS account, a.kind, p.amount, p.patient, p.claim, p.charge, p.what
    FROM billing.ledger_line p JOIN billing.account a ON a.number = p.account
    WHERE p.entry = $1 ORDER BY p.line"""
_BALANCE: LiteralString = """
    SELECT coalesce((SELECT b.amount FROM billing.balance b
                     JOIN billing.account a ON a.number = b.account
                     WHERE a.name = $1 AND a.currency = $2), 0)"""
# A charge is posted before there is a claim for it: its lines name the charge alone.
_OF_CLAIM: LiteralString = """
    SELECT coalesce(sum(l.amount), 0)::bigint FROM (
        SELECT account, amount FROM billing.ledger_line WHERE claim = $2
        UNION ALL
        SELECT account, amount FROM billing.ledger_line
        WHERE claim IS NULL AND charge = ANY (ARRAY(
            SELECT c.charge FROM billing.claim_line c WHERE c.claim = $2))) l
    JOIN billing.account a ON a.number = l.account WHERE a.name = $1"""
_BY_CHARGE: LiteralString = """
    SELECT l.charge, sum(l.amount)::bigint AS amount FROM (
        SELECT account, charge, amount FROM billing.ledger_line WHERE claim = $2
        UNION ALL
        SELECT account, charge, amount FROM billing.ledger_line
        WHERE claim IS NULL AND charge = ANY (ARRAY(
            SELECT c.charge FROM billing.claim_line c WHERE c.claim = $2))) l
    JOIN billing.account a ON a.number = l.account
    LEFT JOIN billing.claim_line c ON c.claim = $2 AND c.charge = l.charge
    WHERE a.name = $1 GROUP BY l.charge, c.line HAVING sum(l.amount) > 0 ORDER BY c.line"""
_OF_CLAIMS: LiteralString = """
    SELECT l.claim, sum(l.amount)::bigint AS amount FROM (
        SELECT claim, account, amount FROM billing.ledger_line WHERE claim = ANY ($1)
        UNION ALL
        SELECT c.claim, p.account, p.amount FROM billing.claim_line c
        JOIN billing.ledger_line p ON p.charge = c.charge
        WHERE c.claim = ANY ($1) AND p.claim IS NULL) l
    JOIN billing.account a ON a.number = l.account
    WHERE a.name LIKE 'payer/%' GROUP BY l.claim"""
_WRONG: LiteralString = """
    SELECT a.name, a.currency, coalesce(b.amount, 0) AS kept, coalesce(s.amount, 0) AS counted
    FROM billing.account a
    LEFT JOIN billing.balance b ON b.account = a.number
    LEFT JOIN (SELECT account, sum(amount) AS amount FROM billing.ledger_line GROUP BY 1) s
           ON s.account = a.number
    WHERE coalesce(b.amount, 0) <> coalesce(s.amount, 0)"""
_UNBALANCED: LiteralString = """
    SELECT p.entry FROM billing.ledger_line p JOIN billing.account a ON a.number = p.account
    GROUP BY p.entry, a.currency HAVING sum(p.amount) <> 0"""


@dataclass(frozen=True, slots=True)
class Wrong:
    """An account whose maintained sum is not the sum of its postings."""

    account: str
    currency: str
    kept: int
    counted: int


async def post(tx: Transaction, day: date, entries: Sequence[Entry], currency: str) -> set[str]:
    """Posts entries and answers the sources that were new; known ones change nothing.

    One call a transaction: balances are locked in the order of their accounts. An entry without
    lines moves nothing and is left out.
    """
    numbered = [(ids.new_uuid(), entry) for entry in entries if entry.lines]
    if not numbered:
        return set()
    added = await tx.fetch(
        _ADD,
        day,
        [number for number, _ in numbered],
        [entry.kind for _, entry in numbered],
        [entry.source for _, entry in numbered],
        [entry.author for _, entry in numbered],
        [entry.reverses for _, entry in numbered],
        [entry.reason for _, entry in numbered],
    )
    new = {row["id"] for row in added}
    fresh = [(number, entry) for number, entry in numbered if number in new]
    if fresh:
        numbers = await _accounts(tx, [entry for _, entry in fresh], currency)
        await _post(tx, fresh, numbers)
    return {entry.source for _, entry in fresh}


async def _accounts(tx: Transaction, entries: Sequence[Entry], currency: str) -> Mapping[str, int]:
    named = {each.name: each for each in _named(entries)}
    rows = await tx.fetch(_NUMBERS, list(named), currency)
    if len(rows) < len(named):
        missing = named.keys() - {row["name"] for row in rows}
        await tx.execute(_OPEN, list(missing), [named[m].kind for m in missing], currency)
        rows = await tx.fetch(_NUMBERS, list(named), currency)
    return {row["name"]: row["number"] for row in rows}


def _named(entries: Sequence[Entry]) -> list[Account]:
    return [line.account for line in chain.from_iterable(entry.lines for entry in entries)]


async def _post(
    tx: Transaction, fresh: Sequence[tuple[UUID, Entry]], numbers: Mapping[str, int]
) -> None:
    rows = [
        (number, n, numbers[line.account.name], line.amount, line.patient, line.claim,
         line.charge, line.what)
        for number, entry in fresh
        for n, line in enumerate(entry.lines)
    ]  # fmt: skip
    await tx.execute(_POST, *(list(column) for column in zip(*rows, strict=True)))


async def balance(where: Database | Transaction, account: Account, currency: str) -> int:
    """The maintained sum; nothing for an account that nobody posted to."""
    return await where.fetchval(_BALANCE, account.name, currency)


async def left_of_claim(where: Database | Transaction, account: Account, claim: UUID) -> int:
    """What of a claim still lies on an account."""
    return await where.fetchval(_OF_CLAIM, account.name, claim)


async def left_by_charge(
    tx: Transaction, account: Account, claim: UUID
) -> list[tuple[UUID | None, int]]:
    """The charges of a claim of which something is left on an account, in the order of lines."""
    rows = await tx.fetch(_BY_CHARGE, account.name, claim)
    return [(row["charge"], row["amount"]) for row in rows]


async def left_of_claims(tx: Transaction, claims: Sequence[UUID]) -> Mapping[UUID, int]:
    """What of each claim is still open with its payer; below nothing: paid too much."""
    return {row["claim"]: row["amount"] for row in await tx.fetch(_OF_CLAIMS, list(claims))}


async def find(where: Database | Transaction, source: str) -> Row | None:
    """The entry of a cause: id, day, at, kind, author, reverses, reason."""
    return await where.fetchrow(
        "SELECT id, seq, day, at, kind, source, author, reverses, reason"
        " FROM billing.ledger_entry WHERE source = $1",
        source,
    )


async def is_reversed(where: Database | Transaction, entry: UUID) -> bool:
    """Whatever reversed it: a hand, or a charge that was taken back."""
    query = "SELECT EXISTS (SELECT FROM billing.ledger_entry WHERE reverses = $1)"
    return bool(await where.fetchval(query, entry))


async def kind_of(where: Database | Transaction, entry: UUID) -> str | None:
    return await where.fetchval("SELECT kind FROM billing.ledger_entry WHERE id = $1", entry)


async def lines(where: Database | Transaction, entry: UUID) -> list[Row]:
    return await where.fetch(_LINES, entry)


async def wrong_balances(database: Database) -> list[Wrong]:
    """Adds up every posting; anything found is a bug of ours or somebody's hand in the database."""
    return [Wrong(*row) for row in await database.fetch(_WRONG)]


async def unbalanced(database: Database) -> list[UUID]:
    return [row["entry"] for row in await database.fetch(_UNBALANCED)]

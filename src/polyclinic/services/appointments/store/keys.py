"""Idempotency keys: the answer that a repeated request gets."""

from collections.abc import Sequence
from typing import LiteralString, NamedTuple

from polyclinic.foundation.database import Database, Transaction
from polyclinic.services.appointments.domain.problems import KeyReused, StillRunning
from polyclinic.services.appointments.domain.values import Once, Stored

_REMEMBER: LiteralString = """
INSERT INTO appointments.idempotency (name, body, status, answer)
SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::smallint[], $4::bytea[]) AS t(name, b, s, a)
ORDER BY name ON CONFLICT (name) DO NOTHING RETURNING name"""
_ANSWER: LiteralString = """
UPDATE appointments.idempotency i SET status = t.status, answer = t.answer
FROM unnest($1::bytea[], $2::smallint[], $3::bytea[]) AS t(name, status, answer)
WHERE i.name = t.name"""


class Answered(NamedTuple):
    """A key as it is kept: what was asked, and the answer if there is one yet."""

    asked: bytes
    status: int | None
    body: bytes | None


async def find(where: Database | Transaction, names: Sequence[bytes]) -> dict[bytes, Answered]:
    """Answers given before; `checked` says whether one may be given again."""
    query = (
        "SELECT name, body, status, answer FROM appointments.idempotency"
        " WHERE name = ANY ($1::bytea[])"
    )
    rows = await where.fetch(query, list(names))
    return {row["name"]: Answered(row["body"], row["status"], row["answer"]) for row in rows}


async def claim(tx: Transaction, once: Once) -> Stored | None:
    """None when the key is new and now ours; else the first request's answer."""
    query = (
        "INSERT INTO appointments.idempotency (name, body) VALUES ($1, $2)"
        " ON CONFLICT (name) DO NOTHING RETURNING true"
    )
    if await tx.fetchval(query, once.name, once.body):
        return None
    found = await find(tx, [once.name])
    # Gone again between the two: the first request has just been undone.
    return checked(once, found.get(once.name))


async def remember(database: Database, given: Sequence[tuple[Once, Stored]]) -> set[bytes]:
    """Keeps answers that nothing else was changed by; answers the names that were new."""
    rows = await database.fetch(
        _REMEMBER,
        [once.name for once, _ in given],
        [once.body for once, _ in given],
        [stored.status for _, stored in given],
        [stored.body for _, stored in given],
    )
    return {row["name"] for row in rows}


async def answer(tx: Transaction, given: Sequence[tuple[Once, Stored]]) -> None:
    """Fills in the answers of keys claimed in this transaction."""
    if given:
        await tx.execute(
            _ANSWER,
            [once.name for once, _ in given],
            [stored.status for _, stored in given],
            [stored.body for _, stored in given],
        )


async def sweep(database: Database, hours: int) -> None:
    query = "DELETE FROM appointments.idempotency WHERE at < now() - make_interval(hours => $1)"
    await database.execute(query, hours)


def checked(once: Once, found: Answered | None) -> Stored:
    """The stored answer; raises KeyReused for another request, StillRunning while there is none."""
    if found is not None and found.asked != once.body:
        raise KeyReused(place="Idempotency-Key")
    if found is None or found.status is None:
        raise StillRunning
    return Stored(found.status, found.body or b"")

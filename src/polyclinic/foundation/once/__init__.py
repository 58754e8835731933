"""Idempotency keys: a request that is repeated gets the answer of the first, and has one effect.

The key, the deed and the answer are kept in one transaction or not at all. The same key with
another body is refused (KeyReused); while the first is on its way, StillRunning.
Mount `SCHEMA` to use it. What answers hold stands in the clear: ids, states and amounts only.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from hashlib import blake2b
from pathlib import Path
from typing import Any, LiteralString, NamedTuple

import asyncpg
import msgspec

from polyclinic.foundation.caller import Caller
from polyclinic.foundation.database import Database, Transaction
from polyclinic.foundation.errors import Conflict, Invalid, NotProcessable

SCHEMA = Path(__file__).parent / "schema"
KEY_MAX = 255
ATTEMPTS = 4
# Two who wait for each other are told apart by PostgreSQL; the one sent away tries again.
RACES = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)

_REMEMBER: LiteralString = """
INSERT INTO answered (name, body, status, answer)
SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::smallint[], $4::bytea[]) AS t(name, b, s, a)
ORDER BY name ON CONFLICT (name) DO NOTHING RETURNING name"""
_ANSWER: LiteralString = """
UPDATE answered i SET status = t.status, answer = t.answer
FROM unnest($1::bytea[], $2::smallint[], $3::bytea[]) AS t(name, status, answer)
WHERE i.name = t.name"""


class Once(NamedTuple):
    """A request that may be repeated: a hash of caller and key, and one of what was asked."""

    name: bytes
    body: bytes


class Stored(NamedTuple):
    """An answer as it went out and will go out again."""

    status: int
    body: bytes


class Answered(NamedTuple):
    """A key as it is kept: what was asked, and the answer if there is one yet."""

    asked: bytes
    status: int | None
    body: bytes | None


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a request that says all in its address."""


class StillRunning(Conflict):
    """The first request with this Idempotency-Key is still being carried out."""


class TooManyRaces(Conflict):
    """Others are changing the same thing; try again."""


class KeyReused(NotProcessable):
    """This Idempotency-Key came with another request before; use a new one."""


class KeyMissing(Invalid):
    """This request needs an Idempotency-Key header, so that repeating it is safe."""


Act = Callable[[Transaction], Awaitable[tuple[int, object]]]


def once_of(caller: Caller, key: str | None, what: str, asked: Any) -> Once | None:
    """None without a key. The key itself is kept nowhere: it may say anything."""
    if key is None:
        return None
    if not 1 <= len(key) <= KEY_MAX:
        raise Invalid(f"An Idempotency-Key has 1 to {KEY_MAX} characters.", place="Idempotency-Key")
    body = asked if isinstance(asked, bytes) else msgspec.json.encode(asked, order="deterministic")
    name = _hash(caller.subject.encode(), caller.client.encode(), key.encode())
    return Once(name, _hash(what.encode(), body))


def needed(once: Once | None) -> Once:
    if once is None:
        raise KeyMissing(place="Idempotency-Key")
    return once


async def carried(
    database: Database,
    once: Once | None,
    act: Act,
    turn: AbstractAsyncContextManager[Any] | None = None,
) -> Stored:
    """Does something once; `act` answers a status and what becomes the JSON body."""

    async def whole(tx: Transaction) -> Stored:
        if once is not None and (known := await claim(tx, once)) is not None:
            return known
        status, value = await act(tx)
        stored = Stored(status, msgspec.json.encode(value))
        if once is not None:
            await answer(tx, [(once, stored)])
        return stored

    for _ in range(ATTEMPTS):
        try:
            async with turn or nullcontext(), database.transaction() as tx:
                return await whole(tx)
        except RACES:
            continue
    raise TooManyRaces


async def find(where: Database | Transaction, names: Sequence[bytes]) -> dict[bytes, Answered]:
    """Answers given before; `checked` says whether one may be given again.

    They are locked, so that the commit waits for the standby: the first one's may have given up.
    """
    query = (
        "SELECT name, body, status, answer FROM answered"
        " WHERE name = ANY ($1::bytea[]) ORDER BY name FOR SHARE"
    )
    rows = await where.fetch(query, list(names))
    return {row["name"]: Answered(row["body"], row["status"], row["answer"]) for row in rows}


async def claim(tx: Transaction, once: Once) -> Stored | None:
    """None when the key is new and now ours; else the first request's answer."""
    query = (
        "INSERT INTO answered (name, body) VALUES ($1, $2)"
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
    query = "DELETE FROM answered WHERE at < now() - make_interval(hours => $1)"
    await database.execute(query, hours)


def checked(once: Once, found: Answered | None) -> Stored:
    """The stored answer; raises KeyReused for another request, StillRunning while there is none."""
    if found is not None and found.asked != once.body:
        raise KeyReused(place="Idempotency-Key")
    if found is None or found.status is None:
        raise StillRunning
    return Stored(found.status, found.body or b"")


def _hash(*parts: bytes) -> bytes:
    whole = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return blake2b(whole, digest_size=16).digest()

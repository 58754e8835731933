"""Whose turn it is: leases, places, and what became of what was worked on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction

# The oldest of its key only. A parked message keeps its turn: what follows it waits, others do not.
_CLAIM: LiteralString = """
WITH open AS (
    SELECT q.message FROM integration.queue q
    WHERE q.next <= now() AND (q.leased_until IS NULL OR q.leased_until < now())
      AND NOT EXISTS (
        SELECT FROM integration.turn m JOIN integration.turn e ON e.key = m.key AND e.seq < m.seq
        WHERE m.message = q.message)
    ORDER BY q.seq LIMIT $2 FOR UPDATE SKIP LOCKED
), leased AS (
    UPDATE integration.queue q
    SET lease = $1, leased_until = now() + make_interval(secs => $3)
    FROM open WHERE q.message = open.message RETURNING q.message
)
SELECT m.id, m.channel, m.tries, m.failures, m.sealed FROM leased l
JOIN integration.message m ON m.id = l.message ORDER BY m.seq"""
_RENEW: LiteralString = """
    UPDATE integration.queue SET leased_until = now() + make_interval(secs => $3)
    WHERE lease = $1 AND message = ANY ($2::uuid[])"""
# Whoever lost its lease meanwhile settles nothing: another worker has the message.
_SETTLE: LiteralString = """
WITH settled AS (
    SELECT t.*, m.keys FROM unnest(
        $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::float8[], $7::text[],
        $8::text[], $9::int[], $10::bytea[])
    AS t(message, lease, state, reason, problem, wait, patients, finds, version, sealed)
    JOIN integration.queue q ON q.message = t.message AND q.lease = t.lease
    JOIN integration.message m ON m.id = t.message
), said AS (
    UPDATE integration.message m
    SET state = s.state, reason = s.reason, problem = s.problem, tries = m.tries + 1,
        failures = CASE s.state WHEN 'failed' THEN m.failures + 1 ELSE 0 END,
        changed = now(),
        patients = ARRAY(SELECT DISTINCT unnest(m.patients || s.patients::text[])),
        finds = ARRAY(SELECT DISTINCT unnest(m.finds || s.finds::bigint[]))
    FROM settled s WHERE m.id = s.message
), again AS (
    UPDATE integration.queue q
    SET lease = NULL, leased_until = NULL, next = now() + make_interval(secs => s.wait)
    FROM settled s WHERE q.message = s.message AND s.state = 'failed'
), gone AS (
    DELETE FROM integration.queue q USING settled s
    WHERE q.message = s.message AND s.state <> 'failed'
), turns AS (
    DELETE FROM integration.turn t USING settled s
    WHERE t.message = s.message AND s.state NOT IN ('failed', 'parked')
), staged AS (
    INSERT INTO integration.stage (message, try, version, sealed)
    SELECT s.message, m.tries + 1, s.version, s.sealed
    FROM settled s JOIN integration.message m ON m.id = s.message WHERE s.sealed IS NOT NULL
    ON CONFLICT (message, try) DO NOTHING
), effects AS (
    INSERT INTO integration.effect (message, name, version, did)
    SELECT e.message, e.name, e.version, e.did
    FROM unnest($11::uuid[], $12::text[], $13::text[], $14::text[])
        AS e(message, name, version, did) JOIN settled s ON s.message = e.message
    ON CONFLICT (message, name, version) DO NOTHING
), woken AS (
    -- Something of the same patient was done: an order may be known now.
    UPDATE integration.message w SET state = 'received', failures = 0, changed = now()
    WHERE w.state = 'waiting' AND w.reason = ANY ($15::text[])
      AND w.id <> ALL ($1::uuid[])
      AND EXISTS (SELECT FROM settled s WHERE s.state = 'done' AND s.keys && w.keys)
    RETURNING w.id, coalesce(w.place, w.seq) AS seq, w.keys
), requeued AS (
    INSERT INTO integration.queue (message, seq) SELECT id, seq FROM woken
    ON CONFLICT (message) DO NOTHING
), returned AS (
    INSERT INTO integration.turn (key, seq, message)
    SELECT DISTINCT unnest(keys), seq, id FROM woken ON CONFLICT (key, seq) DO NOTHING
)
SELECT count(*), (SELECT count(*) FROM woken) AS woken FROM settled"""
_AGAIN: LiteralString = """
WITH again AS (
    UPDATE integration.message m
    SET state = 'received', reason = '', problem = '', failures = 0, changed = now()
    WHERE m.id = ANY ($1::uuid[]) AND m.state = ANY ($2::text[]) AND m.sealed IS NOT NULL
      AND NOT EXISTS (SELECT FROM integration.queue q
                      WHERE q.message = m.id AND q.leased_until > now())
    RETURNING m.id, coalesce(m.place, m.seq) AS seq, m.keys
), queued AS (
    INSERT INTO integration.queue (message, seq) SELECT id, seq FROM again
    ON CONFLICT (message) DO UPDATE SET next = now(), lease = NULL, leased_until = NULL
), turns AS (
    INSERT INTO integration.turn (key, seq, message)
    SELECT DISTINCT unnest(keys), seq, id FROM again ON CONFLICT (key, seq) DO NOTHING
)
SELECT id FROM again"""
_END: LiteralString = """
WITH ended AS (
    UPDATE integration.message m SET state = $2, reason = $4, changed = now()
    WHERE m.id = $1 AND m.state = ANY ($3::text[])
      AND NOT EXISTS (SELECT FROM integration.queue q
                      WHERE q.message = m.id AND q.leased_until > now())
    RETURNING m.id
), gone AS (
    DELETE FROM integration.queue q USING ended e WHERE q.message = e.id
), turns AS (
    DELETE FROM integration.turn t USING ended e WHERE t.message = e.id
)
SELECT true FROM ended"""
_NOTE: LiteralString = """
    INSERT INTO integration.message_event (message, kind, author, reason)
    SELECT m, $2, $3, $4 FROM unnest($1::uuid[]) AS m"""
_TAKE_PLACE: LiteralString = """
WITH placed AS (
    UPDATE integration.message c SET parent = p.id, place = coalesce(p.place, p.seq)
    FROM integration.message p WHERE c.id = $1 AND p.id = $2
    RETURNING c.id, c.place, c.keys
), queued AS (
    UPDATE integration.queue q SET seq = p.place FROM placed p WHERE q.message = p.id
), former AS (
    DELETE FROM integration.turn t USING placed p WHERE t.message IN (p.id, $2)
), answered AS (
    -- Whoever still waits for the application's word is told how the copy ends.
    UPDATE integration.second_answer s SET about = p.id FROM placed p
    WHERE s.about = $2 AND s.state = 'owed'
)
SELECT keys, place FROM placed"""
_TURNS: LiteralString = """
    INSERT INTO integration.turn (key, seq, message)
    SELECT DISTINCT unnest($1::bigint[]), $2::bigint, $3::uuid"""


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a message that was at work under a lease; `wait` counts for `failed` only."""

    message: UUID
    lease: UUID
    state: str
    reason: str = ""
    problem: str = ""
    wait: float = 0.0
    patients: tuple[str, ...] = ()
    finds: tuple[int, ...] = ()
    version: int = 0
    sealed: bytes | None = None
    effects: tuple[tuple[str, str, str], ...] = ()  # name, version, did


async def claim(database: Database, lease: UUID, limit: int, seconds: int) -> list[Row]:
    """Leases what is due, the oldest first: id, channel, tries, failures, sealed."""
    return await database.fetch(_CLAIM, lease, limit, seconds)


async def renew(database: Database, lease: UUID, messages: Sequence[UUID], seconds: int) -> None:
    await database.execute(_RENEW, lease, list(messages), seconds)


async def release(database: Database, lease: UUID) -> None:
    """Gives back what a worker that stops had not finished."""
    await database.execute(
        "UPDATE integration.queue SET lease = NULL, leased_until = NULL WHERE lease = $1", lease
    )


async def settle(
    database: Database, settled: Sequence[Settled], wakes: Sequence[str]
) -> tuple[int, int]:
    """How many leases still held, and how many messages are tried again: those that wait for one
    of the reasons `wakes` and are about a patient for whom something was done now."""
    columns = zip(
        *((s.message, s.lease, s.state, s.reason, s.problem, s.wait, _texts(s.patients),
           _numbers(s.finds), s.version, s.sealed) for s in settled),
        strict=True,
    )  # fmt: skip
    effects = [(s.message, *effect) for s in settled for effect in s.effects]
    row = await database.fetchrow(
        _SETTLE,
        *(list(column) for column in columns),
        *([each[n] for each in effects] for n in range(4)),
        list(wakes),
    )
    assert row is not None
    return row["count"], row["woken"]


async def again(tx: Transaction, messages: Sequence[UUID], states: Sequence[str]) -> set[UUID]:
    """Puts messages of these states back at their old place; the ids of those that could be."""
    return {row["id"] for row in await tx.fetch(_AGAIN, list(messages), list(states))}


async def end(
    tx: Transaction, message: UUID, state: str, of: Sequence[str], reason: str = ""
) -> bool:
    """Takes a message out of the queue for good; False when it is in none of these states."""
    return bool(await tx.fetchval(_END, message, state, list(of), reason))


async def note(
    tx: Transaction, messages: Sequence[UUID], kind: str, author: str, reason: str = ""
) -> None:
    """Keeps what a person did."""
    await tx.execute(_NOTE, list(messages), kind, author, reason)


async def take_place(tx: Transaction, copy: UUID, parent: UUID) -> None:
    """An edited copy stands where its parent stood, so what came later stays later."""
    placed = await tx.fetchrow(_TAKE_PLACE, copy, parent)
    assert placed is not None
    await tx.execute(_TURNS, placed["keys"], placed["place"], copy)


async def events_of(database: Database, message: UUID) -> list[Row]:
    query = (
        "SELECT at, kind, author, reason FROM integration.message_event"
        " WHERE message = $1 ORDER BY id"
    )
    return await database.fetch(query, message)


async def stages_of(database: Database, message: UUID) -> list[Row]:
    query = "SELECT try, at, version, sealed FROM integration.stage WHERE message = $1 ORDER BY try"
    return await database.fetch(query, message)


async def effects_of(database: Database, message: UUID) -> list[Row]:
    query = (
        "SELECT name, version, did, at FROM integration.effect WHERE message = $1 ORDER BY at, name"
    )
    return await database.fetch(query, message)


async def messages_behind(database: Database, name: str) -> list[UUID]:
    """The messages that made or changed a resource, the newest first."""
    query = "SELECT message FROM integration.effect WHERE name = $1 ORDER BY at DESC LIMIT 100"
    return [row["message"] for row in await database.fetch(query, name)]


def _texts(values: Sequence[str]) -> str:
    """Of references only: they hold nothing that an array would need quoted."""
    return "{" + ",".join(values) + "}"


def _numbers(values: Sequence[int]) -> str:
    return "{" + ",".join(map(str, values)) + "}"

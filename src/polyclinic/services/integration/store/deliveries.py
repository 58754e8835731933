"""Deliveries: who is told what, in which order, and how each attempt went.

A delivery stays `waiting` until its end is known. A taker that dies lets go by the clock alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Transaction
from polyclinic.services.integration.domain.telling import Said

# By receiver: the kind alone, or the kind about one type.
_TELL: LiteralString = """
    INSERT INTO integration.delivery (destination, event, source, kind, subject, at, data, key)
    SELECT t.id, e.event, e.source, e.kind, e.subject, e.at, e.data,
           CASE t.kind WHEN 'subscription' THEN '' ELSE e.key END
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::bytea[],
                $7::text[]) WITH ORDINALITY AS e(event, source, kind, subject, at, data, key, n)
    JOIN integration.destination t
      ON t.status = 'active' AND t.since <= e.at
     AND t.kinds && ARRAY[e.kind, e.kind || ':' || split_part(e.subject, '/', 1)]
    ORDER BY e.n
    ON CONFLICT (destination, event) DO NOTHING"""
_TELL_ONE: LiteralString = """
    INSERT INTO integration.delivery (destination, event, source, kind, subject, at, data, key)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id"""

# Receivers that something is due for and that are not resting.
_DUE: LiteralString = """
    SELECT t.id FROM integration.destination t
    WHERE t.status = 'active' AND t.rests_until <= now() AND t.id <> ALL ($1::uuid[])
      AND EXISTS (SELECT FROM integration.delivery d
                  WHERE d.destination = t.id AND d.state = 'waiting'
                    AND d.next_at <= now() AND d.taken_until <= now())
    ORDER BY t.rests_until LIMIT $2"""

# Of each key only the oldest; one that is being sent still counts as waiting.
_TAKE: LiteralString = """
    WITH open AS (
        SELECT d.id FROM integration.delivery d
        JOIN integration.destination t ON t.id = d.destination
        WHERE d.destination = $1 AND d.state = 'waiting'
          AND d.next_at <= now() AND d.taken_until <= now()
          AND t.status = 'active' AND t.rests_until <= now()
          AND NOT EXISTS (
              SELECT FROM integration.delivery e
              WHERE e.destination = d.destination AND e.key = d.key AND e.state = 'waiting'
                AND e.number < d.number)
        ORDER BY d.next_at, d.number
        LIMIT $2 FOR UPDATE OF d SKIP LOCKED)
    UPDATE integration.delivery d
    SET taker = $3, taken_until = now() + make_interval(secs => $4)
    FROM open WHERE d.id = open.id
    RETURNING d.id, d.number, d.destination, d.event, d.source, d.kind, d.subject, d.at, d.data,
              d.key, d.attempts, d.said"""
_END: LiteralString = """
    UPDATE integration.delivery
    SET state = $3, attempts = attempts + 1, ended = now(), taken_until = '-infinity', taker = NULL
    WHERE id = $1 AND taker = $2 AND state = 'waiting' RETURNING true"""
_AGAIN: LiteralString = """
    UPDATE integration.delivery
    SET attempts = attempts + $4, next_at = now() + make_interval(secs => $3),
        taken_until = '-infinity', taker = NULL
    WHERE id = $1 AND taker = $2 AND state = 'waiting' RETURNING true"""
_NOTE: LiteralString = """
    INSERT INTO integration.attempt (delivery, number, status, reason, ms)
    VALUES ($1, $2, $3, $4, $5)"""
# A receiver that was away for hours is back: what waits need not wait out its schedule.
_NOW: LiteralString = """
    UPDATE integration.delivery SET next_at = now()
    WHERE destination = $1 AND state = 'waiting' AND next_at > now()"""
_REPLAY: LiteralString = """
    UPDATE integration.delivery
    SET state = 'waiting', attempts = 0, next_at = now(), ended = NULL
    WHERE destination = $1 AND state = ANY ($2::text[])
      AND ($3::uuid IS NULL OR id = $3) AND at >= $4 AND at <= $5
    RETURNING id"""
_WOULD_REPLAY: LiteralString = """
    SELECT count(*) FROM integration.delivery
    WHERE destination = $1 AND state = ANY ($2::text[])
      AND ($3::uuid IS NULL OR id = $3) AND at >= $4 AND at <= $5"""
_LISTED: LiteralString = """
    SELECT id, number, event, source, kind, subject, at, state, attempts, next_at, ended
    FROM integration.delivery
    WHERE destination = $1 AND ($2::text = '' OR state = $2) AND number < $3
    ORDER BY number DESC LIMIT $4"""
_ATTEMPTS: LiteralString = """
    SELECT delivery, number, at, status, reason, ms FROM integration.attempt
    WHERE delivery = ANY ($1::uuid[]) ORDER BY at, number"""
_COUNTS: LiteralString = """
    SELECT destination, state, count(*) AS many FROM integration.delivery
    WHERE destination = ANY ($1::uuid[]) GROUP BY 1, 2"""
# What waits or is dead is kept until somebody decides.
_FORGET: LiteralString = """
    DELETE FROM integration.delivery
    WHERE state IN ('sent', 'skipped') AND ended < now() - make_interval(days => $1)"""

NUMBER_MAX = 2**62


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something that one receiver is to be told, taken by us."""

    id: UUID
    number: int
    destination: UUID
    told: Said
    attempts: int
    said: int | None


async def tell(tx: Transaction, events: Sequence[Said]) -> None:
    """Keeps events for everybody who is to be told of them."""
    columns = (
        [e.event for e in events], [e.source for e in events], [e.kind for e in events],
        [e.subject for e in events], [e.at for e in events], [e.data for e in events],
        [e.key for e in events],
    )  # fmt: skip
    await tx.execute(_TELL, *columns)


async def tell_one(where: Database | Transaction, destination: UUID, told: Said) -> UUID:
    """Keeps something for one receiver alone: a ping, a handshake, a heartbeat."""
    return await where.fetchval(
        _TELL_ONE, destination, told.event, told.source, told.kind, told.subject, told.at,
        told.data, told.key,
    )  # fmt: skip


async def due(database: Database, but: Sequence[UUID], most: int) -> list[UUID]:
    return [row["id"] for row in await database.fetch(_DUE, list(but), most)]


async def take(
    database: Database, destination: UUID, most: int, taker: UUID, seconds: float
) -> list[Delivery]:
    rows = await database.fetch(_TAKE, destination, most, taker, seconds)
    return sorted((_delivery(row) for row in rows), key=lambda each: each.number)


async def end(tx: Transaction, delivery: Delivery, taker: UUID, state: str) -> bool:
    """False when somebody else has taken it over meanwhile."""
    return bool(await tx.fetchval(_END, delivery.id, taker, state))


async def again(
    where: Database | Transaction, delivery: Delivery, taker: UUID, seconds: float, *, counts: bool
) -> bool:
    return bool(await where.fetchval(_AGAIN, delivery.id, taker, seconds, int(counts)))


async def note(tx: Transaction, delivery: Delivery, said: tuple[int, str], ms: int) -> None:
    """One line of the log; `said` is the status and our own word for what happened."""
    await tx.execute(_NOTE, delivery.id, delivery.attempts + 1, *said, ms)


async def all_now(tx: Transaction, destination: UUID) -> None:
    await tx.execute(_NOW, destination)


async def replay(
    where: Database | Transaction,
    destination: UUID,
    states: Sequence[str],
    one: UUID | None,
    between: tuple[datetime, datetime],
) -> int:
    return len(await where.fetch(_REPLAY, destination, list(states), one, *between))


async def would_replay(
    where: Database, destination: UUID, states: Sequence[str], between: tuple[datetime, datetime]
) -> int:
    return await where.fetchval(_WOULD_REPLAY, destination, list(states), None, *between)


async def listed(
    where: Database, destination: UUID, state: str, before: int, most: int
) -> list[dict[str, Any]]:
    """Newest first, each with its attempts."""
    rows = [dict(row) for row in await where.fetch(_LISTED, destination, state, before, most)]
    found = {row["id"]: row for row in rows}
    for row in rows:
        row["tried"] = []
    for row in await where.fetch(_ATTEMPTS, list(found)):
        line = dict(row)
        found[line.pop("delivery")]["tried"].append(line)
    return rows


async def counts(where: Database, destinations: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    found: dict[UUID, dict[str, int]] = {each: {} for each in destinations}
    for row in await where.fetch(_COUNTS, list(destinations)):
        found[row["destination"]][row["state"]] = row["many"]
    return found


async def forget(database: Database, days: int) -> None:
    await database.execute(_FORGET, days)


def _delivery(row: Any) -> Delivery:
    told = Said(
        row["event"], row["source"], row["kind"], row["subject"], row["at"], row["data"], row["key"]
    )
    return Delivery(
        row["id"], row["number"], row["destination"], told, row["attempts"], row["said"]
    )

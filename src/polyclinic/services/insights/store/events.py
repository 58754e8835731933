"""De-identified events: put by the resource that said them, read by subject, counted by code."""

from collections.abc import Sequence
from datetime import timedelta

from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.services.insights.domain.events import Event


async def generation(tx: Transaction) -> int:
    """The generation of names in use."""
    return await tx.fetchval("SELECT max(number) FROM insights.generation")


async def add_generation(tx: Transaction, author: str) -> int:
    """Begins a new one; whoever is read again from now on gets a new name."""
    return await tx.fetchval(
        "INSERT INTO insights.generation (number, author)"
        " SELECT max(number) + 1, $1 FROM insights.generation RETURNING number",
        author,
    )


async def rename(tx: Transaction, old: bytes, new: bytes, moved: timedelta, number: int) -> None:
    """Events of an older generation under their new name, at their new times."""
    await tx.execute(
        "UPDATE insights.event SET subject = $2, generation = $4, time = time + $3,"
        " known_at = known_at + $3 WHERE subject = $1",
        old,
        new,
        moved,
        number,
    )


async def lock_subject(tx: Transaction, subject: bytes) -> None:
    """Two who read the same chart put its events one after the other."""
    await tx.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(encode($1, 'hex'), 1))", subject
    )


async def list_of_sources(tx: Transaction, sources: Sequence[bytes]) -> list[Row]:
    """What these resources said so far."""
    return await tx.fetch(
        "SELECT subject, time, known_at, code, numeric_value AS value, unit, source"
        " FROM insights.event WHERE source = ANY ($1::bytea[])",
        list(sources),
    )


async def remove_sources(tx: Transaction, sources: Sequence[bytes]) -> None:
    """What these resources said, of whatever generation."""
    await tx.execute("DELETE FROM insights.event WHERE source = ANY ($1::bytea[])", list(sources))


async def remove_subjects(tx: Transaction, subjects: Sequence[bytes]) -> int:
    """All that is known of somebody under these names; how many events it was."""
    done = await tx.execute(
        "DELETE FROM insights.event WHERE subject = ANY ($1::bytea[])", list(subjects)
    )
    return int(done.rpartition(" ")[2])


async def add_events(tx: Transaction, number: int, events: Sequence[Event]) -> None:
    await tx.execute(
        "INSERT INTO insights.event"
        " (generation, subject, source, time, known_at, code, numeric_value, unit)"
        " SELECT $1, t.* FROM unnest($2::bytea[], $3::bytea[], $4::timestamptz[],"
        " $5::timestamptz[], $6::text[], $7::float8[], $8::text[])"
        " AS t(subject, source, time, known_at, code, value, unit)",
        number,
        [each.subject for each in events],
        [each.source for each in events],
        [each.time for each in events],
        [each.known_at for each in events],
        [each.code for each in events],
        [each.value for each in events],
        [each.unit for each in events],
    )


async def list_events(database: Database, after: bytes, limit: int) -> list[Row]:
    """The events of the next subjects in the order of their names: up to `limit` subjects."""
    return await database.fetch(
        "SELECT subject, time, known_at, code, numeric_value, unit FROM insights.event"
        " WHERE subject IN (SELECT DISTINCT subject FROM insights.event WHERE subject > $1"
        " ORDER BY subject LIMIT $2) ORDER BY subject, time",
        after,
        limit,
    )


async def count_subjects(database: Database, least: int, limit: int) -> list[Row]:
    """code, people: of how many something of this code is known, from `least` people on."""
    return await database.fetch(
        "SELECT code, count(DISTINCT subject) AS people FROM insights.event"
        " GROUP BY code HAVING count(DISTINCT subject) >= $1 ORDER BY 2 DESC, 1 LIMIT $2",
        least,
        limit,
    )

"""Who cares for whom, as far as integration knows: it decides who may read a message."""

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString, NamedTuple

from polyclinic.foundation.database import Database, Transaction

# An old event that is heard late does not open again what was closed after it.
_SAVE: LiteralString = """
    INSERT INTO integration.relation (practitioner, patient, source, since, until)
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT (practitioner, patient, source)
    DO UPDATE SET since = coalesce(excluded.since, relation.since), until = excluded.until
    WHERE relation.until IS NULL OR excluded.since IS NULL OR excluded.since >= relation.until"""


class Relation(NamedTuple):
    """What one appointment opens to its clinician (`since`) or closes (`until`)."""

    practitioner: int
    patient: int
    source: bytes
    since: datetime | None
    until: datetime | None


async def save(tx: Transaction, relations: Sequence[Relation]) -> None:
    """In this order; the same again changes nothing."""
    await tx.executemany(_SAVE, relations)


async def cared_for(database: Database, practitioner: int, patients: Sequence[int]) -> set[int]:
    """Of these patients those whom the practitioner cares for now."""
    query = (
        "SELECT DISTINCT patient FROM integration.relation"
        " WHERE practitioner = $1 AND patient = ANY ($2::bigint[])"
        " AND coalesce(since, '-infinity') <= now() AND coalesce(until, 'infinity') > now()"
    )
    rows = await database.fetch(query, practitioner, list(patients))
    return {row["patient"] for row in rows}

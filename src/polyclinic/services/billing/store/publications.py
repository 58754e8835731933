"""Documents that records is to have, and how far it has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

from polyclinic.foundation.database import Database, Row, Transaction

_ADD: LiteralString = """
    INSERT INTO billing.publication (kind, id, patient, sealed)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[])
    ON CONFLICT (kind, id) DO UPDATE SET sealed = excluded.sealed,
        version = publication.version + 1, next = now(), tries = 0"""


@dataclass(frozen=True, slots=True)
class Publication:
    """A document, sealed under its patient's key."""

    kind: str
    id: str
    patient: str
    sealed: bytes


async def add(tx: Transaction, several: Sequence[Publication]) -> None:
    await tx.execute(
        _ADD,
        [each.kind for each in several],
        [each.id for each in several],
        [each.patient for each in several],
        [each.sealed for each in several],
    )


async def waiting(database: Database, limit: int = 50) -> list[Row]:
    """kind, id, patient, version, sealed, tries: what records does not have yet."""
    return await database.fetch(
        "SELECT kind, id, patient, version, sealed, tries FROM billing.publication"
        " WHERE told < version AND next <= now() ORDER BY next LIMIT $1",
        limit,
    )


async def told(database: Database, kind: str, name: str, version: int) -> None:
    query = (
        "UPDATE billing.publication SET told = greatest(told, $3), tries = 0"
        " WHERE kind = $1 AND id = $2"
    )
    await database.execute(query, kind, name, version)


async def later(database: Database, kind: str, name: str, seconds: int) -> None:
    query = (
        "UPDATE billing.publication SET tries = tries + 1,"
        " next = now() + make_interval(secs => $3) WHERE kind = $1 AND id = $2"
    )
    await database.execute(query, kind, name, seconds)

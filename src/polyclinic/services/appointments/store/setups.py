"""Set-ups, and the numbers of clinicians and rooms."""

from collections.abc import Sequence
from typing import NamedTuple

from polyclinic.foundation.database import Database, Transaction


class KeptSetup(NamedTuple):
    """The newest set-up and everything that ever got a number."""

    version: int
    document: bytes
    clinicians: dict[str, int]
    rooms: dict[str, int]


async def newest_version(database: Database) -> int:
    query = "SELECT coalesce(max(version), 0) FROM appointments.setup"
    return await database.fetchval(query)


async def load(database: Database) -> KeptSetup:
    query = "SELECT version, document FROM appointments.setup ORDER BY version DESC LIMIT 1"
    row = await database.fetchrow(query)
    # Numbers are given before a set-up is kept, so those that it needs are there.
    rows = await database.fetch("SELECT number, kind, name FROM appointments.bookable")
    numbers: dict[str, dict[str, int]] = {"clinician": {}, "room": {}}
    for each in rows:
        numbers[each["kind"]][each["name"]] = each["number"]
    version, document = (row["version"], row["document"]) if row else (0, b"{}")
    return KeptSetup(version, document, numbers["clinician"], numbers["room"])


async def lock_newest(tx: Transaction) -> int:
    """The version that the next one follows; one set-up is kept at a time."""
    await tx.execute("LOCK TABLE appointments.setup IN SHARE ROW EXCLUSIVE MODE")
    return await tx.fetchval("SELECT coalesce(max(version), 0) FROM appointments.setup")


async def add(tx: Transaction, version: int, author: str, document: bytes) -> None:
    query = "INSERT INTO appointments.setup (version, author, document) VALUES ($1, $2, $3)"
    await tx.execute(query, version, author, document)


async def number(tx: Transaction, kind: str, names: Sequence[str]) -> None:
    """Gives every name of a kind a number, for ever."""
    query = (
        "INSERT INTO appointments.bookable (kind, name)"
        " SELECT $1, n FROM unnest($2::text[]) AS t(n)"
        " WHERE NOT EXISTS (SELECT FROM appointments.bookable b WHERE b.kind = $1 AND b.name = n)"
        " ON CONFLICT (kind, name) DO NOTHING"
    )
    await tx.execute(query, kind, list(names))

"""The import ledger, and the care relations that Grants rest on."""

from collections.abc import Sequence
from dataclasses import dataclass

from polyclinic.foundation.database import Database, Transaction


@dataclass(frozen=True, slots=True)
class Imported:
    """How many resources of a unit were kept, and its sealed refusals if there were any."""

    resources: int
    refused: bytes | None


async def find_import(database: Database, content_hash: bytes) -> Imported | None:
    """What is known of a unit that was imported before."""
    query = "SELECT resources, refused FROM records.import_ledger WHERE hash = $1"
    row = await database.fetchrow(query, content_hash)
    return None if row is None else Imported(row["resources"], row["refused"])


async def add_import(tx: Transaction, content_hash: bytes, imported: Imported) -> bool:
    """False when somebody else has imported the same unit meanwhile."""
    query = (
        "INSERT INTO records.import_ledger (hash, resources, refused) VALUES ($1, $2, $3)"
        " ON CONFLICT (hash) DO NOTHING RETURNING true"
    )
    values = (content_hash, imported.resources, imported.refused)
    return bool(await tx.fetchval(query, *values))


async def save_relations(tx: Transaction, rows: Sequence[tuple[object, ...]]) -> None:
    """Rows of practitioner, patient, source, since, until; the same again changes nothing."""
    query = (
        "INSERT INTO records.relation (practitioner, patient, source, since, until)"
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (practitioner, patient, source)"
        " DO UPDATE SET since = coalesce(excluded.since, relation.since), until = excluded.until"
        # An old event that is heard late does not open again what was closed after it.
        " WHERE relation.until IS NULL OR excluded.since IS NULL"
        " OR excluded.since >= relation.until"
    )
    await tx.executemany(query, rows)

"""The import ledger, and the care relations that Grants rest on."""

from collections.abc import Sequence

from polyclinic.foundation.database import Database, Transaction


async def find_import(database: Database, content_hash: bytes) -> int | None:
    """How many resources a unit held that was imported before."""
    query = "SELECT resources FROM records.import_ledger WHERE hash = $1"
    return await database.fetchval(query, content_hash)


async def add_import(tx: Transaction, content_hash: bytes, resources: int) -> bool:
    """False when somebody else has imported the same unit meanwhile."""
    query = (
        "INSERT INTO records.import_ledger (hash, resources) VALUES ($1, $2)"
        " ON CONFLICT (hash) DO NOTHING RETURNING true"
    )
    return bool(await tx.fetchval(query, content_hash, resources))


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

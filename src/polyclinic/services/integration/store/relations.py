"""Who cares for whom, as far as integration knows: it decides who may read a message."""

from collections.abc import Sequence

from polyclinic.foundation.database import Database


async def cared_for(database: Database, practitioner: int, patients: Sequence[int]) -> set[int]:
    """Of these patients those whom the practitioner cares for now."""
    query = (
        "SELECT DISTINCT patient FROM integration.relation"
        " WHERE practitioner = $1 AND patient = ANY ($2::bigint[])"
        " AND coalesce(since, '-infinity') <= now() AND coalesce(until, 'infinity') > now()"
    )
    rows = await database.fetch(query, practitioner, list(patients))
    return {row["patient"] for row in rows}

"""How common a term is, roughly: what the choice of a path rests on.

The terms are opaque, so PostgreSQL's own statistics know the few commonest at best; we keep a
table of those that are not rare, made from a sample of rows (decisions/0007).
"""

from typing import LiteralString

from polyclinic.foundation.database import Database

RARE_MAX = 3000  # up to so many rows, reading and sorting all of them costs little
_SAMPLE_ROWS = 20_000

_SIZE: LiteralString = (
    "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'resource'::regclass"
)
_COUNT: LiteralString = """
    INSERT INTO term_frequency (term, count)
    SELECT t.term, (count(*) * 100 / $1::float8)::bigint
    FROM resource TABLESAMPLE SYSTEM ($1), unnest(terms) AS t(term)
    GROUP BY t.term HAVING count(*) * 100 / $1::float8 > $2
    ON CONFLICT (term) DO UPDATE SET count = excluded.count"""


class Frequencies:
    """The counts of common terms, in memory; a term that is not here is rare."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counts: dict[int, int] = {}

    def of(self, terms: tuple[int, ...]) -> int:
        """An estimate of how many resources have one of these terms."""
        return sum(self._counts.get(term, 0) for term in terms)

    async def load(self) -> None:
        rows = await self._database.fetch("SELECT term, count FROM term_frequency")
        self._counts = {row["term"]: row["count"] for row in rows}

    async def measure(self) -> None:
        """Counts anew from a sample, and forgets what is no longer common."""
        size = await self._database.fetchval(_SIZE)
        percent = min(100.0, 100.0 * _SAMPLE_ROWS / max(size, 1))
        async with self._database.transaction() as tx:
            await tx.execute("DELETE FROM term_frequency")
            await tx.execute(_COUNT, percent, RARE_MAX / 2)
        await self.load()

"""The access log of what searches show: durable before the answer leaves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.store.rows import who
from polyclinic.foundation.batching import Lane
from polyclinic.foundation.database import Database
from polyclinic.foundation.errors import Problem
from polyclinic.foundation.telemetry import Metrics

RELEASED: LiteralString = """
INSERT INTO access_log (request, patient, count, type, action, outcome, actor, client, id)
SELECT * FROM unnest($4::uuid[], $1::bigint[], $2::int[], $3::smallint[], $7::"char"[],
                     $8::smallint[], $5::text[], $6::text[], $9::text[])
"""

MONTHS: LiteralString = (
    "SELECT keep_log_month(current_date), keep_log_month((current_date + interval '1 month')::date)"
)


@dataclass(frozen=True, slots=True)
class Released:
    """How much of one patient's chart (or of a directory: None) one request shows."""

    errand: Errand
    patient: int | None
    type: int
    count: int
    action: str = "s"
    outcome: int = 0
    id: str | None = None


class LogLane:
    """Rows of many requests go into the log in one statement."""

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._lane: Lane[Sequence[Released], None] = Lane("log", self._keep, metrics)

    async def released(self, entries: Sequence[Released]) -> None:
        if entries:
            await self._lane.ask(entries)

    async def keep_months(self) -> None:
        """Makes the partitions of this month and the next, if they are missing."""
        await self._database.execute(MONTHS)

    async def _keep(self, batches: list[Sequence[Released]]) -> Sequence[Problem | None]:
        rows = [entry for batch in batches for entry in batch]
        await self._database.execute(RELEASED, *columns(rows))
        return [None] * len(batches)


def columns(rows: Sequence[Released]) -> tuple[list[Any], ...]:
    """The values of `RELEASED`, for a transaction that logs what it does itself."""
    return (
        [row.patient for row in rows],
        [row.count for row in rows],
        [row.type for row in rows],
        *who(row.errand for row in rows),
        [row.action.encode() for row in rows],
        [row.outcome for row in rows],
        [row.id for row in rows],
    )

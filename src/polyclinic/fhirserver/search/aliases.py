"""Searches about one record of a person find what lies in the other records, too."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from polyclinic.fhirserver.search.asks import Ask, Criterion, Query, ReferenceAsk
from polyclinic.fhirserver.store import merging
from polyclinic.foundation.database import Database

# What access allows is decided in each statement; here it is only about what else to ask for.
FRESH_SECONDS = 5.0


class Aliases:
    """Who stands for whom: a copy of a small table, at most `FRESH_SECONDS` old."""

    def __init__(self, database: Database, now: Callable[[], float] = time.monotonic) -> None:
        self._database, self._now = database, now
        self._until = 0.0
        self._others: Mapping[str, tuple[str, ...]] = {}
        self._numbers: frozenset[int] = frozenset()

    async def fresh(self) -> None:
        """Reads the table again when it is time to."""
        if self._now() < self._until:
            return
        self._until = self._now() + FRESH_SECONDS
        rows = await merging.aliases(self._database)
        others: dict[str, tuple[str, ...]] = {}
        for row in sorted(rows, key=lambda row: (row.id, row.other)):
            others[row.id] = (*others.get(row.id, ()), row.other)
        self._others, self._numbers = others, frozenset(row.patient for row in rows)

    def forget(self) -> None:
        """A merge was made or taken back: the next search reads the table."""
        self._until = 0.0

    def of(self, patient: str) -> tuple[str, ...]:
        """The ids of the other records of the same person."""
        return self._others.get(patient, ())

    def has(self, number: int) -> bool:
        """Whether the person of this number has other records."""
        return number in self._numbers

    def widened(self, query: Query) -> Query:
        """The same query about all records of each patient that it names."""
        if not self._others or query.type == "Patient":
            return query
        return replace(query, criteria=tuple(self._criterion(c) for c in query.criteria))

    def _criterion(self, criterion: Criterion) -> Criterion:
        more = [
            ReferenceAsk(("Patient",), other, None)
            for ask in criterion.asks
            for other in self._meant(ask)
        ]
        return replace(criterion, asks=(*criterion.asks, *more)) if more else criterion

    def _meant(self, ask: Ask) -> tuple[str, ...]:
        if isinstance(ask, ReferenceAsk) and ask.id is not None and "Patient" in ask.types:
            return self.of(ask.id)
        return ()

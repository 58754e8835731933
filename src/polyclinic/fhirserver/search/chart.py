"""The chart lane: pages of one patient's resources of one type, many askers in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from polyclinic.fhirserver.access import ACCESS, Grant
from polyclinic.fhirserver.search.plan import COLUMNS
from polyclinic.fhirserver.store.rows import GRANTS, Columns, array
from polyclinic.foundation.batching import Lane
from polyclinic.foundation.database import Database
from polyclinic.foundation.errors import Problem
from polyclinic.foundation.telemetry import Metrics

_ASKED: LiteralString = """
asked AS MATERIALIZED (
    SELECT n, gn, patient, type, chart, one, two, rest::bigint[] AS rest, at, pid, most
    FROM unnest($8::int[], $9::int[], $10::bigint[], $11::smallint[], $12::bigint[],
                $13::bigint[], $14::bigint[], $15::text[], $16::timestamptz[], $17::bigint[],
                $18::int[])
         AS t(n, gn, patient, type, chart, one, two, rest, at, pid, most))"""
# `= ANY` looks through an array in place; `@>` takes it apart first, for each row of the chart.
_MATCHES: LiteralString = f"""
    r.envelope IS NOT NULL AND (a.one IS NULL OR a.one = ANY (r.terms))
    AND (a.two IS NULL OR a.two = ANY (r.terms)) AND (a.rest = '{{}}' OR r.terms @> a.rest)
    AND {ACCESS}"""

BY_DATE: LiteralString = f"""
WITH {GRANTS}, {_ASKED}
SELECT a.n, x.* FROM asked a JOIN g ON g.gn = a.gn CROSS JOIN LATERAL (
    (SELECT {COLUMNS} r.at AS key FROM resource r
     WHERE r.patient = a.patient AND r.type = a.type AND (r.at, r.pid) < (a.at, a.pid)
       AND {_MATCHES}
     ORDER BY r.at DESC, r.pid DESC LIMIT a.most)
    UNION ALL
    (SELECT {COLUMNS} r.at AS key FROM posting p JOIN resource r ON r.pid = p.pid
     WHERE p.term = a.chart AND (r.at, r.pid) < (a.at, a.pid) AND {_MATCHES}
     ORDER BY r.at DESC, r.pid DESC LIMIT a.most)) x
"""

BY_ROW: LiteralString = f"""
WITH {GRANTS}, {_ASKED}
SELECT a.n, x.* FROM asked a JOIN g ON g.gn = a.gn CROSS JOIN LATERAL (
    (SELECT {COLUMNS} r.at AS key FROM resource r
     WHERE r.patient = a.patient AND r.type = a.type AND r.pid < a.pid
       AND {_MATCHES} AND a.at IS NOT NULL
     ORDER BY r.pid DESC LIMIT a.most)
    UNION ALL
    (SELECT {COLUMNS} r.at AS key FROM posting p JOIN resource r ON r.pid = p.pid
     WHERE p.term = a.chart AND p.pid < a.pid AND {_MATCHES}
     ORDER BY p.pid DESC LIMIT a.most)) x
"""


@dataclass(frozen=True, slots=True)
class ChartAsk:
    """One page: below (`at`, `pid`), newest first, of rows that have all the terms."""

    grant: Grant
    patient: int
    type: int
    chart: int
    terms: tuple[int, ...]
    at: datetime
    pid: int
    most: int
    by_date: bool


class Charts:
    """Two lanes, one for each order."""

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._by_date: Lane[ChartAsk, list[Any]] = Lane("chart by date", self._dates, metrics)
        self._by_row: Lane[ChartAsk, list[Any]] = Lane("chart", self._rows, metrics)

    async def page(self, ask: ChartAsk) -> list[Any]:
        return await (self._by_date if ask.by_date else self._by_row).ask(ask)

    async def _dates(self, asks: list[ChartAsk]) -> Sequence[list[Any] | Problem]:
        return _pages(asks, await self._database.fetch(BY_DATE, *_values(asks)))

    async def _rows(self, asks: list[ChartAsk]) -> Sequence[list[Any] | Problem]:
        return _pages(asks, await self._database.fetch(BY_ROW, *_values(asks)))


def _values(asks: list[ChartAsk]) -> list[object]:
    grants = Columns()
    numbers = [grants.number(ask.grant) for ask in asks]
    return [
        *grants.values(),
        list(range(len(asks))),
        numbers,
        [ask.patient for ask in asks],
        [ask.type for ask in asks],
        [ask.chart for ask in asks],
        [ask.terms[0] if ask.terms else None for ask in asks],
        [ask.terms[1] if len(ask.terms) > 1 else None for ask in asks],
        [array(ask.terms[2:]) for ask in asks],
        [ask.at for ask in asks],
        [ask.pid for ask in asks],
        [ask.most for ask in asks],
    ]


def _pages(asks: list[ChartAsk], rows: list[Any]) -> list[list[Any]]:
    pages: list[list[Any]] = [[] for _ in asks]
    for row in rows:
        pages[row["n"]].append(row)
    for ask, page in zip(asks, pages, strict=True):
        # A resource in several charts may come by both ways.
        found = {row["pid"]: row for row in page}
        order = "key" if ask.by_date else "pid"
        page[:] = sorted(found.values(), key=lambda r: (r[order], r["pid"]), reverse=True)
        del page[ask.most :]
    return pages

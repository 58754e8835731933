"""What the access log costs: the same server in turns with and without the log's rows written.

No setting switches the log off, and none should. For the blocks without it a trigger in the bench's
own database keeps its rows away: the statement is the same, and nothing is written or synced.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import storage
from bench.load import Load, Pressure, drive, save_job
from bench.platform import Platform
from bench.server import Server

CONNECTIONS = 64
_PREPARE = """
    CREATE OR REPLACE FUNCTION records.bench_keeps_away() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN RETURN NULL; END'"""
_WITHOUT = """
    CREATE TRIGGER bench_keeps_away BEFORE INSERT ON records.access_log
    FOR EACH ROW EXECUTE FUNCTION records.bench_keeps_away()"""
_WITH = "DROP TRIGGER IF EXISTS bench_keeps_away ON records.access_log"
_LOG = "records.access_log"


@dataclass(frozen=True)
class Pair:
    """One block with the log, one without, and the rows that each left in it."""

    logged: Load
    bare: Load
    rows: int
    rows_bare: int

    @property
    def cost(self) -> float:
        """The share of what the server could do that the log takes; noise may make it negative."""
        return 1 - self.logged.rate / self.bare.rate


def measure(platform: Platform, server: Server, folder: Path, seconds: int, repeats: int):
    """Pairs of blocks of reads, each pair in the opposite order of the one before."""
    job = save_job(folder / "logged.job", server.jobs()["reads"])
    drive(job, server.port, Pressure(CONNECTIONS, 1), 0)
    _do(platform, _PREPARE)
    pairs: list[Pair] = []
    for repeat in range(repeats):
        found: dict[str, tuple[Load, int]] = {}
        for way in (_WITH, _WITHOUT) if repeat % 2 else (_WITHOUT, _WITH):
            _do(platform, _WITH)
            if way is _WITHOUT:
                _do(platform, _WITHOUT)
            before = storage.rows(platform, _LOG)
            load = drive(job, server.port, Pressure(CONNECTIONS, seconds), 0)
            found[way] = (load, storage.rows(platform, _LOG) - before)
        _do(platform, _WITH)
        (logged, rows), (bare, rows_bare) = found[_WITH], found[_WITHOUT]
        pairs.append(Pair(logged, bare, rows, rows_bare))
    return pairs


def markdown(pairs: Sequence[Pair]) -> list[str]:
    if not pairs:
        return []
    costs = sorted(pair.cost for pair in pairs)
    logged, bare = (
        median(rates)
        for rates in zip(*((pair.logged.rate, pair.bare.rate) for pair in pairs), strict=True)
    )
    return [
        f"The access log costs {median(costs):.1%} ({costs[0]:.1%} to {costs[-1]:.1%}) of "
        f"the reads at {CONNECTIONS} connections: {logged:,.0f}/s with it, {bare:,.0f}/s without, "
        f"{len(pairs)} pairs in turns; {sum(pair.rows for pair in pairs):,} rows were written.",
        "",
    ]


def _do(platform: Platform, statement: str) -> None:
    asyncio.run(_said(platform, statement))


async def _said(platform: Platform, statement: str) -> None:
    connection = await storage.connect(platform)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()

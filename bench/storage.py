"""What keeping costs: bytes on disk by table and index, memory of processes, CPU of a block."""

import asyncio
import re
from dataclasses import dataclass
from typing import Any

import asyncpg
import psutil

from bench.platform import Platform

SCHEMA = "records"
VACUUM = "VACUUM (ANALYZE)"
# Events wait here for their readers, a month at most; they are not part of what a resource keeps.
EVENTS = ("outbox", "feed", "feed_entry", "inbox", "reading", "dead_letter")
# A partition counts as its table; pg_total_relation_size of the parent alone would be zero.
SIZES = """
    SELECT c.relname AS name, 'table' AS kind, c.relname AS of,
           pg_table_size(c.oid) AS bytes, c.relkind
    FROM pg_class c WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'm')
    UNION ALL
    SELECT i.relname, 'index', t.relname, pg_relation_size(i.oid), i.relkind
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
    WHERE t.relnamespace = $1::regnamespace AND i.relkind = 'i'
    ORDER BY bytes DESC"""


@dataclass(frozen=True)
class Storage:
    """Bytes of each table and index once all rows are in place, without WAL."""

    resources: int
    versions: int
    parts: tuple[tuple[str, str, int], ...]  # name, table or index of which table, bytes

    @property
    def total(self) -> int:
        return sum(size for _, _, size in self.parts)

    @property
    def events(self) -> int:
        """Bytes of the event feed and its neighbours."""
        tables = {f"index of {table}" for table in EVENTS}
        return sum(size for name, of, size in self.parts if name in EVENTS or of in tables)

    @property
    def each(self) -> float:
        """Bytes a resource keeps: current, history, index and access log."""
        return (self.total - self.events) / max(1, self.resources)


def storage(platform: Platform) -> Storage:
    return asyncio.run(_storage(platform))


def rows(platform: Platform) -> int:
    """Resources that are kept: what acknowledged creates are compared with."""
    return asyncio.run(_value(platform, f"SELECT count(*) FROM {SCHEMA}.resource"))


def postgres_version(platform: Platform) -> str:
    return asyncio.run(_value(platform, "SHOW server_version"))


async def _connect(platform: Platform) -> Any:
    words = platform.postgres_environment
    return await asyncpg.connect(
        host=words["PGHOST"],
        user=words["PGUSER"],
        password=words["PGPASSWORD"],
        database=words["PGDATABASE"],
    )


async def _value(platform: Platform, query: str) -> Any:
    connection = await _connect(platform)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def _storage(platform: Platform) -> Storage:
    connection = await _connect(platform)
    try:
        tables = await connection.fetch(
            "SELECT oid::regclass::text AS name FROM pg_class "
            "WHERE relnamespace = $1::regnamespace AND relkind = 'r'",
            SCHEMA,
        )
        for table in tables:
            await connection.execute(f"{VACUUM} {table['name']}")
        sizes = await connection.fetch(SIZES, SCHEMA)
        resources = await connection.fetchval(f"SELECT count(*) FROM {SCHEMA}.resource")
        versions = await connection.fetchval(f"SELECT count(*) FROM {SCHEMA}.version")
    finally:
        await connection.close()
    parts = tuple(
        (row["name"], "table" if row["kind"] == "table" else f"index of {row['of']}", row["bytes"])
        for row in sizes
    )
    return Storage(resources, versions, parts)


@dataclass(frozen=True)
class Busy:
    """CPU seconds that the platform's process and its PostgreSQL have used so far."""

    ours: float
    postgres: dict[int, float]

    def since(self, before: "Busy") -> tuple[float, float]:
        """What was used between two looks; a backend that ended in between is not counted."""
        postgres = sum(
            max(0.0, used - before.postgres.get(pid, 0.0)) for pid, used in self.postgres.items()
        )
        return self.ours - before.ours, postgres


def busy(platform: Platform) -> Busy:
    assert platform.process is not None
    return Busy(_used(platform.process), {p.pid: _used(p) for p in _postgres(platform)})


def memory(platform: Platform) -> tuple[int, int]:
    """Resident bytes of the one process with all services, and the PostgreSQL's fair share."""
    assert platform.process is not None
    postgres = 0
    for each in _postgres(platform):
        try:
            full = each.memory_full_info()
            postgres += getattr(full, "pss", full.rss)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return platform.process.memory_info().rss, postgres


def loop_lag(metrics: str) -> dict[float, float]:
    """The counts of the loop-lag histogram, by upper bound in seconds; empty if not exposed."""
    found: dict[float, float] = {}
    line = re.compile(
        r'^polyclinic_loop_lag_seconds_bucket\{le="([^"]+)",service="records"\} (\S+)'
    )
    for each in metrics.splitlines():
        if match := line.match(each):
            found[float(match[1])] = float(match[2])
    return found


def lag_p99(before: dict[float, float], after: dict[float, float]) -> float | None:
    """The upper bound of the bucket that holds the 99th percentile, in seconds."""
    if not after:
        return None
    counts = {bound: count - before.get(bound, 0) for bound, count in after.items()}
    total = counts[float("inf")]
    return next((b for b in sorted(counts) if total and counts[b] >= 0.99 * total), None)


def _used(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system


def _postgres(platform: Platform) -> list[psutil.Process]:
    postmaster = platform.postmaster
    return [postmaster, *postmaster.children()]

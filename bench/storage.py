"""What keeping costs: bytes on disk by table and index, memory of processes, CPU of a block."""

import asyncio
import re
import time
from dataclasses import dataclass
from typing import Any

import asyncpg
import psutil

from bench.platform import Platform

SCHEMA = "records"
VACUUM = "VACUUM (ANALYZE)"
# Events wait here for their readers, a month at most; they are not part of what a resource keeps.
EVENTS = ("outbox", "feed", "feed_entry", "inbox", "reading", "dead_letter")
SETTLED = """
    SELECT NOT EXISTS (SELECT FROM appointments.outbox)
       AND (SELECT seq FROM appointments.feed)
         = (SELECT seq FROM records.reading WHERE source = 'appointments')"""
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


def rows(platform: Platform, table: str) -> int:
    """What is kept of a kind: acknowledged writes are compared with it."""
    return asyncio.run(_value(platform, f"SELECT count(*) FROM {table}"))


def settle(platform: Platform, seconds: float = 60) -> None:
    """Waits until records has read all that appointments has said."""
    until = time.monotonic() + seconds
    while not asyncio.run(_value(platform, SETTLED)):
        if time.monotonic() > until:
            raise RuntimeError("Records has not read what appointments says.")
        time.sleep(0.02)


def postgres_version(platform: Platform) -> str:
    return asyncio.run(_value(platform, "SHOW server_version"))


async def connect(platform: Platform) -> Any:
    words = platform.postgres_environment
    return await asyncpg.connect(
        host=words["PGHOST"],
        user=words["PGUSER"],
        password=words["PGPASSWORD"],
        database=words["PGDATABASE"],
    )


async def _value(platform: Platform, query: str) -> Any:
    connection = await connect(platform)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def _storage(platform: Platform) -> Storage:
    connection = await connect(platform)
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


LOOP_LAG = 'polyclinic_loop_lag_seconds_bucket{le="#",service="records"}'
EVENT_LAG = 'polyclinic_event_lag_seconds_bucket{le="#",service="records",source="appointments"}'


def lag(name: str, share: float, before: str, after: str) -> float | None:
    """The upper bound in seconds of the bucket that holds this share of what came in between."""
    earlier = _buckets(name, before)
    counts = {le: count - earlier.get(le, 0) for le, count in _buckets(name, after).items()}
    total = counts.get(float("inf"), 0)
    return next((le for le in sorted(counts) if total and counts[le] >= share * total), None)


def _buckets(name: str, metrics: str) -> dict[float, float]:
    """The counts of a histogram, by upper bound; empty if not exposed."""
    found: dict[float, float] = {}
    line = re.compile("^" + re.escape(name).replace(r"\#", '([^"]+)') + r" (\S+)")
    for each in metrics.splitlines():
        if match := line.match(each):
            found[float(match[1])] = float(match[2])
    return found


def _used(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system


def _postgres(platform: Platform) -> list[psutil.Process]:
    postmaster = platform.postmaster
    return [postmaster, *postmaster.children()]

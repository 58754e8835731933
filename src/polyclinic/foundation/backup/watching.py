"""Whether the log of each service's database is kept, as numbers for whoever watches."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from typing import LiteralString

from polyclinic.foundation import telemetry
from polyclinic.foundation.errors import Unavailable
from polyclinic.foundation.service import Running
from polyclinic.foundation.work import meanwhile

EVERY_SECONDS = 15.0
# Every role may read these; a server that keeps no log says nothing.
STANDING: LiteralString = """
    SELECT extract(epoch FROM clock_timestamp() - coalesce(last_archived_time, stats_reset))::float8
               AS age,
           coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) AS failing
    FROM pg_stat_archiver WHERE current_setting('archive_mode') <> 'off'"""


async def note_archive(running: Running) -> None:
    """Sets the service's two gauges; leaves them alone while its database does not answer."""
    with contextlib.suppress(Unavailable):
        row = await running.database.fetchrow(STANDING)
        if row is not None:
            name = running.service.name
            running.metrics.archive_age.labels(name).set(row["age"] or 0.0)
            running.metrics.archive_failing.labels(name).set(1 if row["failing"] else 0)


@asynccontextmanager
async def watch_archives(services: Collection[Running]) -> AsyncGenerator[None, None]:
    """Looks again and again for as long as the process runs."""
    async with meanwhile(_repeat(services)):
        yield


async def _repeat(services: Collection[Running]) -> None:
    while True:
        for running in services:
            try:
                await note_archive(running)
            except Exception as bug:  # noqa: BLE001 - the other services' numbers go on
                telemetry.log_bug("archive not seen", bug, service=running.service.name)
        await asyncio.sleep(EVERY_SECONDS)

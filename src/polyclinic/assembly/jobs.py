"""The clock: each job on one replica at a time, and never so many that requests wait for them."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, LiteralString

from polyclinic.foundation import telemetry
from polyclinic.foundation.database import Database
from polyclinic.foundation.errors import Unavailable
from polyclinic.foundation.service import Job, Running
from polyclinic.foundation.work import meanwhile

RETRY_SECONDS = 60.0
# Of the five connections of a service's pool its jobs use two at most; the others are for requests.
AT_ONCE = 2


@asynccontextmanager
async def clock(running: Running) -> AsyncGenerator[None, None]:
    """Does the service's jobs for as long as it runs."""
    turns = Turns(running.database)
    try:
        async with meanwhile(*(_repeat(job, running, turns) for job in running.service.jobs)):
            yield
    finally:
        await turns.close()


class Turns:
    """Whose turn a job is: locks of one connection beside the pool, which no request waits for.

    When each job held a connection of the pool for its lock, five jobs could stop a service.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Any = None
        self._talk = asyncio.Lock()
        self.places = asyncio.Semaphore(AT_ONCE)

    @asynccontextmanager
    async def of(self, number: int) -> AsyncGenerator[bool, None]:
        """Whether it is this replica's turn; the lock ends with it, or with the connection."""
        mine = await self._ask("SELECT pg_try_advisory_lock($1)", number)
        try:
            yield mine
        finally:
            if mine:
                with contextlib.suppress(Unavailable):
                    await self._ask("SELECT pg_advisory_unlock($1)", number)

    async def _ask(self, query: LiteralString, number: int) -> bool:
        async with self._talk:
            if self._connection is None or self._connection.is_closed():
                self._connection = await self._database.connect_beside()
            async with self._database.guarded():
                return await self._connection.fetchval(query, number)

    async def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(Unavailable):
                async with self._database.guarded():
                    await self._connection.close(timeout=5)


async def _repeat(job: Job, running: Running, turns: Turns) -> None:
    wait = job.every_seconds
    while True:
        try:
            is_idle = await _run_once(job, running, turns) is False
            wait = max(job.every_seconds, min(wait * 2, job.idle_seconds) if is_idle else 0)
        except Exception as bug:  # noqa: BLE001 - a job that fails is logged and tried again soon
            telemetry.log_bug("job failed", bug, service=running.service.name, kind=job.name)
            wait = min(job.every_seconds, RETRY_SECONDS)
        await asyncio.sleep(wait)


async def _run_once(job: Job, running: Running, turns: Turns) -> bool | None:
    """Runs a job unless another replica is at it; False when there was nothing to do."""
    name = f"{running.service.name}|{job.name}".encode()
    number = int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big", signed=True)
    async with turns.places, turns.of(number) as mine:
        return await job.run(running) if mine else None

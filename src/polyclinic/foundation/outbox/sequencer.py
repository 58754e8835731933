"""Numbers events after their transactions are over: gap-free, in the order they were written."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import LiteralString

from polyclinic.foundation import telemetry
from polyclinic.foundation.database import Database
from polyclinic.foundation.errors import Problem
from polyclinic.foundation.work import meanwhile

# What is said in this process wakes its sequencer. It looks by itself only for what another replica
# numbered, or said before it died: twice a second, where all of them together looked 200 times.
BUSY_SECONDS, IDLE_SECONDS = 0.02, 0.5

# The row lock is the lease: of several replicas one numbers at a time, the others pass.
NUMBER: LiteralString = """
WITH f AS (SELECT seq, over FROM feed FOR UPDATE SKIP LOCKED),
taken AS (
    DELETE FROM outbox o USING f
    WHERE o.tx >= f.over AND o.tx < pg_snapshot_xmin(pg_current_snapshot())
    RETURNING o.position, o.id, o.at, o.kind, o.subject, o.data, o.trace),
ready AS MATERIALIZED (SELECT taken.*, row_number() OVER (ORDER BY position) AS n FROM taken),
numbered AS (
    INSERT INTO feed_entry (seq, id, at, kind, subject, data, trace)
    SELECT f.seq + n, id, at, kind, subject, data, trace FROM ready, f),
moved AS (
    UPDATE feed SET seq = feed.seq + (SELECT count(*) FROM ready),
                    over = pg_snapshot_xmin(pg_current_snapshot())
    WHERE EXISTS (SELECT FROM ready))
SELECT (SELECT count(*) FROM ready) AS count, feed.seq FROM feed
"""

CLUSTER: LiteralString = """
    SELECT (SELECT system_identifier FROM pg_control_system()) || '/'
        || (SELECT timeline_id FROM pg_control_checkpoint())"""
# Transaction numbers mean nothing in another cluster: whatever waits is numbered at once.
NEW_EPOCH: LiteralString = """
WITH taken AS (DELETE FROM outbox RETURNING position, id, at, kind, subject, data, trace),
waiting AS MATERIALIZED (SELECT taken.*, row_number() OVER (ORDER BY position) AS n FROM taken),
numbered AS (
    INSERT INTO feed_entry (seq, id, at, kind, subject, data, trace)
    SELECT feed.seq + n, waiting.id, waiting.at, kind, subject, data, trace FROM waiting, feed)
UPDATE feed SET epoch = uuidv7(), cluster = $1, seq = seq + (SELECT count(*) FROM waiting),
                over = pg_snapshot_xmin(pg_current_snapshot())
"""


KEPT_DAYS = 30  # how far back a new or long absent reader can go
# An event that left the feed cannot come again, so it need not be known for longer.
TRIM: tuple[LiteralString, ...] = (
    "DELETE FROM feed_entry WHERE at < now() - make_interval(days => $1)",
    "DELETE FROM inbox WHERE at < now() - make_interval(days => 2 * $1)",
)
TRIM_EVERY_SECONDS = 3600.0


class Sequencer:
    """Numbers the events of one service for as long as the service runs."""

    def __init__(self, database: Database, service: str) -> None:
        self._database, self._service = database, service
        self.more = asyncio.Event()
        self.runs = self.ends = False
        self._seen = 0

    async def number(self) -> int:
        """Numbers what is ready; answers how many. Who waits for more is woken by any replica's."""
        row = await self._database.fetchrow(NUMBER)
        count, seq = (row["count"], row["seq"]) if row is not None else (0, 0)
        if count or seq != self._seen:
            # As it was before what was numbered now; the next look says it once more at most.
            self._seen = seq + count
            self.more.set()
            self.more = asyncio.Event()
        return count

    def let_go(self) -> None:
        """Answers whoever waits for more: a process that stops would wait for them."""
        self.ends = True
        self.more.set()

    async def begin_epoch(self) -> None:
        """A restored or moved database starts a new epoch, so that readers look again."""
        async with self._database.transaction() as tx:
            known = await tx.fetchval("SELECT cluster FROM feed FOR UPDATE")
            cluster = await tx.fetchval(CLUSTER)
            if known == "":
                await tx.execute("UPDATE feed SET cluster = $1", cluster)
            elif known != cluster:
                await tx.execute(NEW_EPOCH, cluster)
                telemetry.log("new epoch", service=self._service)

    async def trim(self) -> None:
        """Forgets events that every reader had a month to read."""
        for statement in TRIM:
            await self._database.execute(statement, KEPT_DAYS)

    async def run(self) -> None:
        loop, pause = asyncio.get_running_loop(), BUSY_SECONDS
        trim_at = loop.time() + TRIM_EVERY_SECONDS
        while True:
            try:
                count = await self.number()
                if loop.time() >= trim_at:
                    await self.trim()
                    trim_at = loop.time() + TRIM_EVERY_SECONDS
            except Problem:
                count = 0  # the database is away; the service's own requests say so
            except Exception as bug:  # noqa: BLE001 - without numbers nobody hears of anything
                telemetry.log_bug("events not numbered", bug, service=self._service)
                count = 0
            # What was said may wait for an older transaction: it is looked for at rising intervals.
            pause = BUSY_SECONDS if count else min(pause * 2, IDLE_SECONDS)
            if await self._woken(pause):
                pause = BUSY_SECONDS / 2

    async def _woken(self, seconds: float) -> bool:
        """Waits; True when something was said meanwhile. Never shorter than when busy."""
        await asyncio.sleep(BUSY_SECONDS)
        news = self._database.news
        # Not wait_for, which in Python 3.11 may lose a cancellation that comes with the news.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds - BUSY_SECONDS):
                await news.wait()
        was, _ = news.is_set(), news.clear()
        return was

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["Sequencer", None]:
        await self.begin_epoch()
        async with meanwhile(self.run()):
            self.runs = True
            try:
                yield self
            finally:
                self.runs = False

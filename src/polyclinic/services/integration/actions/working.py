"""Works the queue off: the oldest ready message of each patient first, under a lease.

A worker may die at any moment. What it did not settle is taken up by another once the lease runs
out, and done again: effects carry the message's id as their key, so they are there once.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

from prometheus_client import Counter

from polyclinic.foundation import ids, telemetry
from polyclinic.foundation.batching import Lane
from polyclinic.foundation.database import Row
from polyclinic.foundation.errors import Problem, Unavailable
from polyclinic.foundation.vault import Unreadable
from polyclinic.foundation.work import meanwhile
from polyclinic.services.integration.actions import channels
from polyclinic.services.integration.actions.state import Engine, raw_place, stage_place
from polyclinic.services.integration.actions.understanding import understood
from polyclinic.services.integration.domain.intents import Unsupported
from polyclinic.services.integration.domain.outcomes import Outcome
from polyclinic.services.integration.domain.translating import as_value
from polyclinic.services.integration.domain.waiting import OUTAGE_LONGEST_SECONDS, wait_seconds
from polyclinic.services.integration.store import queue
from polyclinic.services.integration.store.queue import Settled
from polyclinic.standards.hl7v2 import Malformed

# Something may have come that no event of this process told of: from another replica, or due now.
LOOK_EVERY_SECONDS = 1.0
# What is done for a patient may be what other messages of the same patient wait for.
WOKEN_BY_OTHERS = ("order",)
# So many are leased for each hand, so that no hand waits for a statement.
AHEAD = 4
# Where the translation of a refused message has the refusal, sealed.
REFUSED = "refused"


def _readable(problem: Problem) -> str:
    """Our own sentences have no patient's data in them; of others' the place is said."""
    if type(problem).__module__.startswith("polyclinic.services.integration."):
        return problem.message
    return f"An owner refused it: {type(problem).__name__}."


class Worker:
    """One process's share of the queue."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lease = ids.new_uuid()
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._hands = asyncio.Semaphore(max(engine.settings.workers, 1))
        metrics = engine.running.metrics
        self._lane: Lane[Settled, None] = Lane("settled messages", self._settle, metrics)
        self._count = Counter(
            "polyclinic_messages_worked_total",
            "Messages that were worked on, by channel and what became of them.",
            ("service", "channel", "state"),
            registry=metrics.registry,
        )

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        loops = (self._dispatch(), self._keep_leases()) if self._engine.settings.workers else ()
        try:
            async with meanwhile(*loops):
                yield
        finally:
            tasks = list(self._tasks.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with contextlib.suppress(Unavailable):
                await queue.release(self._engine.running.database, self._lease)

    async def _dispatch(self) -> None:
        """Takes a few for each hand, and waits for a free hand or for more."""
        engine = self._engine
        while True:
            engine.more.clear()
            free = engine.settings.workers * AHEAD - len(self._tasks)
            taken: list[Row] = []
            if free >= engine.settings.workers:
                try:
                    taken = await self._claim(free)
                except Unavailable:
                    telemetry.log("queue not read", service="integration")
                except Exception as bug:  # noqa: BLE001 - the queue must go on when one look fails
                    telemetry.log_bug("queue not read", bug, service="integration")
            for row in taken:
                task = asyncio.create_task(self._work(row))
                self._tasks[row["id"]] = task
                task.add_done_callback(lambda _, message=row["id"]: self._ended(message))
            if not taken or len(taken) < free:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(engine.more.wait(), LOOK_EVERY_SECONDS)

    async def _claim(self, free: int) -> list[Row]:
        seconds = self._engine.settings.lease_seconds
        found = await queue.claim(self._engine.running.database, self._lease, free, seconds)
        # A message whose last try is still ending here is not begun a second time.
        return [row for row in found if row["id"] not in self._tasks]

    def _ended(self, message: UUID) -> None:
        self._tasks.pop(message, None)
        self._engine.more.set()

    async def _keep_leases(self) -> None:
        """Whoever is at work is not taken for dead, however long an owner takes."""
        seconds = self._engine.settings.lease_seconds
        while True:
            await asyncio.sleep(seconds / 3)
            with contextlib.suppress(Unavailable):
                if self._tasks:
                    await queue.renew(
                        self._engine.running.database, self._lease, list(self._tasks), seconds
                    )

    async def _work(self, row: Row) -> None:
        try:
            async with self._hands:
                self._engine.at_work[row["id"]] = row["channel"]
                settled = await self._worked(row)
            await self._lane.ask(settled)
            self._count.labels("integration", row["channel"], settled.state).inc()
        except Unavailable:
            telemetry.log("message left to its lease", service="integration")
        except Exception as bug:  # noqa: BLE001 - its lease runs out, and it is tried again
            telemetry.log_bug("message not settled", bug, service="integration")
        finally:
            self._engine.at_work.pop(row["id"], None)

    async def _worked(self, row: Row) -> Settled:
        """What became of one message; whatever goes wrong is something that became of it."""
        made: dict[str, Any] | None = None
        version = 0
        try:
            channel, version, _ = await channels.need(self._engine, row["channel"])
            (raw,) = await self._engine.unseal([(raw_place(row["id"]), row["sealed"])])
            translation = await understood(self._engine, raw, channel)
            made = as_value(translation)
            outcome = await self._engine.carry_out(self._engine.running, row["id"], translation)
        except Unavailable as away:
            settled = self._failed(row, away.place or "unavailable", is_outage=True)
        except Unsupported as unsupported:
            settled = self._settled(row, Outcome("ignored", "unsupported", unsupported.message))
        except Malformed as malformed:
            settled = self._parked(row, "malformed", str(malformed))
        except Unreadable:
            settled = self._parked(row, "sealed", "The message does not open.")
        except Problem as problem:
            # Others' sentences may quote what they refuse: these are read as the message is.
            made = {**(made or {}), REFUSED: problem.message}
            settled = self._parked(row, type(problem).__name__, _readable(problem))
        except Exception as bug:  # noqa: BLE001 - a bug of ours parks one message, not the queue
            telemetry.log_bug("message failed", bug, service="integration")
            settled = self._failed(row, type(bug).__name__, is_outage=False)
        else:
            settled = self._settled(row, outcome)
        return await self._with_stage(row, settled, version, made)

    def _settled(self, row: Row, outcome: Outcome) -> Settled:
        return Settled(
            row["id"], self._lease, outcome.state, outcome.reason, outcome.text,
            patients=outcome.patients,
            finds=tuple(self._engine.number("patient", who) for who in outcome.patients),
            effects=tuple((each.name, each.version, each.did) for each in outcome.effects),
        )  # fmt: skip

    def _parked(self, row: Row, reason: str, problem: str) -> Settled:
        return Settled(row["id"], self._lease, "parked", reason, problem)

    def _failed(self, row: Row, reason: str, *, is_outage: bool) -> Settled:
        """Tried again later; a message that fails by itself is parked after so many tries."""
        settings, failures = self._engine.settings, row["failures"]
        if not is_outage and failures + 1 >= settings.tries:
            return self._parked(row, reason, "It failed again and again.")
        longest = OUTAGE_LONGEST_SECONDS if is_outage else settings.retry_longest_seconds
        chance = random.random()  # noqa: S311 - spreads retries, keeps no secret
        wait = wait_seconds(failures, settings.retry_first_seconds, longest, chance)
        return Settled(row["id"], self._lease, "failed", reason, wait=wait)

    async def _with_stage(
        self, row: Row, settled: Settled, version: int, made: dict[str, Any] | None
    ) -> Settled:
        if made is None or settled.state == "failed":
            return settled
        place = stage_place(row["id"], row["tries"] + 1)
        sealed = await self._engine.seal_beside(row["sealed"], place, made)
        return replace(settled, version=version, sealed=sealed)

    async def _settle(self, settled: list[Settled]) -> Sequence[None]:
        database = self._engine.running.database
        held, woken = await queue.settle(database, settled, WOKEN_BY_OTHERS)
        if held < len(settled):
            telemetry.log("lease lost", service="integration", count=len(settled) - held)
        if woken:
            self._engine.more.set()
        self._engine.answering.look()
        return [None] * len(settled)

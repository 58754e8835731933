"""Learns what was asked for, one thing at a time, in a process beside the platform.

A process that dies in the middle leaves a lease that runs out; whoever is there then begins anew.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec

from polyclinic.foundation import ids, telemetry
from polyclinic.foundation.aside import Aside, aside
from polyclinic.foundation.database import Row
from polyclinic.foundation.errors import Problem, Unavailable
from polyclinic.foundation.work import meanwhile
from polyclinic.services.insights.actions import modelling
from polyclinic.services.insights.actions.modelling import Draft
from polyclinic.services.insights.actions.state import Engine
from polyclinic.services.insights.domain.tasks.teaching import Learnt, Lesson, Said, Step
from polyclinic.services.insights.store import events, lessons

# A few minutes on one core; beyond it a person is asked for another way.
EVENTS_MAX, SECONDS, PAGE = 2_000_000, 1800.0, 500
LOOK_EVERY_SECONDS, LEASE_SECONDS, TRIES = 15.0, 60, 3
_WORK = "polyclinic.services.insights.domain.tasks.teaching:work"


class Teacher:
    """One process's share of what is to be learned."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lease = ids.new_uuid()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        if not self._engine.settings.workers:
            yield
            return
        try:
            async with meanwhile(self._go_on()):
                yield
        finally:
            with contextlib.suppress(Unavailable):
                await lessons.release(self._engine.database, self._lease)

    async def _go_on(self) -> None:
        while True:
            self._engine.lessons.clear()
            taken = False
            try:
                taken = await self.turn()
            except Unavailable:
                telemetry.log("lesson not read", service="insights")
            except Exception as bug:  # noqa: BLE001 - the next lesson may go well
                telemetry.log_bug("lesson failed", bug, service="insights")
            if not taken:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._engine.lessons.wait(), LOOK_EVERY_SECONDS)

    async def turn(self) -> bool:
        """Learns the oldest thing that was asked for; False where there is none."""
        engine = self._engine
        row = await lessons.claim(engine.database, self._lease, LEASE_SECONDS)
        if row is None:
            return False
        if row["tries"] > TRIES:
            await self._refuse("It was begun several times and never came to an end.")
            return True
        async with meanwhile(self._hold()):
            try:
                async with aside(_WORK, 1, SECONDS) as teaching:
                    learnt = await self._learn(row, teaching)
                await self._end(row, learnt)
            except Problem as problem:
                await self._refuse(str(problem) or type(problem).__name__)
        return True

    async def _hold(self) -> None:
        """Whoever is at it says so, as long as it takes."""
        is_ours = True
        while is_ours:
            await asyncio.sleep(LEASE_SECONDS / 4)
            with contextlib.suppress(Unavailable):  # the next quarter of the lease asks again
                is_ours = await lessons.keep(self._engine.database, self._lease, LEASE_SECONDS)

    async def _learn(self, row: Row, teaching: Aside) -> Learnt:
        await self._report(Step(5, "Reads what is remembered"))
        known = await self._events()
        if known is None:
            return Learnt(refused=f"More than {EVENTS_MAX} events are not learned here.")
        lesson = Lesson(row["task"], row["model"], row["version"], known)
        asked = msgspec.json.encode(lesson)
        while True:
            step = msgspec.json.decode(await teaching.ask(asked), type=Step)
            if step.learnt is not None:
                return step.learnt
            await self._report(step)
            asked = b""  # the same process goes on

    async def _report(self, step: Step) -> None:
        await lessons.report(self._engine.database, self._lease, step.percent, step.words)

    async def _end(self, row: Row, learnt: Learnt) -> None:
        if not learnt.model:
            await self._refuse(learnt.refused)
            return
        content = msgspec.Raw(learnt.model.encode())
        draft = Draft(content, learnt.record, learnt.threshold, row["fallback"], learnt.membership)
        async with self._engine.turn, self._engine.database.transaction() as tx:
            if await lessons.end(tx, self._lease, "done", "It stands among the models as a draft."):
                await modelling.add(self._engine, tx, draft, row["author"])

    async def _refuse(self, why: str) -> None:
        async with self._engine.turn, self._engine.database.transaction() as tx:
            await lessons.end(tx, self._lease, "refused", why[:500])

    async def _events(self) -> list[Said] | None:
        """All that is remembered; subjects become numbers on the way. None where it is too much."""
        found: list[Said] = []
        last, number = b"", 0
        while rows := await events.list_events(self._engine.database, last, PAGE):
            for row in rows:
                number += row["subject"] != last
                last = row["subject"]
                said = (row["time"], row["known_at"], row["code"], row["numeric_value"])
                found.append(Said(number, *said, row["unit"]))
            if len(found) > EVENTS_MAX:
                return None
        return found

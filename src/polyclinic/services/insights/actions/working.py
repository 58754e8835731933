"""Works off what changed: reads whose charts these are, and scores each of them once.

A worker may die at any moment: what it did not settle is done again once the lease runs out, and a
repeat finds everything as it should be and writes nothing.
"""

import asyncio
import contextlib
import random
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from polyclinic.foundation import clock, ids, telemetry
from polyclinic.foundation.database import Row
from polyclinic.foundation.errors import Unavailable
from polyclinic.foundation.work import meanwhile
from polyclinic.services.insights.actions.assessing import Task, assess
from polyclinic.services.insights.actions.state import Engine
from polyclinic.services.insights.domain.asking import patient_of, successor
from polyclinic.services.insights.gateways import charts
from polyclinic.services.insights.store import work

Json = dict[str, Any]
# Something may have come that no event of this process told of: from another replica, or due now.
LOOK_EVERY_SECONDS = 1.0
AT_ONCE = 100
IN_ERROR = "entered-in-error"


@dataclass(slots=True)
class _Person:
    """The rows that concern one chart, and what of it they are about."""

    rows: list[Row] = field(default_factory=list[Row])
    changed: list[Json] = field(default_factory=list[Json])
    current: list[Json] = field(default_factory=list[Json])
    gone: set[str] = field(default_factory=set[str])


class Worker:
    """One process's share of the queue."""

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
                await work.release(self._engine.database, self._lease)

    async def _go_on(self) -> None:
        engine = self._engine
        while True:
            engine.more.clear()
            taken = 0
            try:
                taken = await self.turn()
            except Unavailable:
                telemetry.log("queue not read", service="insights")
            except Exception as bug:  # noqa: BLE001 - the queue must go on when one look fails
                telemetry.log_bug("queue not read", bug, service="insights")
            if not taken:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(engine.more.wait(), LOOK_EVERY_SECONDS)

    async def turn(self) -> int:
        """Takes what is due and does it; how many rows that were."""
        engine, seconds = self._engine, self._engine.settings.lease_seconds
        rows = await work.claim(engine.database, self._lease, AT_ONCE, seconds)
        if not rows:
            return 0
        try:
            async with asyncio.timeout(seconds * 0.8):  # nobody else has it meanwhile
                await self._score(await self._people(rows))
        except TimeoutError:
            telemetry.log("lease too short", service="insights", count=len(rows))
        except Unavailable as away:
            await self._later(rows, away, is_outage=True)
        finally:
            await work.release(engine.database, self._lease)
        return len(rows)

    async def _people(self, rows: Sequence[Row]) -> dict[str, _Person]:
        """Whose charts changed, by person; what is kept by a service that is away waits for it."""
        found: dict[str, _Person] = {}
        by_owner: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            by_owner[charts.owner_of(self._engine.running, row["name"])].append(row)
        for part in by_owner.values():
            try:
                await self._sort(part, found)
            except Unavailable as away:
                await self._later(part, away, is_outage=True)
        return found

    async def _sort(self, rows: Sequence[Row], found: dict[str, _Person]) -> None:
        """Whose these are now, and by the version before, which may have been another's."""
        urls = [url for row in rows for url in _urls(row)]
        seen = iter(await charts.look(self._engine.running, urls))
        nobodys: list[Row] = []
        for row in rows:
            now, *before = [next(seen) for _ in _urls(row)]
            told = [each for each in (now, *before) if each is not None]
            people = dict.fromkeys(name for each in told for name in _concerned(each))
            for who in people:
                person = found.setdefault(who, _Person())
                person.rows.append(row)
                person.changed += told
                if now is not None and patient_of(now) == who:
                    person.current.append(now)
                if now is None or now.get("status") == IN_ERROR:
                    person.gone.add(row["name"])
            if not people:
                nobodys.append(row)
        await self._done(nobodys)

    async def _score(self, people: dict[str, _Person]) -> None:
        """A chart that fails takes no other along; a row is done when all its charts are."""
        left = Counter(row["name"] for person in people.values() for row in person.rows)
        failed: dict[str, Exception] = {}
        for patient, person in people.items():
            why = await self._tried(
                Task(patient, tuple(person.changed), frozenset(person.gone), tuple(person.current))
            )
            left.subtract(row["name"] for row in person.rows)
            if why is not None:
                failed |= {row["name"]: why for row in person.rows}
            over = [row for row in person.rows if not left[row["name"]]]
            await self._done([row for row in over if row["name"] not in failed])
            for row in over:
                if (known := failed.get(row["name"])) is not None:
                    await self._later([row], known, is_outage=isinstance(known, Unavailable))

    async def _tried(self, task: Task) -> Exception | None:
        try:
            await assess(self._engine, task)
        except Unavailable as away:
            return away
        except Exception as bug:  # noqa: BLE001 - one chart is tried again and parked, not the queue
            telemetry.log_bug("chart not scored", bug, service="insights")
            return bug
        return None

    async def _done(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        known = [(row["name"], row["version"]) for row in rows]
        done = await work.done(self._engine.database, self._lease, known)
        for row in rows:
            if row["name"] in done:
                self._engine.meters.lag((clock.now() - row["since"]).total_seconds())

    async def _later(self, rows: Sequence[Row], why: Exception, *, is_outage: bool) -> None:
        settings = self._engine.settings
        again: list[tuple[str, float, int, str | None]] = []
        for row in rows:
            wait = settings.retry_first_seconds * 2 ** min(row["tries"], 16)
            wait = min(wait, settings.retry_longest_seconds)
            wait *= 1 + 0.2 * random.random()  # noqa: S311 - spreads retries, keeps no secret
            hopeless = not is_outage and row["tries"] + 1 >= settings.tries
            reason = type(why).__name__ if hopeless else None
            again.append((row["name"], wait, 0 if is_outage else 1, reason))
            if hopeless:
                telemetry.log("change parked", service="insights", reason=reason)
        await work.again(self._engine.database, self._lease, again)


def _concerned(resource: Json) -> list[str]:
    """Whose chart it is; of a record that was given up also that of the one that goes on."""
    told = patient_of(resource)
    after = successor(resource) if resource.get("resourceType") == "Patient" else None
    return [name for name in (told, after) if name]


def _urls(row: Row) -> list[str]:
    """The resource as it is, and as it was before the changes that nobody has settled: it may have
    been somebody else's, and of one that is deleted only the version before says whose it was."""
    name, version, oldest = row["name"], row["version"], row["oldest"]
    return [name] if version == 1 else [name, f"{name}/_history/{max(oldest - 1, 1)}"]


async def ask_what_is_due(engine: Engine) -> None:
    """Has the worker look at what has to be looked at by now."""
    async with engine.turn, engine.database.transaction() as tx:
        if await work.note_due(tx, clock.now()):
            engine.more.set()


async def measure(engine: Engine) -> None:
    """How much waits and since when."""
    row = await work.waiting(engine.database)
    age = (clock.now() - row["since"]).total_seconds() if row["since"] else 0.0
    engine.meters.waiting(row["waiting"], row["parked"], age)

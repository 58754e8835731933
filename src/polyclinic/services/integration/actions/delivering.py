"""Deliveries go out: one receiver that is dead or slow holds up no other, and nothing is lost.

A delivery is taken for a while, tried, and its end kept with the log of the attempt in one
transaction. Who dies in between has only taken it: it is due again, under the same id. So a
receiver may hear a thing twice, never not at all, and of one key always in order.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from polyclinic.contracts.integration import DestinationDisabled
from polyclinic.foundation import clock, ids, telemetry
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Problem, Unavailable
from polyclinic.foundation.outbox import announce
from polyclinic.foundation.service import Running
from polyclinic.foundation.work import meanwhile
from polyclinic.services.integration.domain import retrying
from polyclinic.services.integration.domain.addresses import NotCallable
from polyclinic.services.integration.domain.destinations import PATIENCE, Destination
from polyclinic.services.integration.domain.retrying import Verdict
from polyclinic.services.integration.gateways.outward import Unreachable
from polyclinic.services.integration.store import deliveries, destinations
from polyclinic.services.integration.store.deliveries import Delivery

LOOK_SECONDS = 0.25
LOOK_MAX_SECONDS = 5.0
TAKEN_SECONDS = 60.0  # longer than any attempt may last
AT_ONCE = 8  # messages to one receiver, of different keys
RECEIVERS_AT_ONCE = 32
HOUSE_SECONDS = 5.0  # after so long we ask a service of our own house again


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of one attempt.

    `skip`: there was nothing to tell this receiver. `refused`: it answers, and will never take it.
    """

    status: int
    retry_after: str = ""
    reason: str = ""
    skip: bool = False
    refused: bool = False


# How a kind of receiver is told; raises Unreachable, NotCallable, or Unavailable of our own house.
Send = Callable[[Destination, bytes, Delivery], Awaitable[Sent]]
# What else is kept, in the same transaction, of a receiver after so many failures in a row.
Ended = Callable[[Transaction, Destination, Delivery, int], Awaitable[None]]


async def _nothing(_: Transaction, __: Destination, ___: Delivery, ____: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Way:
    """A kind of receiver: how it is told, how many things at once, what else is kept."""

    send: Send
    at_once: int = AT_ONCE
    ended: Ended = _nothing


@dataclass(slots=True)
class Courier:
    """Takes what is due to its receivers for as long as the service runs."""

    running: Running
    ways: Mapping[str, Way]
    me: UUID = field(default_factory=ids.new_uuid)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    # Of the pool's five connections these take two at most, however many receivers there are.
    _turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    _busy: dict[UUID, "asyncio.Task[None]"] = field(
        default_factory=dict[UUID, "asyncio.Task[None]"]
    )

    @asynccontextmanager
    async def at_work(self) -> AsyncGenerator["Courier", None]:
        try:
            async with meanwhile(self._run()):
                yield self
        finally:
            tasks = list(self._busy.values())
            for each in tasks:
                each.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        pause = LOOK_SECONDS
        while True:
            try:
                await self._look()
                pause = LOOK_SECONDS
            except Problem:
                pause = min(pause * 2, LOOK_MAX_SECONDS)  # the database is away
            except Exception as bug:  # noqa: BLE001 - whatever it is, deliveries go on
                telemetry.log_bug("deliveries not taken", bug, service="integration")
                pause = LOOK_MAX_SECONDS
            self.wake.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.wake.wait(), pause)

    async def _look(self) -> None:
        """Gives each receiver that something is due for a task of its own."""
        room = RECEIVERS_AT_ONCE - len(self._busy)
        if room <= 0:
            return
        for name in await deliveries.due(self.running.database, list(self._busy), room):
            task = asyncio.create_task(self._serve(name))
            self._busy[name] = task
            task.add_done_callback(lambda _, name=name: self._busy.pop(name, None))

    async def _serve(self, name: UUID) -> None:
        """Tells one receiver what is due, until nothing is."""
        try:
            while await self.turn(name):
                pass
        except Problem:
            telemetry.log("delivery interrupted", kind="integration")
        except Exception as bug:  # noqa: BLE001 - one receiver's bug is no other's
            telemetry.log_bug("delivery failed", bug, service="integration")

    async def turn(self, name: UUID) -> bool:
        """One round for one receiver; False when there was nothing to do."""
        database = self.running.database
        async with self._turn:
            found = await destinations.find(database, name)
            if found is None:
                return False
            destination, sealed = found
            # One that fails is asked with one message, until it answers again.
            most = 1 if destination.failures else self.ways[destination.kind].at_once
            taken = await deliveries.take(database, name, most, self.me, TAKEN_SECONDS)
        # Of one key there is one among them; several keys need not wait for each other.
        tried = (self._attempt(destination, sealed, each) for each in taken)
        for lost in await asyncio.gather(*tried, return_exceptions=True):
            if isinstance(lost, Exception):
                telemetry.log_bug("attempt not kept", lost, service="integration")
        return bool(taken)

    async def _attempt(self, destination: Destination, sealed: bytes, told: Delivery) -> None:
        begun = time.monotonic()
        try:
            sent = await self.ways[destination.kind].send(destination, sealed, told)
        except NotCallable:
            sent = Sent(0, reason="not callable")
        except Unreachable as lost:
            sent = Sent(0, reason=lost.place or "unreachable")
        except Unavailable:
            # Our own house: the receiver has nothing to do with it.
            await deliveries.again(
                self.running.database, told, self.me, HOUSE_SECONDS, counts=False
            )
            return
        except Exception as bug:  # noqa: BLE001 - it counts as an attempt, so it ends some day
            telemetry.log_bug("not sent", bug, service="integration")
            sent = Sent(0, reason=type(bug).__name__)
        await self.keep(destination, told, sent, int((time.monotonic() - begun) * 1000))

    async def keep(self, destination: Destination, told: Delivery, sent: Sent, ms: int) -> None:
        """The end of an attempt, its log, and what it says of the receiver: together or not."""
        chance = random.random()  # noqa: S311 - nothing secret: it spreads attempts
        said = retrying.retry_after(sent.retry_after, clock.now())
        verdict = retrying.judged(sent.status, said, told.attempts + 1, chance)
        state = "skipped" if sent.skip else "sent" if verdict.is_done else ""
        state = "dead" if sent.refused else state
        async with self._turn, self.running.database.transaction() as tx:
            # Everybody locks the receiver before its deliveries: nobody waits in a circle.
            await destinations.lock(tx, destination.id)
            if state:
                if not await deliveries.end(tx, told, self.me, state):
                    return
                await self._good(tx, destination, told, sent, ms)
            else:
                await self._bad(tx, destination, told, verdict, (sent, ms, chance))

    async def _good(
        self, tx: Transaction, destination: Destination, told: Delivery, sent: Sent, ms: int
    ) -> None:
        if sent.skip:
            return
        await deliveries.note(tx, told, (sent.status, sent.reason), ms)
        if await destinations.worked(tx, destination.id):
            await deliveries.all_now(tx, destination.id)
        await self.ways[destination.kind].ended(tx, destination, told, 0)

    async def _bad(
        self,
        tx: Transaction,
        destination: Destination,
        told: Delivery,
        verdict: Verdict,
        how: tuple[Sent, int, float],
    ) -> None:
        sent, ms, chance = how
        if verdict.again is None:
            mine = await deliveries.end(tx, told, self.me, "dead")
        else:
            mine = await deliveries.again(tx, told, self.me, verdict.again, counts=True)
        if not mine:
            return
        await deliveries.note(tx, told, (sent.status, sent.reason), ms)
        failures = await destinations.failed(tx, destination.id)
        rest = max(verdict.rest, retrying.rest_after(failures, chance))
        if rest:
            await destinations.rest(tx, destination.id, rest)
        if verdict.disable:
            await self.disable(tx, destination, "gone")
        elif verdict.again is None:
            telemetry.log("delivery dead", kind=destination.kind, attempt=told.attempts + 1)
            since = await destinations.failing_since(tx, destination.id)
            if since is not None and clock.now() - since >= PATIENCE:
                await self.disable(tx, destination, "failing")
        await self.ways[destination.kind].ended(tx, destination, told, failures)

    async def disable(self, tx: Transaction, destination: Destination, reason: str) -> None:
        """Ends a receiver and says so; what waits for it is kept."""
        if await destinations.disable(tx, destination.id, reason):
            event = DestinationDisabled(destination=str(destination.id), reason=reason)
            await announce(tx, (f"Destination/{destination.id}", event))
            telemetry.log("destination disabled", kind=destination.kind, reason=reason)

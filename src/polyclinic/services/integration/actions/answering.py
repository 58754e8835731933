"""Second acknowledgements (enhanced mode): told once a message's work has come to its end.

They go back over the connection that the message came by while that lives, else to the system that
the channel names (`acknowledge_to`), by the same deliveries as everything that goes out. A second
answer is kept as owed together with its message: who dies before it was told tells it later, under
the same control id, so a sender may hear it twice and knows it by that.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

from prometheus_client import Counter

from polyclinic.foundation import clock, telemetry
from polyclinic.foundation.database import Row
from polyclinic.foundation.errors import NotFound, Problem
from polyclinic.foundation.vault import Unreadable
from polyclinic.foundation.work import meanwhile
from polyclinic.services.integration.actions import channels, sealing, speaking
from polyclinic.services.integration.actions.delivering import Sent
from polyclinic.services.integration.actions.receiving import moment
from polyclinic.services.integration.actions.state import Engine, raw_place
from polyclinic.services.integration.domain import ending
from polyclinic.services.integration.domain.destinations import Destination
from polyclinic.services.integration.domain.telling import Said
from polyclinic.services.integration.store import deliveries, destinations, second_answers
from polyclinic.services.integration.store.deliveries import Delivery
from polyclinic.standards.hl7v2 import Malformed, acknowledge, parse

ACKNOWLEDGEMENT = "Acknowledgement"  # the kind of delivery
LOOK_EVERY_SECONDS = 1.0
# After so long the process that held the connection would have told it: another one may.
GRACE_SECONDS = 10.0
AT_ONCE = 100
# Messages whose connection is remembered here; those of before go to the channel's system.
HELD_MAX = 10_000
Tell = Callable[[bytes], Awaitable[bool]]


class Answering:
    """One process's share of what is owed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._held: OrderedDict[UUID, Tell] = OrderedDict()
        self._more = asyncio.Event()
        self._count = Counter(
            "polyclinic_second_answers_total",
            "Application acknowledgements of enhanced mode, by what became of them.",
            ("service", "state"),
            registry=engine.running.metrics.registry,
        )

    def hold(self, message: UUID, tell: Tell) -> None:
        """Remembers the connection that a message came by, as long as it is open."""
        self._held[message] = tell
        if len(self._held) > HELD_MAX:
            self._held.popitem(last=False)
        self._more.set()

    def look(self) -> None:
        """Something has come to its end."""
        if self._held:
            self._more.set()

    @asynccontextmanager
    async def at_work(self) -> AsyncGenerator[None, None]:
        async with meanwhile(self._run()):
            yield

    async def _run(self) -> None:
        while True:
            self._more.clear()
            try:
                await self.turn()
            except Problem:
                telemetry.log("second answers not read", service="integration")
            except Exception as bug:  # noqa: BLE001 - whatever it is, it is looked at again
                telemetry.log_bug("second answers failed", bug, service="integration")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._more.wait(), LOOK_EVERY_SECONDS)

    async def turn(self) -> None:
        """Tells what is due and may be told from here."""
        database = self._engine.running.database
        held = list(self._held)
        for row in await second_answers.due(database, held, GRACE_SECONDS, AT_ONCE):
            try:
                state = await self._tell(row)
            except Problem:
                raise  # the database is away: all of them wait
            except Exception as bug:  # noqa: BLE001 - one that fails holds up no other
                telemetry.log_bug("second answer not told", bug, service="integration")
                continue
            if state:
                self._held.pop(row["message"], None)
                self._count.labels("integration", state).inc()

    async def _tell(self, row: Row) -> str:
        """What became of it; empty where another process was faster."""
        database, message = self._engine.running.database, row["message"]
        if not ending.is_wanted(row["wanted"], row["state"]):
            return await self._ended(message, "unwanted")
        if tell := self._held.get(message):
            found = await second_answers.find(database, message)
            content = await content_of(self._engine, message, found) if found else None
            if content is not None and await tell(content):
                return await self._ended(message, "sent")
        deployed = (await channels.deployed(self._engine)).get(row["channel"])
        to = deployed.channel.acknowledge_to if deployed else None
        if to and await destinations.find(database, UUID(to)) is not None:
            return await self._hand_over(message, UUID(to))
        telemetry.log("second answer lost", service="integration")
        return await self._ended(message, "lost")

    async def _ended(self, message: UUID, state: str) -> str:
        ended = await second_answers.end(self._engine.running.database, message, state)
        return state if ended else ""

    async def _hand_over(self, message: UUID, to: UUID) -> str:
        told = Said(message, "integration", ACKNOWLEDGEMENT, f"Message/{message}", clock.now(),
                    b"{}", "")  # fmt: skip
        async with self._engine.turn, self._engine.running.database.transaction() as tx:
            if not await second_answers.end(tx, message, "handed"):
                return ""
            await deliveries.tell_one(tx, to, told)
        self._engine.courier.wake.set()
        return "handed"


async def send(engine: Engine, destination: Destination, sealed: bytes, told: Delivery) -> Sent:
    """A second answer to the system that the channel names; it is asked to accept it."""
    message = told.told.event
    found = await second_answers.find(engine.running.database, message)
    content = await content_of(engine, message, found, accept="AL") if found else None
    if content is None:
        return Sent(0, skip=True)
    particulars = await sealing.unseal(engine, destination.id, sealed)
    return await speaking.tell(engine, particulars, content, control_id(message))


async def content_of(engine: Engine, message: UUID, row: Row, accept: str = "NE") -> bytes | None:
    """The second answer in the message's own marks and character set, the same bytes each time.

    None where the message was destroyed since: there is nothing left to answer to.
    """
    if row["sealed"] is None:
        return None
    try:
        (raw,) = await engine.unseal([(raw_place(message), row["sealed"])])
        channel = (await channels.need(engine, row["channel"])).channel
        read = parse(raw, channel.charset)
    except (Malformed, NotFound, Unreadable):
        return None
    code, faults = ending.answered(row["state"], row["reason"], row["problem"])
    at: datetime = row["changed"]
    made = acknowledge(read, code, faults, control_id=control_id(message), at=moment(at))
    made.set("MSH-15", accept)
    made.set("MSH-16", "NE")
    return made.write()


def control_id(message: UUID) -> str:
    """MSH-10 of a second answer: another than that of the first, which has the other end."""
    return message.hex[-20:]

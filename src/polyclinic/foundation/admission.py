"""A door lets in as many as are served at once; some wait a little, all others hear so at once.

What is let in is finished: a service that takes more than it can do does nothing in time. A queue
that empties again is a burst, and worth the wait; one that stands is overload, in which waiting
only makes every answer late. Measurements behind this: decisions/0030.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from polyclinic.foundation.errors import Overloaded
from polyclinic.foundation.telemetry import Metrics

AT_ONCE = 64  # as many as travel in one batch of a lane: more are no faster
WAITING_MAX = 256
PATIENCE = 2.0  # seconds that a burst may wait
PATIENCE_STANDING = 0.1  # and whoever comes to a queue that stood for as long as that
PLACE_BYTES = 2 * 1024 * 1024  # a longer body takes several places: memory is bounded too
SLOW_CLIENT = 1.0  # seconds of silence in a body after which its place is lent to others

_Message = Any
_Receive = Callable[[], Awaitable[_Message]]


@dataclass(slots=True, eq=False)
class _Waiter:
    places: int
    let_in: "asyncio.Future[None]"


class Admission:
    """The places of one service; first come, first served."""

    def __init__(self, metrics: Metrics, at: str, service: str, at_once: int | None = None) -> None:
        """`at` is who counts: the service itself, or the edge for one that runs elsewhere."""
        self.at_once = at_once or AT_ONCE
        self.taken = 0
        self._waiting: deque[_Waiter] = deque()
        self._standing_since = 0.0
        self._shed = metrics.refused.labels(at, f"door of {service}")
        door = (at, service)
        metrics.watch_door(door, self.at_once, lambda: self.taken, lambda: len(self._waiting))

    async def enter(self, places: int = 1) -> None:
        """Takes places, after others if need be; raises Overloaded when that would take long."""
        if not self._waiting and self.taken + places <= self.at_once:
            self.taken += places
            return
        if self.is_full():
            raise Overloaded
        loop = asyncio.get_running_loop()
        if not self._waiting:
            self._standing_since = loop.time()
        seconds = PATIENCE_STANDING if self._stands() else PATIENCE
        waiter = _Waiter(places, loop.create_future())
        self._waiting.append(waiter)
        await self._wait(waiter, loop.call_later(seconds, self._give_up, waiter))

    def is_full(self) -> bool:
        """Whether so many wait that one more must go, which is counted as done."""
        if not self._waiting:
            return False
        most = min(self.at_once, WAITING_MAX) if self._stands() else WAITING_MAX
        if len(self._waiting) < most:
            return False
        self._shed.inc()
        return True

    def _stands(self) -> bool:
        return asyncio.get_running_loop().time() - self._standing_since > PATIENCE

    def leave(self, places: int = 1) -> None:
        self.taken -= places
        self._let_in()

    def come_back(self, places: int) -> None:
        """Whoever lent his place while his client was silent is not sent away half-way."""
        self.taken += places

    async def _wait(self, waiter: _Waiter, alarm: asyncio.TimerHandle) -> None:
        try:
            await waiter.let_in
        except asyncio.CancelledError:
            if waiter.let_in.done() and not waiter.let_in.cancelled():
                self.leave(waiter.places)  # let in at the moment of leaving
            else:
                self._remove(waiter)
            raise
        finally:
            alarm.cancel()

    def _let_in(self) -> None:
        while self._waiting:
            waiter = self._waiting[0]
            if self.taken + waiter.places > self.at_once:
                return
            self._waiting.popleft()
            if not waiter.let_in.done():
                self.taken += waiter.places
                waiter.let_in.set_result(None)

    def _give_up(self, waiter: _Waiter) -> None:
        if not waiter.let_in.done():
            self._shed.inc()
            waiter.let_in.set_exception(Overloaded())
            self._remove(waiter)

    def _remove(self, waiter: _Waiter) -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)
        self._let_in()


class Visit:
    """One request inside; its place is lent to others while its client is silent."""

    def __init__(self, door: Admission, places: int, receive: _Receive) -> None:
        self._door, self._places, self._receive = door, min(places, door.at_once), receive
        self._inside = self._ended = False
        self._first: _Message | None = None

    async def enter(self, *, has_body: bool) -> None:
        """Who still has to send his first bytes waits outside."""
        if has_body:
            self._first = await self._receive()
        await self._door.enter(self._places)
        self._inside = True

    def leave(self) -> None:
        if self._inside:
            self._inside = False
            self._door.leave(self._places)

    async def receive(self) -> _Message:
        if self._first is not None:
            message, self._first = self._first, None
        elif self._ended:
            return await self._receive()
        else:
            message = await self._next()
        self._ended = not message.get("more_body", False)
        return message

    async def _next(self) -> _Message:
        asked = asyncio.ensure_future(self._receive())
        try:
            await asyncio.wait((asked,), timeout=SLOW_CLIENT)
            if not asked.done():
                self.leave()
                await asyncio.wait((asked,))
                self._door.come_back(self._places)
                self._inside = True
            return asked.result()
        finally:
            asked.cancel()


def places_of(headers: list[tuple[bytes, bytes]]) -> tuple[int, bool]:
    """How many places a request takes by the length of its body, and whether it has one."""
    for key, value in headers:
        if key == b"content-length":
            length = int(value) if value.isdigit() and len(value) < 20 else 0
            return 1 + length // PLACE_BYTES, True
        if key == b"transfer-encoding":
            return 4, True  # nobody knows yet
    return 1, False

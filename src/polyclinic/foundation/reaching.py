"""Reaching a service that runs elsewhere: its replicas take turns, and failures stay small.

A replica that fails five times in a row is left alone for a while (a circuit breaker). What cannot
have happened twice is tried again elsewhere, at most twice and out of a budget of a tenth of all
requests, so that an outage is never answered with more load. How long whoever asked will wait
travels along as the deadline.
"""

import asyncio
import random
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import httpx

FAILURES = 5
# Seconds. Who is back is asked again within the longest rest, whoever asks: after 10 s people saw
# "does not answer" long after a restart. One refused request costs little.
REST_FIRST, REST_LONGEST = 0.5, 2.0
TRIES = 3
PAUSE = 0.05  # seconds, times a random number and the number of the try
BUDGET_SHARE, BUDGET_MOST = 0.1, 20.0  # retries a request, and how many may be saved up
CONNECTIONS = 64  # at most, to each replica
DEADLINE = "x-polyclinic-deadline-ms"
_SAFE = frozenset(("GET", "HEAD"))
# Nothing has arrived at the other side.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout)
# Something may have arrived; of a read it does not matter.
_CUT = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)

# The moment, and the task that it holds for: work that a request only sets going outlives it.
_deadline: ContextVar[tuple[float, object] | None] = ContextVar("deadline", default=None)


class Late(httpx.TimeoutException):
    """Whoever asked does not wait any longer."""


class Resting(httpx.ConnectError):
    """All replicas failed of late; nobody is asked until one has rested."""


def seconds_left() -> float | None:
    """How long whoever asked us still waits; None when nobody said."""
    told = _deadline.get()
    if told is None or told[1] is not asyncio.current_task():
        return None
    return told[0] - time.monotonic()


@contextmanager
def waited_for(seconds: float | None) -> Generator[None, None, None]:
    """What is done inside is of use for so long, or for what is left of a shorter time."""
    if seconds is None:
        yield
        return
    left = seconds_left()
    until = time.monotonic() + (seconds if left is None else min(seconds, left))
    token = _deadline.set((until, asyncio.current_task()))
    try:
        yield
    finally:
        _deadline.reset(token)


def read_deadline(said: str) -> float | None:
    """Seconds, from what a caller's header says in milliseconds; None where it says nothing."""
    return int(said) / 1000 if said.isdecimal() and len(said) < 10 else None


@dataclass(slots=True)
class Breaker:
    """Closed while a replica answers; open, it lets one request through after each rest."""

    clock: Callable[[], float] = time.monotonic
    failures: int = 0
    until: float = 0.0
    # The last failure was a connection that nobody took: to ask once more costs little.
    refused: bool = False

    @property
    def is_closed(self) -> bool:
        return self.failures < FAILURES

    def may_try(self) -> bool:
        """Whether a request may go; of a resting replica only one at a time may find out."""
        if self.is_closed:
            return True
        if self.clock() < self.until:
            return False
        self.until = self.clock() + self._rest()
        return True

    def well(self) -> None:
        self.failures = 0

    def failed(self, *, refused: bool = False) -> None:
        self.failures, self.refused = self.failures + 1, refused
        if not self.is_closed:
            self.until = self.clock() + self._rest()

    def _rest(self) -> float:
        return min(REST_LONGEST, REST_FIRST * 2 ** min(self.failures - FAILURES, 8))


def _transport() -> httpx.AsyncBaseTransport:
    # Not the wire: with it, answers through a second process stood still in a story.
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=16)
    return httpx.AsyncHTTPTransport(limits=limits, trust_env=False)


@dataclass(slots=True, eq=False)
class _Replica:
    url: httpx.URL
    transport: httpx.AsyncBaseTransport
    breaker: Breaker = field(default_factory=Breaker)


class Replicas(httpx.AsyncBaseTransport):
    """One service behind one client, whichever of its replicas answers."""

    def __init__(
        self,
        urls: Sequence[str],
        transport: Callable[[], httpx.AsyncBaseTransport] | None = None,
        dice: random.Random | None = None,
    ) -> None:
        make = transport or _transport
        self._replicas = [_Replica(httpx.URL(url), make()) for url in urls]
        self._dice = dice or random.Random()  # noqa: S311 - jitter, no secret
        self._turn = 0
        self._budget = BUDGET_MOST

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises httpx's own errors, the last one when several replicas failed."""
        self._budget = min(BUDGET_MOST, self._budget + BUDGET_SHARE)
        failed: httpx.TransportError = Resting("No replica is well.", request=request)
        tried: list[_Replica] = []
        self._turn += 1
        for attempt in range(TRIES):
            if attempt and not await self._may_try_again(attempt):
                break
            replica = self._next(attempt, tried)
            if replica is None:
                continue  # somebody is finding out whether one is back: after a pause it is known
            tried.append(replica)
            try:
                return await self._ask(replica, request)
            except _NOT_SENT as lost:
                failed = lost
            except _CUT as lost:
                failed = lost
                if request.method not in _SAFE:
                    break
        raise failed

    async def aclose(self) -> None:
        for replica in self._replicas:
            await replica.transport.aclose()

    def _next(self, attempt: int, tried: Sequence[_Replica]) -> _Replica | None:
        """Another one in turn, or the same again where there is no other."""
        start = (self._turn + attempt) % len(self._replicas)
        ring = self._replicas[start:] + self._replicas[:start]
        others = [each for each in ring if each not in tried]
        found = next((each for each in others if each.breaker.may_try()), None)
        if found is None and tried:
            # The one that seemed well has gone. Another that took no connections of late may be
            # back before its rest is over: so it is when replicas are restarted in turn.
            found = next((each for each in others if each.breaker.refused), None)
        return found or next((each for each in tried if each.breaker.may_try()), None)

    async def _may_try_again(self, attempt: int) -> bool:
        pause = PAUSE * attempt * (0.5 + self._dice.random())
        left = seconds_left()
        if self._budget < 1 or (left is not None and left <= pause):
            return False
        self._budget -= 1
        await asyncio.sleep(pause)
        return True

    async def _ask(self, replica: _Replica, request: httpx.Request) -> httpx.Response:
        _aim(request, replica.url)
        try:
            answer = await replica.transport.handle_async_request(request)
        except httpx.PoolTimeout:
            raise  # we are the ones who are full: that says nothing about the replica
        except httpx.TransportError as lost:
            replica.breaker.failed(refused=isinstance(lost, httpx.ConnectError))
            raise
        replica.breaker.well()
        return answer


def _aim(request: httpx.Request, url: httpx.URL) -> None:
    """Sends it to this replica, for no longer than whoever asked will wait."""
    left = seconds_left()
    if left is not None and left <= 0:
        raise Late("Whoever asked does not wait any longer.", request=request)
    if left is not None:
        timeouts = {
            kind: left if seconds is None else min(seconds, left)
            for kind, seconds in request.extensions.get("timeout", {}).items()
        }
        request.extensions = {**request.extensions, "timeout": timeouts}
        request.headers[DEADLINE] = str(int(left * 1000))
    request.url = request.url.copy_with(scheme=url.scheme, host=url.host, port=url.port)

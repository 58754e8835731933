"""Lanes: requests that arrive while statements are in flight travel together in the next one.

There are no timers: alone a request goes at once, under load batches grow by themselves.
Measurements behind this: decisions/0003.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from polyclinic.foundation import tracing
from polyclinic.foundation.errors import Overloaded, Problem, Unavailable
from polyclinic.foundation.telemetry import Metrics

Ask = TypeVar("Ask")
Answer = TypeVar("Answer")

BATCH_MAX = 64  # beyond this a statement grows slower than it saves
WAITING_MAX = 4096  # more than that waits longer than a client will


class Lane(Generic[Ask, Answer]):
    """`parallel` statements in flight; `run` gives each ask of a batch an answer or a Problem."""

    def __init__(
        self,
        name: str,
        run: Callable[[list[Ask]], Awaitable[Sequence["Answer | Problem"]]],
        metrics: Metrics,
        *,
        parallel: int = 1,
    ) -> None:
        self._run, self._said = run, {"polyclinic.lane": name}
        self._waiting: list[tuple[Ask, asyncio.Future[Answer]]] = []
        self._idle = parallel
        self._tasks: set[asyncio.Task[None]] = set()
        self._sizes = metrics.lane_size.labels(metrics.service, name)
        self._shed = metrics.refused.labels(metrics.service, name)
        # Counted when somebody looks, so that asking costs nothing.
        metrics.lane_waiting.labels(metrics.service, name).set_function(lambda: len(self._waiting))

    async def ask(self, what: Ask) -> Answer:
        """Waits for the answer; raises the Problem that belongs to this ask alone."""
        if len(self._waiting) >= WAITING_MAX:
            self._shed.inc()
            raise Overloaded
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((what, answer))
        if self._idle:
            self._idle -= 1
            task = asyncio.create_task(self._drain())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        with tracing.span("client", "lane", said=self._said, is_leaf=True):
            return await answer

    async def _drain(self) -> None:
        tracing.forget()
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
                live = [(what, answer) for what, answer in batch if not answer.cancelled()]
                if live:
                    await self._carry(live)
        finally:
            self._idle += 1

    async def _carry(self, batch: list[tuple[Ask, "asyncio.Future[Answer]"]]) -> None:
        self._sizes.observe(len(batch))
        try:
            answers = await self._run([what for what, _ in batch])
        except Unavailable as problem:
            # What the database cannot do for all, it cannot do for each: no storm of retries.
            _refuse(batch, problem)
        except asyncio.CancelledError as stopped:
            _refuse(batch, stopped)
            raise
        except Exception as bug:  # noqa: BLE001 - whoever waits must learn of it; the door logs it
            await self._carry_singly(batch, bug)
        else:
            for (_, future), answer in zip(batch, answers, strict=True):
                _settle(future, answer)

    async def _carry_singly(
        self, batch: list[tuple[Ask, "asyncio.Future[Answer]"]], bug: Exception
    ) -> None:
        """One poisoned row must not fail its neighbours: everybody is asked again alone."""
        if len(batch) == 1:
            _refuse(batch, bug)
            return
        for single in batch:
            await self._carry([single])


def _settle(future: "asyncio.Future[Answer]", answer: "Answer | Problem") -> None:
    if future.done():
        return
    if isinstance(answer, Problem):
        future.set_exception(answer)
    else:
        future.set_result(answer)


def _refuse(batch: "list[tuple[Ask, asyncio.Future[Answer]]]", why: BaseException) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(why)

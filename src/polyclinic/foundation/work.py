"""Work that would hold up the event loop is done elsewhere, or beside, a little at a time."""

import asyncio
import functools
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, ParamSpec, TypeVar

from polyclinic.foundation import telemetry

P = ParamSpec("P")
R = TypeVar("R")

# Two threads at most: Argon2 takes 19 MiB and a core for as long as it runs.
_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="work")


async def in_thread(task: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Runs a function in one of at most two threads."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads, functools.partial(task, *args, **kwargs))


@asynccontextmanager
async def meanwhile(*loops: Coroutine[Any, Any, object]) -> AsyncGenerator[None, None]:
    """Runs loops beside a block and ends them with it; returns when every one has ended.

    A loop that fails harms neither the block nor the other loops: its bug goes to the log.
    """
    tasks = [asyncio.create_task(_logged(loop)) for loop in loops]
    try:
        yield
    finally:
        # A wait that ends just as it is cancelled may keep the cancellation to itself
        # (asyncio.wait_for, Python 3.11): whoever goes on is told again.
        going = set(tasks)
        while going:
            for task in going:
                task.cancel()
            _, going = await asyncio.wait(going, timeout=1)
        for loop in loops:
            loop.close()  # one that was ended before its first step would be warned of


async def _logged(loop: Coroutine[Any, Any, object]) -> None:
    try:
        await loop
    except Exception as bug:  # noqa: BLE001 - the block that it runs beside goes on
        telemetry.log_bug("a loop ended", bug)


class Pace:
    """Lets others run: after every 50 steps or 5 ms of a long loop, whichever comes first."""

    def __init__(self, steps: int = 50, seconds: float = 0.005) -> None:
        self._steps, self._seconds = steps, seconds
        self._count, self._since = 0, asyncio.get_running_loop().time()

    async def step(self) -> None:
        self._count += 1
        loop = asyncio.get_running_loop()
        if self._count >= self._steps or loop.time() - self._since >= self._seconds:
            await asyncio.sleep(0)
            self._count, self._since = 0, loop.time()

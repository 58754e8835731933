"""Work that would hold up the event loop is done elsewhere, a little at a time."""

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

# Two threads at most: Argon2 takes 19 MiB and a core for as long as it runs.
_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="work")


async def in_thread(task: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Runs a function in one of at most two threads."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads, functools.partial(task, *args, **kwargs))


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

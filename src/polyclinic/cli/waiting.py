"""Working until somebody says stop: Ctrl-C, SIGTERM, a closed terminal."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Does the work until its end or until a stop is asked, and waits while it tidies up."""
    task = asyncio.create_task(work)
    asked = False

    def stop() -> None:
        # A second Ctrl-C must not interrupt the tidying up.
        nonlocal asked
        if not asked:
            asked = True
            task.cancel()

    loop = asyncio.get_running_loop()
    for word in STOPPING:
        loop.add_signal_handler(word, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not asked:
            raise
    finally:
        for word in STOPPING:
            loop.remove_signal_handler(word)


async def first_of(*works: Coroutine[Any, Any, None]) -> None:
    """Does all of it until one ends or fails; the rest is cancelled and awaited."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

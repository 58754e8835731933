"""Work beside the platform: niced processes of our own that are asked one thing at a time.

A worker is this module run as a program that is told what to do by name (`module:function`, which
makes the function that answers); it ends when its standard input does. What it does may take long,
use much memory or crash: the loop stays free.
"""

import asyncio
import contextlib
import importlib
import os
import struct
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import BinaryIO

from polyclinic.foundation.errors import Problem, Unavailable

NICE = 10
SECONDS = 60.0
_SIZE = struct.Struct(">I")
_GOOD, _BAD = b"+", b"-"


class NotDone(Problem):
    """The worker could not make anything of what it was asked."""


class Aside:
    """A few workers; who asks waits for the first that is free."""

    def __init__(self, work: str, workers: int, seconds: float = SECONDS) -> None:
        self._free: asyncio.LifoQueue[_Worker] = asyncio.LifoQueue()
        self._workers = [_Worker(work, seconds) for _ in range(workers)]
        for worker in self._workers:
            self._free.put_nowait(worker)

    async def ask(self, content: bytes) -> bytes:
        """Raises NotDone where the worker refuses, Unavailable where it dies or takes too long."""
        worker = await self._free.get()
        try:
            return await worker.ask(content)
        finally:
            self._free.put_nowait(worker)

    async def close(self) -> None:
        for worker in self._workers:
            await worker.stop()


@asynccontextmanager
async def aside(work: str, workers: int, seconds: float = SECONDS) -> AsyncGenerator[Aside, None]:
    """Workers start with the first question: a process that asks nothing pays nothing.

    `seconds` is how long one answer may take.
    """
    at_work = Aside(work, workers, seconds)
    try:
        yield at_work
    finally:
        await at_work.close()


class _Worker:
    """One process, asked for one thing at a time."""

    def __init__(self, work: str, seconds: float) -> None:
        self._work, self._seconds = work, seconds
        self._process: asyncio.subprocess.Process | None = None

    async def ask(self, content: bytes) -> bytes:
        """A worker that died before is replaced once."""
        for last in (False, True):
            process = await self._started()
            try:
                async with asyncio.timeout(self._seconds):
                    return await _asked(process, content)
            except (OSError, EOFError, TimeoutError) as lost:
                await self.stop()
                if last:
                    raise Unavailable("This cannot be made at the moment.") from lost
            except asyncio.CancelledError:
                # Its answer would be taken for the next one's.
                await self.stop()
                raise
        raise AssertionError

    async def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "polyclinic.foundation.aside",
                self._work,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for the platform, which lets it finish
            )
        return self._process


async def _asked(process: asyncio.subprocess.Process, content: bytes) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(_SIZE.pack(len(content)) + content)
    await process.stdin.drain()
    state = await process.stdout.readexactly(1)
    (size,) = _SIZE.unpack(await process.stdout.readexactly(_SIZE.size))
    answer = await process.stdout.readexactly(size)
    if state == _BAD:
        raise NotDone
    return answer


def serve(asked: BinaryIO, answers: BinaryIO, work: Callable[[bytes], bytes | None]) -> None:
    """The worker's side: answers until there are no more questions; None is a refusal."""
    os.nice(NICE)
    while len(head := asked.read(_SIZE.size)) == _SIZE.size:
        made = work(asked.read(_SIZE.unpack(head)[0]))
        state, content = (_BAD, b"") if made is None else (_GOOD, made)
        answers.write(state + _SIZE.pack(len(content)) + content)
        answers.flush()


def _work(name: str) -> Callable[[bytes], bytes | None]:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer, _work(sys.argv[1]))

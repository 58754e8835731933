"""Paper: accessible PDFs (PDF/UA-1) from typst templates, set in niced processes of their own.

Values travel as JSON beside the template and are never written into it, so they cannot be markup.
A worker is this module run as a program; it ends when its standard input does.
"""

import asyncio
import contextlib
import os
import struct
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from polyclinic.foundation.errors import Problem, Unavailable

FONTS = Path(__file__).parent / "look" / "fonts"
WORKERS = 2
NICE = 10
SECONDS = 60.0
SIZE_MAX = 32 * 1024 * 1024
_SIZE = struct.Struct(">I")
_GOOD, _BAD = b"+", b"-"


class NotSet(Problem):
    """The document could not be made."""


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What a worker is asked for; `data` is JSON."""

    template: str
    data: str


class Typesetter:
    """A few workers; a sheet waits for the first that is free."""

    def __init__(self, workers: int = WORKERS) -> None:
        self._free: asyncio.LifoQueue[_Worker] = asyncio.LifoQueue()
        self._workers = [_Worker() for _ in range(workers)]
        for worker in self._workers:
            self._free.put_nowait(worker)

    async def pdf(self, template: Path, values: object) -> bytes:
        """Raises NotSet when the template and the values do not go together."""
        sheet = _Sheet(str(template), msgspec.json.encode(values).decode())
        worker = await self._free.get()
        try:
            return await worker.set(sheet)
        finally:
            self._free.put_nowait(worker)

    async def close(self) -> None:
        for worker in self._workers:
            await worker.stop()


@asynccontextmanager
async def typesetter(workers: int = WORKERS) -> AsyncGenerator[Typesetter, None]:
    """Workers start with the first sheet: a process that prints nothing pays nothing."""
    at_work = Typesetter(workers)
    try:
        yield at_work
    finally:
        await at_work.close()


class _Worker:
    """One process, asked for one sheet at a time."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def set(self, sheet: _Sheet) -> bytes:
        """A worker that died before is replaced once."""
        for last in (False, True):
            process = await self._started()
            try:
                async with asyncio.timeout(SECONDS):
                    return await _asked(process, sheet)
            except (OSError, EOFError, TimeoutError) as lost:
                await self.stop()
                if last:
                    raise Unavailable("Documents cannot be made at the moment.") from lost
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
                "polyclinic.foundation.typesetting",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for the platform, which lets it finish
            )
        return self._process


async def _asked(process: asyncio.subprocess.Process, sheet: _Sheet) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    content = msgspec.json.encode(sheet)
    process.stdin.write(_SIZE.pack(len(content)) + content)
    await process.stdin.drain()
    state = await process.stdout.readexactly(1)
    (size,) = _SIZE.unpack(await process.stdout.readexactly(_SIZE.size))
    answer = await process.stdout.readexactly(size)
    if state == _BAD:
        raise NotSet
    return answer


def _work(asked: BinaryIO, answers: BinaryIO) -> None:
    """Sets sheets until there are no more; typst and its typefaces are loaded once."""
    import typst  # noqa: PLC0415 - the platform's own processes never load it

    os.nice(NICE)
    fonts = typst.Fonts(include_system_fonts=False, font_paths=[str(FONTS)])
    compiler = typst.Compiler(font_paths=fonts)
    while len(head := asked.read(_SIZE.size)) == _SIZE.size:
        sheet = msgspec.json.decode(asked.read(_SIZE.unpack(head)[0]), type=_Sheet)
        try:
            state, content = _GOOD, _set(compiler, sheet)
        except RuntimeError:  # typst's own; its message may quote what the sheet says
            state, content = _BAD, b""
        answers.write(state + _SIZE.pack(len(content)) + content)
        answers.flush()


def _set(compiler: "object", sheet: _Sheet) -> bytes:
    """Letters that our typefaces lack would stop PDF/UA: they are shown as boxes instead."""
    try:
        return _compiled(compiler, sheet.template, sheet.data)
    except RuntimeError:
        return _compiled(compiler, sheet.template, "".join(map(_shown, sheet.data)))


def _compiled(compiler: "object", template: str, data: str) -> bytes:
    made = compiler.compile(  # pyright: ignore
        input=template,
        root=str(Path(template).parent),  # a template reads the files beside it and no others
        format="pdf",
        sys_inputs={"data": data},
        pdf_standards=["ua-1"],
    )
    assert isinstance(made, bytes)
    return made


# Latin with its extensions, Greek, Cyrillic, and the marks of ordinary text.
_LETTERS = ((0x20, 0x24F), (0x370, 0x3FF), (0x400, 0x4FF), (0x1E00, 0x1EFF), (0x2010, 0x2027),
            (0x2030, 0x203A), (0x20A0, 0x20B5))  # fmt: skip


def _shown(letter: str) -> str:
    return letter if any(a <= ord(letter) <= b for a, b in _LETTERS) else "\N{WHITE SQUARE}"


if __name__ == "__main__":
    _work(sys.stdin.buffer, sys.stdout.buffer)

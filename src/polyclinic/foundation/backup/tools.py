"""PostgreSQL's own tools: fixed words, no shell, the password never among the words."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from polyclinic.foundation.errors import Unavailable

Progress = Callable[[float], None]  # the share that is done, 0 to 1
_PERCENT = re.compile(rb"\((\d{1,3})%\)")


class ToolFailed(Unavailable):
    """A tool of PostgreSQL ended with an error."""


def unseen(_: float) -> None:
    """Progress that nobody looks at."""


async def run_tool(
    binary: Path, *words: str | Path, password: str = "", progress: Progress = unseen
) -> str:
    """Runs one to its end; answers what it printed, or raises ToolFailed with its last sentence."""
    try:
        process = await asyncio.create_subprocess_exec(
            binary,
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "PGPASSWORD": password},
        )
    except OSError as refused:
        raise ToolFailed(f"{binary.name} cannot be run: {refused.strerror}.") from refused
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        printed, told = await asyncio.gather(
            process.stdout.read(), _listen(process.stderr, progress)
        )
        code = await process.wait()
    except BaseException:
        # Whoever is told to stop must not leave a tool at work behind.
        process.kill()
        await process.wait()
        raise
    if code != 0:
        raise ToolFailed(f"{binary.name} failed: {_reason(told or printed)}.")
    return printed.decode(errors="replace")


def without_password(url: str) -> tuple[str, str]:
    """An address that may stand among a command's words, and the password apart from it."""
    parts = urlsplit(url)
    _, _, host = parts.netloc.rpartition("@")
    netloc = f"{quote(unquote(parts.username or ''))}@{host}"
    return urlunsplit(parts._replace(netloc=netloc)), unquote(parts.password or "")


async def _listen(stream: asyncio.StreamReader, progress: Progress) -> bytes:
    """All that a tool says; each percentage in it is passed on."""
    told = b""
    while piece := await stream.read(4096):
        told = (told + piece)[-64_000:]
        if shares := _PERCENT.findall(piece):
            progress(min(int(shares[-1]), 100) / 100)
    return told


def _reason(told: bytes) -> str:
    lines = [line.strip() for line in re.split(r"[\r\n]", told.decode(errors="replace"))]
    said = [line for line in lines if "error" in line.lower() or "FATAL" in line] or lines
    last = next((line for line in said if line), "it ended without a word")
    return re.sub(r"^pg_\w+: (error: )?", "", last).rstrip(".")

"""Where the story of `polyclinic migration demo` plays: processes, addresses, and who leads."""

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from rich.console import Console

from polyclinic.cli.operator import Operator
from polyclinic.foundation.errors import Unavailable


@dataclass(slots=True)
class Stage:
    """Where the story plays: the old clinic, the platform, and somebody who leads."""

    folder: Path
    console: Console
    legacy_url: str = ""
    copy_url: str = ""
    gateway_url: str = ""
    operator: Operator | None = None
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def leader(self) -> Operator:
        assert self.operator is not None, "the platform starts in an earlier chapter"
        return self.operator

    @property
    def legacy(self) -> Path:
        return self.folder / "harbor"

    def say(self, text: str) -> None:
        self.console.print(f"  {text}")


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


@asynccontextmanager
async def program(
    words: Sequence[str], surroundings: Mapping[str, str] | None = None
) -> AsyncGenerator[None, None]:
    """Another process of this Python, until the story ends."""
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *words,
        stdout=quiet,
        stderr=quiet,
        env={**os.environ, **(surroundings or {})},
    )
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def answers(url: str, until: float) -> None:
    """Waits until something answers there; raises Unavailable when it does not in time."""
    async with httpx.AsyncClient() as client:
        while time.monotonic() < until:
            with contextlib.suppress(httpx.TransportError):
                if (await client.get(url)).is_success:
                    return
            await asyncio.sleep(0.2)
    raise Unavailable(f"Nothing answers at {url}.")

"""A web server in this process: it answers when it is announced, and stops with its task."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any

from granian.constants import Interfaces
from granian.server.embed import Server

from polyclinic.foundation.errors import Invalid, Unavailable


class PortTaken(Invalid):
    """Another program already uses that port."""


async def serve(
    app: Any,
    host: str,
    port: int,
    ready: Callable[[], None] | None = None,
    stopping: Callable[[], None] | None = None,
) -> None:
    """Serves until cancelled; a taken port is refused before anything is announced.

    Requests at work are answered before the end; `stopping` lets go of those that only wait.
    """
    check_port(host, port)
    server = Server(
        app,
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        backlog=1024,
        websockets=False,
        log_enabled=False,
    )
    task = asyncio.create_task(server.serve())
    try:
        await _answering(host, port, task)
        if ready is not None:
            ready()
        await asyncio.shield(task)
    finally:
        if stopping is not None:
            stopping()
        server.stop()
        with contextlib.suppress(asyncio.CancelledError, TimeoutError):
            await asyncio.wait_for(task, 10)


async def _answering(host: str, port: int, task: "asyncio.Task[None]") -> None:
    for _ in range(200):
        if task.done():
            task.result()
            raise Unavailable("The web server stopped as soon as it started.")
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            return
        await asyncio.sleep(0.02)
    raise Unavailable(f"The web server does not answer on {host}:{port}.")


def check_port(host: str, port: int) -> None:
    """Refuses a taken port before anything is started for it."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as taken:
            raise PortTaken(
                f"Port {port} is already in use. Stop the other program, or choose another "
                "port: --port N.",
                place="--port",
            ) from taken

"""The door in front of both sides, open while the service runs and a port is set for it."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from polyclinic.foundation import serving
from polyclinic.foundation.service import Running
from polyclinic.foundation.work import meanwhile
from polyclinic.services.migration.actions.opening import open_passage
from polyclinic.services.migration.actions.plane import Plane
from polyclinic.services.migration.actions.shadowing import Shadows
from polyclinic.services.migration.actions.state import Passage
from polyclinic.services.migration.gateways.upstreams import Upstreams
from polyclinic.services.migration.listeners.gateway import Gateway


@asynccontextmanager
async def open_with_gateway(running: Running) -> AsyncGenerator[Passage, None]:
    """The service; with `gateway_port` also its gateway."""
    async with open_passage(running) as passage:
        if not running.settings.gateway_port:
            yield passage
            return
        async with open_gateway(running) as gateway, _listening(running, gateway):
            yield passage


@asynccontextmanager
async def open_gateway(running: Running) -> AsyncGenerator[Gateway, None]:
    """The gateway as an application, with its loops; requests in flight end on their side."""
    settings = running.settings
    plane = Plane(running, Upstreams(settings.legacy_url, settings.candidate_url))
    shadows = Shadows(plane)
    await plane.look()
    try:
        async with meanwhile(plane.keep_fresh(), *shadows.loops()):
            yield Gateway(plane, shadows)
    finally:
        await plane.last_word()
        await plane.upstreams.close()


@asynccontextmanager
async def _listening(running: Running, gateway: Gateway) -> AsyncGenerator[None, None]:
    settings = running.settings
    up = asyncio.Event()
    serving.check_port(settings.gateway_host, settings.gateway_port)
    task = asyncio.create_task(
        serving.serve(gateway, settings.gateway_host, settings.gateway_port, up.set)
    )
    started = asyncio.create_task(up.wait())
    try:
        await asyncio.wait((task, started), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield
    finally:
        started.cancel()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

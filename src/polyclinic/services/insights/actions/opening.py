"""Brings insights to life."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from polyclinic.foundation.service import Running
from polyclinic.services.insights.actions.meters import Meters
from polyclinic.services.insights.actions.state import Engine
from polyclinic.services.insights.actions.working import Worker


@asynccontextmanager
async def open_engine(running: Running) -> AsyncGenerator[Engine, None]:
    engine = Engine(running, Meters(running.metrics))
    async with Worker(engine).running():
        yield engine

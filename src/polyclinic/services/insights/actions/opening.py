"""Brings insights to life."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from polyclinic.foundation.service import Running
from polyclinic.services.insights.actions.state import Engine


@asynccontextmanager
async def open_engine(running: Running) -> AsyncGenerator[Engine, None]:
    yield Engine(running)

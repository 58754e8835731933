"""Brings migration to life."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from polyclinic.foundation.service import Running
from polyclinic.services.migration.actions.state import Passage


@asynccontextmanager
async def open_passage(running: Running) -> AsyncGenerator[Passage, None]:
    yield Passage(running)

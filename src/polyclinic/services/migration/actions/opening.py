"""Brings migration to life."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from polyclinic.foundation.service import Running
from polyclinic.services.migration.actions.state import Passage


@asynccontextmanager
async def open_passage(running: Running) -> AsyncGenerator[Passage, None]:
    passage = Passage(running)
    try:
        yield passage
    finally:
        for _, way in passage.ways.values():
            await way.rows.close()

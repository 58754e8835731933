"""What a running migration service holds; all of it is safe to lose."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from polyclinic.foundation.database import Database
from polyclinic.foundation.once import Act, Once, Stored, carried
from polyclinic.foundation.service import Running
from polyclinic.services.migration.settings import MigrationSettings


@dataclass(slots=True)
class Passage:
    """The state of the service."""

    running: Running
    # Old systems by name: the version of their set-up, and the way to them.
    ways: dict[str, tuple[int, Any]] = field(default_factory=dict[str, tuple[int, Any]])
    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    moving: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def settings(self) -> MigrationSettings:
        return self.running.settings

    @property
    def database(self) -> Database:
        return self.running.database

    async def carried(self, key: Once | None, act: Act) -> Stored:
        """Does something once for each key."""
        return await carried(self.database, key, act, self.turn)

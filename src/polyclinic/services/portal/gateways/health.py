"""Each service's own word about its health, its numbers, and the newest copy of the database."""

import asyncio
from datetime import datetime
from pathlib import Path

import msgspec

from polyclinic.foundation.backup.catalog import Catalog
from polyclinic.foundation.errors import Unavailable
from polyclinic.foundation.peers import Absent, Peers

NUMBERS_SECONDS = 3.0  # a look that waits longer is none


class Health:
    """Whether a service says that it is ready, and what it tells of itself."""

    def __init__(self, peers: Peers, backups: str | None = None) -> None:
        self._peers = peers
        self._backups = Path(backups) if backups else None

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._peers.names()))

    async def of(self, name: str) -> str:
        """ready, not ready, silent or absent"""
        try:
            answer = await self._peers.send(name, "GET", f"/{name}/health/ready")
        except Absent:
            return "absent"
        except Unavailable:
            return "silent"
        return "ready" if answer.status_code == 200 else "not ready"

    async def numbers(self, name: str) -> str | None:
        """What the service tells Prometheus; None when it does not answer."""
        path = f"/{name}/metrics"
        try:
            answer = await self._peers.send(name, "GET", path, timeout=NUMBERS_SECONDS)
        except Unavailable:
            return None
        return answer.text if answer.status_code == 200 else None

    @property
    def knows_backups(self) -> bool:
        return self._backups is not None

    async def last_backup(self) -> datetime | None:
        """When the newest copy ended; None where none is, or none can be read from here."""
        if self._backups is None:
            return None
        try:
            copies = await asyncio.to_thread(Catalog(self._backups).all)
        except (OSError, msgspec.DecodeError):
            return None
        return copies[-1].ended if copies else None

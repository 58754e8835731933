"""Records, where what is moved of charts is kept."""

from collections.abc import Sequence

import httpx

from polyclinic.foundation.service import Running
from polyclinic.services.migration.gateways.batches import Ask, Headers, Said, by_batches


class Charts:
    """Asks records by batches; raises Unavailable while it does not answer."""

    def __init__(self, running: Running) -> None:
        self._running = running

    async def ask(self, asks: Sequence[Ask]) -> list[Said]:
        return await by_batches(self._running, self._send, asks)

    async def _send(self, headers: Headers, content: bytes) -> httpx.Response:
        return await self._running.peers.send(
            "records", "POST", "/fhir", headers=headers, content=content
        )

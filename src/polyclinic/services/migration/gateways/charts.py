"""Records, where what is moved of charts is kept."""

from collections.abc import AsyncIterator, Sequence

import httpx

from polyclinic.foundation.service import Running
from polyclinic.services.migration.gateways.batches import Ask, Headers, Said, by_batches


class Charts:
    """Asks records by batches; raises Unavailable where it does not answer any more."""

    def __init__(self, running: Running) -> None:
        self._running = running

    def answers(self, asks: Sequence[Ask]) -> AsyncIterator[tuple[int, Said]]:
        return by_batches(self._running, self._send, asks)

    async def _send(self, headers: Headers, content: bytes) -> httpx.Response:
        return await self._running.peers.send(
            "records", "POST", "/fhir", headers=headers, content=content
        )

"""The trails of every service that there is, a page at a time."""

from dataclasses import dataclass

import msgspec

from polyclinic.foundation.errors import Unavailable
from polyclinic.foundation.service import Running


@dataclass(frozen=True, slots=True)
class Page:
    """Canonical bytes of rows in order, and whether more wait."""

    rows: tuple[bytes, ...]
    more: bool


class _Listed(msgspec.Struct, frozen=True):
    trails: tuple[str, ...]


class _Read(msgspec.Struct, frozen=True):
    more: bool
    rows: tuple[msgspec.Raw, ...]


class Trails:
    """Reads in audit's own name; raises Unavailable while somebody does not answer."""

    def __init__(self, running: Running) -> None:
        self._running = running

    def services(self) -> tuple[str, ...]:
        return self._running.peers.names()

    async def named(self, service: str) -> tuple[str, ...]:
        """The trails of a service; a service without any has no such door."""
        content = await self._get(service, f"/{service}/trails")
        return msgspec.json.decode(content, type=_Listed).trails if content else ()

    async def page(self, service: str, trail: str, after: tuple[int, int, int]) -> Page:
        place = ".".join(map(str, after))
        content = await self._get(service, f"/{service}/trails/{trail}?after={place}")
        if content is None:
            raise Unavailable(f"{service} has no trail {trail} any more.", place=service)
        read = msgspec.json.decode(content, type=_Read)
        return Page(tuple(bytes(row) for row in read.rows), read.more)

    async def _get(self, service: str, path: str) -> bytes | None:
        token = await self._running.tokens.for_documents()
        headers = {"authorization": f"Bearer {token}"}
        answer = await self._running.peers.send(service, "GET", path, headers=headers)
        if answer.status_code == 404:
            return None
        if answer.status_code == 401:
            self._running.tokens.forget()
        if answer.status_code != 200:
            raise Unavailable(f"The trails of {service} do not answer.", place=service)
        return answer.content

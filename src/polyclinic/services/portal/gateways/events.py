"""Each service's dead letters: events whose effect could not be brought about."""

from datetime import datetime
from typing import Protocol

import msgspec

from polyclinic.foundation.errors import NotFound
from polyclinic.foundation.peers import Peers
from polyclinic.services.portal.gateways.answers import decoded_as, refusal


class DeadLetter(msgspec.Struct, frozen=True):
    """An event that a reaction gave up; kinds and reasons, never contents."""

    event: str
    at: datetime
    source: str
    kind: str
    reason: str
    tries: int


class _Dead(msgspec.Struct, frozen=True):
    dead: list[DeadLetter]


class DeadLetters(Protocol):
    """What waits for a person, service by service."""

    async def of(self, token: str, service: str) -> list[DeadLetter] | None:
        """None where the service reacts to nothing."""
        ...

    async def again(self, token: str, service: str, event: str) -> None: ...


class HttpDeadLetters:
    """Dead letters over each service's own door."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def of(self, token: str, service: str) -> list[DeadLetter] | None:
        path = f"/{service}/events/dead"
        answer = await self._peers.send(service, "GET", path, headers=_proof(token))
        # A service that reacts to nothing has no such page, or something else at its place.
        if answer.status_code in (404, 405):
            return None
        if answer.status_code != 200:
            raise refusal(answer.status_code, service)
        return decoded_as(answer.content, _Dead, service).dead

    async def again(self, token: str, service: str, event: str) -> None:
        path = f"/{service}/events/dead/{event}/again"
        answer = await self._peers.send(service, "POST", path, headers=_proof(token))
        if answer.status_code == 404:
            raise NotFound("There is no such event here any more.", place=service)
        if answer.status_code != 200:
            raise refusal(answer.status_code, service)


def _proof(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}

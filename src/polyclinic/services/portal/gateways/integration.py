"""Integration over its JSON door as staff use it: messages, what waits for people, channels."""

from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from polyclinic.foundation.errors import Forbidden, NotFound, NotProcessable, Problem
from polyclinic.foundation.peers import Peers
from polyclinic.services.portal.domain.messages import (
    Body,
    Channel,
    Content,
    Messages,
    OneMessage,
    Question,
    Stopped,
    Waiting,
)
from polyclinic.services.portal.gateways.answers import decoded_as, refusal

NAME = "integration"
T = TypeVar("T")


class IntegrationRefused(NotProcessable):
    """Integration would not do that."""


class _Refusal(msgspec.Struct, frozen=True):
    error_description: str = ""
    place: str | None = None


class _Waiting(msgspec.Struct, frozen=True):
    waiting: list[Waiting]


class _Channels(msgspec.Struct, frozen=True):
    channels: list[Channel]


class HttpIntegration:
    """The integration service as its door speaks; every change names its try."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def messages(self, token: str, asked: dict[str, str]) -> Messages:
        """In a body: numbers of people stand in no address."""
        search = {name: value for name, value in asked.items() if value}
        answer = await self._sent(token, "POST", "/messages/search", json=search)
        return decoded_as(answer.content, Messages, NAME)

    async def message(self, token: str, message: str) -> OneMessage:
        return await self._get(token, f"/messages/{_safe(message)}", OneMessage)

    async def content(self, token: str, message: str) -> Content:
        return await self._get(token, f"/messages/{_safe(message)}/content", Content)

    async def stopped(self, token: str, message: str) -> Stopped:
        return await self._get(token, f"/messages/{_safe(message)}/desk", Stopped)

    async def waiting(self, token: str) -> list[Waiting]:
        return (await self._get(token, "/waiting", _Waiting)).waiting

    async def question(self, token: str, message: str) -> Question:
        return await self._get(token, f"/waiting/{_safe(message)}", Question)

    async def channels(self, token: str) -> list[Channel]:
        return (await self._get(token, "/channels", _Channels)).channels

    async def tell(self, token: str, key: str, path: tuple[str, ...], body: Body) -> Body:
        """A change, once for each key."""
        headers = {"idempotency-key": key}
        address = "".join(f"/{_safe(part)}" for part in path)
        answer = await self._sent(token, "POST", address, headers, json=body)
        return decoded_as(answer.content, Body, NAME)

    async def _get(self, token: str, path: str, kind: type[T]) -> T:
        return decoded_as((await self._sent(token, "GET", path)).content, kind, NAME)

    async def _sent(
        self,
        token: str,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        **sent: Any,
    ) -> httpx.Response:
        said = {"authorization": f"Bearer {token}", "accept": "application/json"}
        address = f"/integration{path}"
        answer = await self._peers.send(
            "integration", method, address, headers={**said, **(headers or {})}, **sent
        )
        if not answer.is_success:
            raise _refused(answer)
        return answer


def _refused(answer: httpx.Response) -> Problem:
    """What a refusal means for a page; integration's own sentence where it says one."""
    status = answer.status_code
    if status not in (400, 403, 404, 409, 422):
        return refusal(status, NAME)
    said = decoded_as(answer.content, _Refusal, NAME)
    message = said.error_description or None
    if status == 403:
        return Forbidden(message, place=NAME)
    if status == 404:
        return NotFound(message, place=NAME)
    return IntegrationRefused(message, place=said.place)


def _safe(name: str) -> str:
    return quote(name, safe="")

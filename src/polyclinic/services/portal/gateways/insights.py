"""Insights over its JSON door: a chart's risks, the worklist, what was released, and models."""

from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from polyclinic.foundation.errors import Forbidden, NotFound, NotProcessable, Problem
from polyclinic.foundation.peers import Peers
from polyclinic.services.portal.gateways.answers import decoded, decoded_as, refusal

NAME = "insights"
Body = dict[str, Any]
_KINDS: dict[int, type[Problem]] = {403: Forbidden, 404: NotFound}


class InsightsRefused(NotProcessable):
    """Insights would not do that."""


class _Issue(msgspec.Struct, frozen=True):
    message: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    error_description: str = ""
    place: str | None = None
    issues: tuple[_Issue, ...] = ()


class HttpInsights:
    """The insights service as its door speaks; every change names its try, so it is made once."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def get(self, token: str, *path: str) -> Body:
        """What stands at an address, given step by step."""
        return await self._sent(token, "GET", path)

    async def ask(self, token: str, body: Body, *path: str) -> Body:
        """A question whose words are no address: it changes nothing."""
        return await self._sent(token, "POST", path, json=body)

    async def post(self, token: str, key: str, body: Body, *path: str) -> Body:
        return await self._sent(token, "POST", path, {"idempotency-key": key[:200]}, json=body)

    async def _sent(
        self,
        token: str,
        method: str,
        path: tuple[str, ...],
        more: dict[str, str] | None = None,
        **sent: Any,
    ) -> Body:
        headers = {"authorization": f"Bearer {token}", "accept": "application/json", **(more or {})}
        place = "/".join(quote(step, safe="") for step in path)
        answer = await self._peers.send(
            "insights", method, f"/insights/{place}", headers=headers, **sent
        )
        if not answer.is_success:
            raise _refused(answer)
        return decoded(answer.content, NAME)


def _refused(answer: httpx.Response) -> Problem:
    """What a refusal means for a page, in insights' own sentence where it says one."""
    status = answer.status_code
    if status not in (400, 403, 404, 409, 422):
        return refusal(status, NAME)
    said = decoded_as(answer.content, _Refusal, NAME)
    kind = _KINDS.get(status, InsightsRefused)
    place = NAME if status in _KINDS else said.place
    return kind(said.error_description or None, place=place)

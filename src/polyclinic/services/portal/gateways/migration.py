"""Migration over its JSON door, as those who lead the move use it."""

from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from polyclinic.foundation.errors import Conflict, Forbidden, NotFound, NotProcessable, Problem
from polyclinic.foundation.peers import Peers
from polyclinic.services.portal.gateways.answers import decoded, decoded_as, refusal

NAME = "migration"
Body = dict[str, Any]
_KINDS: dict[int, type[Problem]] = {403: Forbidden, 404: NotFound}


class MoveRefused(NotProcessable):
    """Migration would not do that."""


class MovedMeanwhile(Conflict):
    """Somebody was quicker, or it may not be done yet."""


class _Refusal(msgspec.Struct, frozen=True):
    error_description: str = ""
    place: str | None = None


class HttpMigration:
    """The migration service as its door speaks; every change names its try, so it is made once."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def get(self, token: str, *path: str, **asked: str) -> Body:
        """What stands at an address, given step by step."""
        return await self._sent(token, "GET", path, params=asked)

    async def post(self, token: str, key: str, body: Body, *path: str) -> Body:
        return await self._sent(token, "POST", path, {"idempotency-key": key[:200]}, json=body)

    async def put(self, token: str, version: str, body: Body, *path: str) -> Body:
        """Puts it where it is still at this version; "" does not ask."""
        headers = {"if-match": f'"{version}"'} if version else {}
        return await self._sent(token, "PUT", path, headers, json=body)

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
            "migration", method, f"/migration/{place}", headers=headers, **sent
        )
        if not answer.is_success:
            raise _refused(answer)
        return decoded(answer.content, NAME)


def _refused(answer: httpx.Response) -> Problem:
    """What a refusal means for a page, in migration's own sentence where it says one."""
    status = answer.status_code
    if status not in (400, 403, 404, 409, 412, 413, 422):
        return refusal(status, NAME)
    said = decoded_as(answer.content, _Refusal, NAME)
    kind = _KINDS.get(status, MovedMeanwhile if status in (409, 412) else MoveRefused)
    place = NAME if status in _KINDS else said.place
    return kind(said.error_description or None, place=place)

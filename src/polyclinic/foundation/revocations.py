"""What identity has withdrawn: asked for now and then; unconfirmed for a minute, nobody gets in."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from polyclinic.foundation.errors import Problem, Unavailable

PATH = "/identity/revocations"
# Asked again from the first request after 30 s on; whoever is checked meanwhile does not wait.
ASK_SECONDS = 30.0
# What was not confirmed for so long counts as withdrawn (decisions/0013).
CLOSED_SECONDS = 60.0
# A silent identity is not asked by every request anew.
RETRY_SECONDS = 2.0


class Asks(Protocol):
    """What this needs from `Peers`."""

    async def send(self, name: str, method: str, path: str, /) -> Any: ...


class _Page(msgspec.Struct, frozen=True):
    withdrawn: frozenset[str]


def name_of(kind: str, value: str) -> str:
    """How a token, a grant or an account stands on the list: nobody reads an id from it."""
    return hashlib.sha256(f"{kind}|{value}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def names_of(claims: Mapping[str, Any]) -> frozenset[str]:
    """All names under which the token of these claims may have been withdrawn."""
    known = (("access", "jti"), ("grant", "grant_id"), ("account", "sub"))
    return frozenset(name_of(kind, str(claims[key])) for kind, key in known if key in claims)


class Revocations:
    """The list as identity last gave it."""

    def __init__(self, peers: Asks, steady: Callable[[], float]) -> None:
        self._peers, self._steady = peers, steady
        self._withdrawn: frozenset[str] = frozenset()
        self._confirmed_at = self._tried_at = float("-inf")
        self._one_at_a_time = asyncio.Lock()
        self._asking: asyncio.Task[None] | None = None

    async def covers(self, names: frozenset[str]) -> bool:
        """Whether any of these was withdrawn; raises Unavailable when nobody can say."""
        age = self._steady() - self._confirmed_at
        if age >= CLOSED_SECONDS:
            await self._ask()
            if self._steady() - self._confirmed_at >= CLOSED_SECONDS:
                raise Unavailable("Sign-ins cannot be checked at the moment; try again shortly.")
        elif age >= ASK_SECONDS and (self._asking is None or self._asking.done()):
            self._asking = asyncio.create_task(self._ask())
        return not names.isdisjoint(self._withdrawn)

    async def _ask(self) -> None:
        async with self._one_at_a_time:
            began = self._steady()
            if began - self._confirmed_at < ASK_SECONDS or began - self._tried_at < RETRY_SECONDS:
                return
            self._tried_at = began
            try:
                answer = await self._peers.send("identity", "GET", PATH)
                if answer.status_code != 200:
                    return
                page = msgspec.json.decode(answer.content, type=_Page)
            except (Problem, msgspec.DecodeError):
                # What is known serves on until it is too old; then `covers` says 503.
                return
            # As it was when it was asked for, not when the answer came.
            self._withdrawn, self._confirmed_at = page.withdrawn, began

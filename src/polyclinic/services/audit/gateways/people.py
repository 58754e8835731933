"""Who is behind an account: identity knows, and is asked in audit's own name."""

import time
from collections import OrderedDict
from collections.abc import Collection
from uuid import UUID

import msgspec

from polyclinic.foundation.errors import Unavailable
from polyclinic.foundation.service import Running
from polyclinic.services.audit.domain.events import Person

KEPT_SECONDS, KEPT_MAX, AT_ONCE = 300.0, 10_000, 500
PATH = "/identity/people"


class _Person(msgspec.Struct, frozen=True):
    id: str
    role: str
    name: str
    person: str | None = None


class _People(msgspec.Struct, frozen=True):
    people: tuple[_Person, ...]


class People:
    """Remembers for five minutes; an actor that is no account is a program."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._kept: OrderedDict[str, tuple[float, Person]] = OrderedDict()

    async def named(self, actors: Collection[str]) -> dict[str, Person]:
        """Everybody of these; raises Unavailable while identity does not answer."""
        now = time.monotonic()
        unknown = [a for a in sorted(set(actors)) if self._kept.get(a, (0.0,))[0] < now]
        accounts = [actor for actor in unknown if _is_account(actor)]
        found: dict[str, Person] = {}
        for start in range(0, len(accounts), AT_ONCE):
            found |= await self._asked(accounts[start : start + AT_ONCE])
        for actor in unknown:
            program = Person("unknown" if _is_account(actor) else "program", None)
            self._kept[actor] = now + KEPT_SECONDS, found.get(actor, program)
        told = {actor: self._kept[actor][1] for actor in actors}
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        return told

    async def _asked(self, accounts: list[str]) -> dict[str, Person]:
        token = await self._running.tokens.for_documents()
        answer = await self._running.peers.send(
            "identity",
            "POST",
            PATH,
            content=msgspec.json.encode({"accounts": accounts}),
            headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
        )
        if answer.status_code == 401:
            self._running.tokens.forget()
        if answer.status_code != 200:
            raise Unavailable("Identity does not say who somebody is.", place="identity")
        read = msgspec.json.decode(answer.content, type=_People)
        return {each.id: Person(each.role, each.name, each.person) for each in read.people}


def _is_account(actor: str) -> bool:
    try:
        return str(UUID(actor)) == actor
    except ValueError:
        return False

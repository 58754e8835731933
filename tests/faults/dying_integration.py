"""Integration in a process that kills itself at a chosen moment: `kill -9` between any two.

It runs in a nursery, where a process that is begun with `moments=(17, "any")` dies at the 17th
moment from the first message kept on; with 0 it never does, and without the word it is like any
other. What counts as a moment is said by the second word: `kept` before and after the statement
that keeps messages, so after their commit and before their acknowledgement; `owner` around each
question to an owner; `effect` around each request that changes something there, so between an
effect and the mark that it is done; `settled` around the statement that makes that
mark; `out` around each delivery to a receiver; `write` around every other write; `any` around all.
"""

import os
import re
import signal
from collections.abc import Callable
from typing import Any

import asyncpg
from nursery import tend

from polyclinic.assembly import process as _everything  # noqa: F401 - imported once for all forks
from polyclinic.cli import main
from polyclinic.foundation.outbox import reader
from polyclinic.foundation.peers import Peers
from polyclinic.services.integration.actions import delivering
from polyclinic.services.integration.gateways.outward import Outward

_WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE|COMMIT)\b")
_KEPT, _SETTLED = "INTO integration.message (", "WITH settled AS ("
# Who takes over waits for the end of what the dead one held: a test cannot wait for so long.
_HELD_SECONDS = 2


class _Moments:
    """Counts down to the end."""

    def __init__(self) -> None:
        self.left, self.kind = 0, "any"
        self.counts = False

    def one(self, kind: str) -> None:
        if self.counts and self.left and self.kind in ("any", kind):
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), signal.SIGKILL)

    def kind_of(self, query: str) -> str:
        if _KEPT in query:
            return "kept"
        return "settled" if _SETTLED in query else "write"


moments = _Moments()


def _watch_database(name: str) -> None:
    plain = getattr(asyncpg.Connection, name)

    async def watched(self: Any, query: str, *values: Any, **more: Any) -> Any:
        moments.counts |= _KEPT in query
        # With values, `execute` goes through the other method: counted there.
        if not _WRITES.search(query) or (name == "execute" and values):
            return await plain(self, query, *values, **more)
        kind = moments.kind_of(query)
        moments.one(kind)
        answer = await plain(self, query, *values, **more)
        moments.one(kind)
        return answer

    setattr(asyncpg.Connection, name, watched)


def _watch(where: Any, name: str, kind_of: Callable[..., str]) -> None:
    plain = getattr(where, name)

    async def watched(*words: Any, **more: Any) -> Any:
        kind = kind_of(*words)
        moments.one(kind)
        answer = await plain(*words, **more)
        moments.one(kind)
        return answer

    setattr(where, name, watched)


def _asks(_: Peers, name: str, method: str, path: str) -> str:
    return "owner" if method == "GET" or path.endswith("_search") else "effect"


def _run(asked: dict[str, Any]) -> int:
    if counted := asked.get("moments"):
        moments.left, moments.kind = counted
        _watch_database("execute")
        _watch_database("_execute")
        _watch(Peers, "send", _asks)
        _watch(Outward, "post", lambda *_: "out")
        reader.LEASE_SECONDS = delivering.TAKEN_SECONDS = _HELD_SECONDS
    return main(asked["words"])


if __name__ == "__main__":
    tend(_run)

"""Integration in a process that kills itself at a chosen moment: `kill -9` between any two.

`python dying_integration.py PORT` imports everything, waits for a line such as `17 any`, and
serves. It dies at the 17th moment from the first message kept on. What counts as a moment is said
by the second word: `kept` before and after the statement that keeps messages, so after their commit
and before their acknowledgement; `owner` around each request to an owner, so between an effect and
the mark that it is done; `settled` around the statement and the commit that make that mark; `out`
around each delivery to a receiver; `any` around all of these and every other write.
"""

import os
import re
import signal
import sys
from typing import Any

import asyncpg

from polyclinic.cli import main
from polyclinic.foundation.outbox import reader
from polyclinic.foundation.peers import Peers
from polyclinic.services.integration.actions import delivering
from polyclinic.services.integration.gateways.outward import Outward

_WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE|COMMIT)\b")
_KEPT, _SETTLED = "INTO integration.message (", "SELECT message, state, keys FROM settled"
# Who takes over waits for the end of what the dead one held: a test cannot wait for so long.
_HELD_SECONDS = 2


class _Moments:
    """Counts down to the end."""

    def __init__(self) -> None:
        self.left, self.kind = 0, "any"
        self.counts = False
        self.settles = False

    def one(self, kind: str) -> None:
        if self.counts and self.left and self.kind in ("any", kind):
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), signal.SIGKILL)

    def kind_of(self, query: str) -> str:
        if _KEPT in query:
            return "kept"
        if _SETTLED in query:
            self.settles = True
            return "settled"
        if query.startswith("COMMIT") and self.settles:
            self.settles = False
            return "settled"
        return "write"


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


def _watch(where: Any, name: str, kind: str) -> None:
    plain = getattr(where, name)

    async def watched(*words: Any, **more: Any) -> Any:
        moments.one(kind)
        answer = await plain(*words, **more)
        moments.one(kind)
        return answer

    setattr(where, name, watched)


if __name__ == "__main__":
    _watch_database("execute")
    _watch_database("_execute")
    _watch(Peers, "send", "owner")
    _watch(Outward, "post", "out")
    reader.LEASE_SECONDS = delivering.TAKEN_SECONDS = _HELD_SECONDS
    number, moments.kind = sys.stdin.readline().split()
    moments.left = int(number)
    sys.exit(main(["serve", "integration", "--port", sys.argv[1]]))

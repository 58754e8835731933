"""Billing in a process that kills itself at a chosen write: `kill -9` between any two of them.

`python dying_billing.py PORT` imports everything, waits for a line such as `17 any`, and serves. It
dies at the 17th moment from the first money request on: before and after each writing statement,
commit and call of the card gateway, in whatever order the requests at work come to them; `commit`
and `gateway` count those alone, where what is kept and what was said can come apart.
"""

import os
import re
import signal
import sys
from typing import Any

import asyncpg

from polyclinic.cli import main
from polyclinic.services.billing.gateways.cards.http import HttpTransport

_WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE|COMMIT)\b")
_FIRST = "INTO answered"  # the idempotency key of a request


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


moments = _Moments()


def _watch(kind: Any, name: str) -> None:
    plain = getattr(kind, name)

    async def watched(self: Any, query: str, *values: Any, **more: Any) -> Any:
        moments.counts |= _FIRST in query
        # With values, `execute` goes through the other method: counted there.
        is_write = bool(_WRITES.search(query)) and not (name == "execute" and values)
        kind = "commit" if query.startswith("COMMIT") else "write"
        if is_write:
            moments.one(kind)
        answer = await plain(self, query, *values, **more)
        if is_write:
            moments.one(kind)
        return answer

    setattr(kind, name, watched)


def _watch_gateway() -> None:
    plain = HttpTransport.ask

    async def watched(self: Any, *words: Any, **more: Any) -> Any:
        moments.one("gateway")
        answer = await plain(self, *words, **more)
        moments.one("gateway")
        return answer

    HttpTransport.ask = watched  # pyright: ignore[reportAttributeAccessIssue]


if __name__ == "__main__":
    _watch(asyncpg.Connection, "execute")
    _watch(asyncpg.Connection, "_execute")
    _watch_gateway()
    number, moments.kind = sys.stdin.readline().split()
    moments.left = int(number)
    sys.exit(main(["serve", "billing", "--port", sys.argv[1]]))

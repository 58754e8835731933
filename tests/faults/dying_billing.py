"""Billing in a process that kills itself at a chosen write: `kill -9` between any two of them.

`python dying_billing.py PORT` imports everything, waits for a line with a number, and serves. It
dies at that many moments from the first money request on: before and after each writing statement,
each commit and each call of the card gateway, in whatever order the requests at work come to them.
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
        self.left = 0
        self.counts = False

    def one(self) -> None:
        if self.counts and self.left:
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
        if is_write:
            moments.one()
        answer = await plain(self, query, *values, **more)
        if is_write:
            moments.one()
        return answer

    setattr(kind, name, watched)


def _watch_gateway() -> None:
    plain = HttpTransport.ask

    async def watched(self: Any, *words: Any, **more: Any) -> Any:
        moments.one()
        answer = await plain(self, *words, **more)
        moments.one()
        return answer

    HttpTransport.ask = watched  # pyright: ignore[reportAttributeAccessIssue]


if __name__ == "__main__":
    _watch(asyncpg.Connection, "execute")
    _watch(asyncpg.Connection, "_execute")
    _watch_gateway()
    moments.left = int(sys.stdin.readline())
    sys.exit(main(["serve", "billing", "--port", sys.argv[1]]))

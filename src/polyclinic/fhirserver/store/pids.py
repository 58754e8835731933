"""Row numbers, taken from the database a block at a time."""

import asyncio

from polyclinic.foundation.database import Database

BLOCK = 1024


class Pids:
    """Roughly ordered in time and unique; numbers of a block that is not used up are lost."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._next, self._end = 0, 0
        self._refill = asyncio.Lock()

    async def take(self, count: int) -> list[int]:
        taken: list[int] = []
        while len(taken) < count:
            if self._next == self._end:
                await self._fill()
            until = min(self._end, self._next + count - len(taken))
            taken.extend(range(self._next, until))
            self._next = until
        return taken

    async def _fill(self) -> None:
        async with self._refill:
            if self._next == self._end:
                block = await self._database.fetchval("SELECT nextval('pid_block')")
                self._next, self._end = block * BLOCK, (block + 1) * BLOCK

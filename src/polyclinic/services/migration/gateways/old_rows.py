"""Rows of an old system's database, whichever it is: what moving asks of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from polyclinic.services.migration.domain.crossing import Pair
from polyclinic.services.migration.domain.old_keys import Row


@dataclass(frozen=True, slots=True)
class Change:
    """A line of the source's log."""

    number: int
    table: str
    key: str
    origin: str


@dataclass(frozen=True, slots=True)
class News:
    """Lines that were not heard yet, and the one after which the log is read again."""

    changes: list[Change]
    settled: int


class OldRows(Protocol):
    """One database. Raises Unavailable while it does not answer."""

    async def check(self) -> None:
        """Whether all that the source names is there and may be read. Raises Invalid."""
        ...

    async def check_back(self, pair: Pair) -> None:
        """Whether rows of this pair may be written. Raises Invalid."""
        ...

    async def is_settled(self) -> bool:
        """Whether who wrote when we came has ended: a walk would miss what they write."""
        ...

    async def page(self, pair: Pair, after: Any, limit: int) -> list[Row]:
        """The next rows by key."""
        ...

    async def rows(self, pair: Pair, keys: Sequence[Any]) -> list[Row]: ...

    async def newest(self) -> int:
        """The number of the last line of the log."""
        ...

    async def changes(self, after: int, limit: int) -> list[Change]:
        """Lines behind a number, whether or not they were heard."""
        ...

    async def news(self, settled: int, limit: int) -> News:
        """Lines that were not heard yet, about so many at most."""
        ...

    def heard(self, news: News) -> None:
        """They had their effect and need not be told again."""
        ...

    async def lookup(self, pair: Pair, by: str, values: Iterable[str]) -> dict[str, str]:
        """Keys of the rows in which the column `by` has these values."""
        ...

    async def values(self, pair: Pair, by: str, keys: Iterable[str]) -> dict[str, str]:
        """The other way round: what the column `by` says in the rows of these keys."""
        ...

    async def written(self, pair: Pair, tag: str) -> str | None:
        """The key of the row that was made under this name before a crash, if one was."""
        ...

    async def ours(self, pair: Pair, keys: Sequence[str]) -> set[str]:
        """Which of these rows we made ourselves, whether or not we came to note it."""
        ...

    async def update(self, pair: Pair, was: Row, changed: Mapping[str, Any], tag: str) -> bool:
        """Changes the row if it still says what it `was`; whether it did. Raises Refused."""
        ...

    async def insert(self, pair: Pair, key: str | None, row: Mapping[str, Any], tag: str) -> str:
        """Makes a row, once for each tag; its key is the database's where none is given.

        Raises Refused.
        """
        ...

    async def close(self) -> None: ...

"""Which lines of a log were heard, and up to where none can still appear. Pure.

Numbers of lines are drawn before they are committed: a transaction that takes long commits a low
number late, behind lines that were read. So a line counts as settled only when every transaction
that had begun to write before it was seen has ended, and until then the log is read again from
the last settled line on.
"""

from collections.abc import Iterable


class Window:
    """What lies above the last settled line; a restart hears it again, which does no harm."""

    def __init__(self) -> None:
        self._heard: set[int] = set()
        # (a line that was seen, the first transaction that began after that), both ascending
        self._marks: list[tuple[int, int]] = []

    def is_heard(self, number: int) -> bool:
        return number in self._heard

    def hear(self, numbers: Iterable[int]) -> None:
        self._heard.update(numbers)

    @property
    def top(self) -> int:
        """The highest line that a mark stands at."""
        return self._marks[-1][0] if self._marks else 0

    def mark(self, number: int, following: int) -> None:
        """Whoever drew a number up to this one is a transaction before `following`."""
        self._marks.append((number, following))

    def settled(self, read_to: int, horizon: int) -> int:
        """The last line before which none will appear; 0: none is known.

        All transactions before `horizon` had ended when the log was read up to `read_to`.
        """
        found = [n for n, following in self._marks if n <= read_to and following <= horizon]
        return max(found, default=0)

    def forget(self, settled: int) -> None:
        self._heard = {number for number in self._heard if number > settled}
        self._marks = [mark for mark in self._marks if mark[0] > settled]

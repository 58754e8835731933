"""A way in stations: what is done, where something is now, and what is still ahead."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Step:
    """One station: done, now or ahead, with the moment it was reached where that is known."""

    word: str
    mark: str
    tone: str = ""
    at: datetime | None = None


def stations(words: Sequence[str], now: int, tone: str = "") -> list[Step]:
    """The whole way with where it stands; a `now` behind the last word says that all is done."""
    return [
        Step(word, "done" if at < now else "now" if at == now else "ahead", tone * (at == now))
        for at, word in enumerate(words)
    ]

"""When a card is shown and when it is held back: budgets, repeats, and a group shown nothing.

Alerts that come too often are not read (override rates of 49 to 96 % in van der Sijs 2006); a group
that is shown nothing is the only way to know whether showing helps.
"""

from collections.abc import Iterable
from dataclasses import dataclass

SHOWN = ""
CRITICAL = 2


@dataclass(frozen=True, slots=True)
class Budget:
    """What is left for one viewer: cards of today, cards of this call."""

    today: int
    call: int


def held(urgency: int, budget: Budget, *, is_held_out: bool, is_repeat: bool) -> str:
    """Why a card is held back; empty where it is shown. What is critical waits for nothing but
    the same card again: safety is no experiment, and no matter of budgets."""
    if is_repeat:
        return "repeat"
    if urgency >= CRITICAL:
        return SHOWN
    if is_held_out:
        return "hold-out"
    return SHOWN if budget.today > 0 and budget.call > 0 else "budget"


def is_repeat(
    urgency: int, card: tuple[str, str, bytes], seen: Iterable[tuple[str, str, bytes]]
) -> bool:
    """Whether the viewer has seen a card of this method and band; by `basis`, the third, what is
    critical is news again once it rests on something else: another day, other vital signs."""
    if urgency >= CRITICAL:
        return card in seen
    return card[:2] in {each[:2] for each in seen}


def is_held_out(digest: bytes, percent: int) -> bool:
    """Whether somebody belongs to the group; `digest` is a keyed hash of theirs, so that it is
    always the same people, and growing the group only adds to it."""
    return int.from_bytes(digest[:8], "big") % 100 < percent

"""Paths into a message: `PID-3[2].4.2`, `OBX[3]-5`, and within a segment `3[2].4.2`."""

import re
from functools import lru_cache
from typing import NamedTuple

NUMBER_MAX = 99_999  # of a field, a repetition or a component that may be written

_WITHIN = r"([1-9]\d{0,4})(?:\[([1-9]\d{0,4})\])?(?:\.([1-9]\d{0,4}))?(?:\.([1-9]\d{0,4}))?"
_FIELD = re.compile(_WITHIN).fullmatch
_COMPONENT = re.compile(r"([1-9]\d{0,4})(?:\.([1-9]\d{0,4}))?").fullmatch
_SEGMENT = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[([1-9]\d{0,4})\])?").fullmatch


class Spot(NamedTuple):
    """A place within a segment; 0 where the path does not say."""

    field: int
    repetition: int
    component: int
    subcomponent: int


@lru_cache(8192)
def spot(path: str) -> Spot:
    """Of `3[2].4.2`. Raises ValueError for what is no path: a mistake of ours, not of a sender."""
    if not (found := _FIELD(path)):
        raise ValueError(f"{path!r} is no path within a segment")
    return Spot(*(int(number or 0) for number in found.groups()))


@lru_cache(8192)
def within_repetition(path: str) -> tuple[int, int]:
    """Of `4.2`: component and subcomponent, 0 where the path does not say."""
    if not (found := _COMPONENT(path)):
        raise ValueError(f"{path!r} is no path within a repetition")
    return int(found[1]), int(found[2] or 0)


@lru_cache(8192)
def segment_and_spot(path: str) -> tuple[str, int, Spot]:
    """Of `OBX[3]-5.1`: the name, the number among those of that name (0: not said), the rest."""
    head, dash, rest = path.partition("-")
    if not dash or not (found := _SEGMENT(head)):
        raise ValueError(f"{path!r} is no path into a message")
    return found[1], int(found[2] or 0), spot(rest)

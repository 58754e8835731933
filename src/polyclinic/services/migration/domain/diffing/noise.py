"""What the old system does not say the same way twice is no difference of the new one.

Learned from the old system asked twice. Never for severities 1 and 2: that a dose wavers is a
finding, and only a person's verdict may silence it.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from polyclinic.services.migration.domain.diffing.rules import Difference

LEARNED_MIN = 3
LEARNED_SHARE = 0.05
LOUD = 2


class Wavered(NamedTuple):
    """How often the old system was asked twice on a route, and how often a path then differed."""

    asked: int
    differed: int


def without_noise(
    found: Iterable[Difference], twice: Iterable[Difference], learned: Mapping[str, Wavered]
) -> tuple[list[Difference], list[Difference]]:
    """(what counts, what is noise): `twice` is the old system against itself at this moment."""
    wavers_now = {(difference.path, difference.kind) for difference in twice}
    wavers_now_paths = {path for path, _ in wavers_now}
    counts: list[Difference] = []
    noise: list[Difference] = []
    for difference in found:
        # Whatever just changed under our eyes is a race, whichever its severity.
        is_noise = difference.path in wavers_now_paths or is_learned(difference, learned)
        (noise if is_noise else counts).append(difference)
    return counts, noise


def is_learned(difference: Difference, learned: Mapping[str, Wavered]) -> bool:
    known = learned.get(difference.path)
    if known is None or difference.severity <= LOUD:
        return False
    return known.differed >= LEARNED_MIN and known.differed >= LEARNED_SHARE * known.asked

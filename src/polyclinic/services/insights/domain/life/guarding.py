"""A row unlike all that the model was tried on is not scored, the first of its kind included.

Drift is seen after some dozens of people. A swapped unit or a lost code shows in the first row: the
number lies far outside all that was seen, or what was never missing is. Then nothing is said.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from polyclinic.services.insights.domain.life.drift import MISSING, Sketch, bin_of, order_of

# 1.7 times beyond what was seen (three bins of 20 %): the sicker are still scored, mmol/L for mg/dL
# (18 for glucose, 39 for cholesterol, 88 for creatinine) is not. A count may be five times as high:
# it has no unit, and those with the most visits are whom one looks for.
_MARGIN, _COUNT_MARGIN = 3.0, 9.0
_NEVER = 0.01
BASELINE_MIN = 200

Row = Mapping[str, float | str | None]


@dataclass(frozen=True, slots=True)
class Strange:
    """Which feature of a row is strange; `why` is `missing`, `outside` or `unknown`."""

    feature: str
    why: str


def strange(row: Row, baseline: Mapping[str, Sketch]) -> tuple[Strange, ...]:
    """What in a row is unlike all of the baseline; nothing where there is none yet."""
    found = (_strange(name, row.get(name), sketch) for name, sketch in sorted(baseline.items()))
    return tuple(each for each in found if each is not None)


def _strange(name: str, value: float | str | None, sketch: Sketch) -> Strange | None:
    total = sum(sketch.values())
    if total < BASELINE_MIN:
        return None
    seen = bin_of(value)
    if seen in sketch:
        rare = seen == MISSING and sketch[seen] / total < _NEVER
        return Strange(name, "missing") if rare else None
    if seen == MISSING:
        return Strange(name, "missing")
    if seen.startswith("="):
        return Strange(name, "unknown")
    known = [order_of(each) for each in sketch if each != MISSING and not each.startswith("=")]
    if not known:
        return Strange(name, "unknown")
    low, high = min(known), max(known)
    # Around zero the bins of both signs meet: from 0 to the smallest counts as one step.
    margin = _COUNT_MARGIN if name.endswith(".count") else _MARGIN
    inside = low - margin <= order_of(seen) <= high + margin
    return None if inside or _small(seen, known) else Strange(name, "outside")


def _small(seen: str, known: list[float]) -> bool:
    """A count that was always 0 may be 1 or 2: not every first time is a fault."""
    size = max((abs(each) for each in known if each), default=1000.0)
    return 0.0 in known and seen[0] == "+" and order_of(seen) <= max(size, 1000.0) + 6

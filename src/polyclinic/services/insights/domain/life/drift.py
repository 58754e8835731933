"""Whether what comes in is still what the model was tried on: PSI, missing values, O over E.

Values are counted in bins of 20 % width, so that no person's value is kept. A shift counts when it
is large (PSI from 0.1 a warning, from 0.25 an alarm) and when chance would not do it: PSI times the
effective number of people is about chi-squared (Yurdakul & Naranjo 2020).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

WARN, ACT = 0.1, 0.25
MISSING_WARN, MISSING_ACT = 0.1, 0.2
SCORE = "(score)"
MISSING = "missing"
_WIDTH = math.log(1.2)
_GROUPS = 6
# Of a million looks one may be a false alarm: features times looks are many.
_CHANCE = NormalDist().inv_cdf(1 - 1e-6)
WINDOWS = (50, 100, 200)

Sketch = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing that moved: `kind` is psi, missing or ratio; `level` is warn or act."""

    feature: str
    kind: str
    value: float
    level: str


def bin_of(value: float | str | None) -> str:
    """`missing`, `=female`, or the place of a number's bin: `+12`, `0`, `-3`."""
    if value is None:
        return MISSING
    if isinstance(value, str):
        return f"={value[:40]}"
    if not math.isfinite(value):
        return MISSING
    if abs(value) < 1e-9:
        return "0"
    place = math.floor(math.log(abs(value)) / _WIDTH)
    return f"{'+' if value > 0 else '-'}{place}"


def order_of(name: str) -> float:
    """Where a number's bin lies among the others."""
    if name == "0":
        return 0.0
    # Bins begin at e^(place * width); 1e-9 has place -114, so that every one is above zero.
    size = int(name[1:]) + 1000.0
    return size if name[0] == "+" else -size


def psi(baseline: Sketch, window: Sketch) -> tuple[float, float]:
    """The population stability index of what is not missing, and what chance alone would do."""
    before = {name: count for name, count in baseline.items() if name != MISSING and count}
    now = {name: count for name, count in window.items() if name != MISSING and count}
    n, m = sum(before.values()), sum(now.values())
    if not n or not m:
        return 0.0, math.inf
    groups = _grouped(before)
    counts = [(0.0, 0.0)] * (max(groups.values(), default=0) + 1)
    for name, count in before.items():
        place = groups[name]
        counts[place] = (counts[place][0] + count, counts[place][1])
    for name, count in now.items():
        place = _place(groups, name)
        if place == len(counts):
            counts.append((0.0, 0.0))
        counts[place] = (counts[place][0], counts[place][1] + count)
    value = sum(_part(one, other, n, m, len(counts)) for one, other in counts)
    return value, (1 / n + 1 / m) * _limit(max(len(counts) - 1, 1))


def _part(before: float, now: float, n: int, m: int, groups: int) -> float:
    """Half a person in each group keeps the logarithm finite."""
    one = (before + 0.5) / (n + 0.5 * groups)
    other = (now + 0.5) / (m + 0.5 * groups)
    return (other - one) * math.log(other / one)


def _grouped(before: Sketch) -> dict[str, int]:
    """Bins of the baseline in about six groups of the same size; categories stay themselves."""
    categories = sorted(name for name in before if name.startswith("="))
    groups = {name: place for place, name in enumerate(categories)}
    numbers = sorted((name for name in before if not name.startswith("=")), key=order_of)
    total = sum(before[name] for name in numbers)
    place, filled = len(categories), 0
    for name in numbers:
        groups[name] = place
        filled += before[name]
        if filled >= total / _GROUPS:
            place, filled = place + 1, 0
    return groups


def _place(groups: Mapping[str, int], name: str) -> int:
    """The group of a bin that the baseline may never have had: its neighbour's, or a new one."""
    if name in groups:
        return groups[name]
    beyond = max(groups.values(), default=-1) + 1
    if name.startswith("="):
        return beyond
    known = [each for each in groups if not each.startswith("=")]
    if not known:
        return beyond
    order = order_of(name)
    lowest, highest = min(map(order_of, known)), max(map(order_of, known))
    if not lowest <= order <= highest:
        return beyond  # what was never seen is no neighbour of anything
    return groups[min(known, key=lambda each: abs(order_of(each) - order))]


def _limit(freedom: int) -> float:
    """The quantile of chi-squared by Wilson & Hilferty 1931."""
    share = 2 / (9 * freedom)
    return freedom * (1 - share + _CHANCE * math.sqrt(share)) ** 3


def missing_jump(baseline: Sketch, window: Sketch) -> tuple[float, float]:
    """By how much the share of missing values changed, and what chance alone would do."""
    n, m = sum(baseline.values()), sum(window.values())
    if not n or not m:
        return 0.0, math.inf
    before, now = baseline.get(MISSING, 0), window.get(MISSING, 0)
    share = (before + now + 1) / (n + m + 2)
    spread = math.sqrt(share * (1 - share) * (1 / n + 1 / m))
    return abs(now / m - before / n), _CHANCE * spread


def looked_at(feature: str, baseline: Sketch, window: Sketch) -> list[Drift]:
    """What moved in one feature between the baseline and the last people."""
    found: list[Drift] = []
    for kind, (value, chance), warn, act in (
        ("psi", psi(baseline, window), WARN, ACT),
        ("missing", missing_jump(baseline, window), MISSING_WARN, MISSING_ACT),
    ):
        if value >= warn and value > chance:
            found.append(Drift(feature, kind, value, "act" if value >= act else "warn"))
    return found


# Steyerberg's 0.8-1.25 are the limits of O/E; the chart looks for odds 1.5 times off either way,
# Steiner 2000, doi:10.1093/biostatistics/1.4.441. The limit is by simulation: see the tests.
_ODDS = 1.5
CUSUM_LIMIT = 7.0


@dataclass(frozen=True, slots=True)
class Cusum:
    """How far outcomes have run away from what was expected, upwards and downwards."""

    up: float = 0.0
    down: float = 0.0
    count: int = 0
    observed: int = 0
    expected: float = 0.0

    def then(self, chance: float, outcome: int) -> "Cusum":
        """With one more outcome, in the order of when it was foretold."""
        up = max(0.0, self.up + _weight(chance, outcome, _ODDS))
        down = max(0.0, self.down + _weight(chance, outcome, 1 / _ODDS))
        return Cusum(
            up, down, self.count + 1, self.observed + outcome, self.expected + chance
        )  # fmt: skip

    @property
    def signals(self) -> bool:
        return max(self.up, self.down) > CUSUM_LIMIT

    @property
    def ratio(self) -> float | None:
        return self.observed / self.expected if self.expected > 0 else None


def _weight(chance: float, outcome: int, odds: float) -> float:
    """The logarithm of how much more likely the outcome is at those odds."""
    return outcome * math.log(odds) - math.log(1 - chance + odds * chance)

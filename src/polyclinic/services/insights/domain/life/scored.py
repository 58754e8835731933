"""What a model says of one person, with the reasons and the exact resources behind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from polyclinic.services.insights.domain.life.guarding import Strange
from polyclinic.services.insights.domain.life.states import Registered

_BANDS = ((0, 18), (18, 40), (40, 65), (65, 80), (80, 200))


@dataclass(frozen=True, slots=True)
class Part:
    """What one feature added to the logit, the value that it had, and the resources behind it."""

    feature: str
    value: float | str | None
    amount: float
    words: str = ""
    unit: str = ""
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelScore:
    """A foretelling: `chance` from 0 to 1 within `horizon_days` of `index`, because of `trigger`.

    `base` and the parts' amounts sum to its logit. `chance` is None where the row was strange:
    then nothing is said. `shown`: whether people may see it, and `team` who alone (empty: all).
    """

    model: Registered
    title: str
    index: datetime
    horizon_days: float
    trigger: str
    chance: float | None
    base: float
    parts: tuple[Part, ...]
    basis: tuple[str, ...]
    strange: tuple[Strange, ...]
    shown: bool
    action: str = ""
    action_source: str = ""

    @property
    def team(self) -> tuple[str, ...]:
        return self.model.team if self.model.state == "canary" else ()

    @property
    def is_high(self) -> bool:
        """Whether it is so high that something is proposed."""
        return self.chance is not None and self.chance >= self.model.threshold

    def weighed(self, shown: int = 3) -> tuple[list[Part], list[Part]]:
        """The parts that raise it most, and those that lower it most."""
        up = sorted((p for p in self.parts if p.amount > 0), key=lambda p: -p.amount)
        down = sorted((p for p in self.parts if p.amount < 0), key=lambda p: p.amount)
        return up[:shown], down[:shown]


def groups_of(row: Mapping[str, float | str | None]) -> list[str]:
    """To which groups somebody belongs, as coarsely as fairness is judged."""
    found: list[str] = []
    sex, age = row.get("sex"), row.get("age")
    if sex in ("female", "male"):
        found.append(f"sex {sex}")
    if isinstance(age, float):
        low, high = next(band for band in _BANDS if band[0] <= max(age, 0.0) < band[1])
        found.append(f"age {low}-{high - 1}" if high < 200 else f"age {low}+")
    return found


def behind(parts: Sequence[Part], most: int = 50) -> tuple[str, ...]:
    """The resources behind the parts, the weightiest first, each once."""
    ordered = sorted(parts, key=lambda part: -abs(part.amount))
    return tuple(dict.fromkeys(name for part in ordered for name in part.references))[:most]

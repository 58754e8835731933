"""How a capability climbs: a share of units at a time, for long enough and with enough seen."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A share of units in percent, and what must have passed before the next; 0 is the shadow."""

    percent: int
    minutes: float
    sample: int


# An hour and 300 answers at one percent show a fault that hits every hundredth request with
# 95 % certainty (1 - 0.99^300); later steps see more units, and wait for a day's whole course.
LADDER = (
    Step(0, 24 * 60, 1000),
    Step(1, 60, 300),
    Step(5, 4 * 60, 1000),
    Step(25, 24 * 60, 3000),
    Step(50, 24 * 60, 3000),
    Step(100, 7 * 24 * 60, 10_000),
)


class Standing(NamedTuple):
    """Where a rollout stands: the step's share, since when, what was seen on it, what is open."""

    percent: int
    since: datetime
    sample: int
    held: bool = False
    open_differences: int = 0


def step_at(ladder: Iterable[Step], percent: int) -> Step:
    """The step of this share, or the one below it: a person may stand between two steps."""
    below = [step for step in ladder if step.percent <= percent]
    return max(below, key=lambda step: step.percent) if below else Step(0, 0, 0)


def next_percent(ladder: Iterable[Step], percent: int) -> int | None:
    above = [step.percent for step in ladder if step.percent > percent]
    return min(above) if above else None


def reasons_to_wait(ladder: Iterable[Step], standing: Standing, now: datetime) -> list[str]:
    """Why the next step is not due yet, as sentences; none when it is."""
    step = step_at(ladder, standing.percent)
    reasons: list[str] = []
    if standing.held:
        reasons.append("The rollout is held; a person releases it.")
    due = standing.since + timedelta(minutes=step.minutes)
    if now < due:
        left = (due - now).total_seconds() / 60
        reasons.append(f"The step has {left:.0f} of its {step.minutes:g} minutes left.")
    if standing.sample < step.sample:
        reasons.append(f"{standing.sample} of {step.sample} answers were seen on this step.")
    if standing.open_differences:
        count = standing.open_differences
        reasons.append(f"{count} serious differences have no verdict that lets them pass.")
    return reasons

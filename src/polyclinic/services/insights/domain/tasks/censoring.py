"""Who left before the end counts through those who stayed: inverse probability of censoring.

Robins & Finkelstein 2000, doi:10.1111/j.0006-341X.2000.00779.x. The probability of still being seen
is the Kaplan-Meier estimate with leaving as its event; who has the outcome at the moment at which
another leaves had it first.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from polyclinic.services.insights.domain.tasks.cohort import Sample
from polyclinic.services.insights.domain.tasks.task import Task

# Nobody stands for more than twenty others: beyond it one person would decide the estimate.
WEIGHT_MAX = 20.0


class Weighted(NamedTuple):
    """A label and how much it counts; 0 for whoever left before the end without the outcome."""

    label: int
    weight: float


class _Survival(NamedTuple):
    """Still seen after each of these times."""

    times: list[timedelta]
    shares: list[float]

    def before(self, at: timedelta) -> float:
        """The share still seen just before a moment."""
        index = bisect_left(self.times, at)
        return self.shares[index - 1] if index else 1.0

    def after(self, at: timedelta) -> float:
        index = bisect_right(self.times, at)
        return self.shares[index - 1] if index else 1.0


def weighted(task: Task, found: Sequence[Sample]) -> list[Weighted]:
    """As the task wants it: by IPCW, or plainly, with weight 0 for whoever was not seen enough."""
    if task.censoring == "ipcw":
        return ipcw(found, task.horizon)
    return [
        Weighted(int(each.event), float(each.event or each.follow_up >= task.horizon))
        for each in found
    ]


def ipcw(found: Sequence[Sample], horizon: timedelta) -> list[Weighted]:
    """The weights sum to about the number of samples, and to it where nobody left."""
    survival = _seen(found, horizon)
    return [_weighted(each, horizon, survival) for each in found]


def _weighted(sample: Sample, horizon: timedelta, survival: _Survival) -> Weighted:
    if sample.event:
        return Weighted(1, _inverse(survival.before(sample.follow_up)))
    if sample.follow_up >= horizon:
        return Weighted(0, _inverse(survival.before(horizon)))
    return Weighted(0, 0.0)


def _inverse(share: float) -> float:
    return min(1 / share, WEIGHT_MAX) if share > 0 else WEIGHT_MAX


def _seen(found: Sequence[Sample], horizon: timedelta) -> _Survival:
    left = Counter(e.follow_up for e in found if not e.event and e.follow_up < horizon)
    had = Counter(each.follow_up for each in found if each.event)
    ends = sorted(each.follow_up for each in found)
    share, times, shares = 1.0, list[timedelta](), list[float]()
    for at in sorted(left):
        # At risk of leaving: everybody still there, less those whose outcome came at this moment.
        there = len(ends) - bisect_left(ends, at) - had[at]
        share *= 1 - left[at] / there
        times.append(at)
        shares.append(share)
    return _Survival(times, shares)

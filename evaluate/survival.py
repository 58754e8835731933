"""People seen for a time: labels at a horizon, with weights for those who left before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from evaluate.study import SEED, Round
from polyclinic.services.insights.domain.events import Fact
from polyclinic.services.insights.domain.learning.cases import Cases
from polyclinic.services.insights.domain.learning.splitting import folds
from polyclinic.services.insights.domain.tasks import Sample, ipcw

_START = datetime(2000, 1, 1, tzinfo=UTC)
_NOTHING = Fact(_START, _START, "INDEX")


@dataclass(frozen=True)
class Labels:
    """Label and weight of each person; weight 0 for who left without the outcome."""

    label: np.ndarray
    weight: np.ndarray


def follow(people: Sequence[tuple[float, bool, bool]], horizon: timedelta) -> Labels:
    """(days seen, outcome at their end, death at their end): who died without it has not had it."""
    found = [
        Sample(
            _START,
            _NOTHING,
            horizon if died and not had else min(timedelta(days=days), horizon),
            had and timedelta(days=days) <= horizon,
        )
        for days, had, died in people
    ]
    weighted = ipcw(found, horizon)
    return Labels(
        np.asarray([each.label for each in weighted], dtype=np.int64),
        np.asarray([each.weight for each in weighted]),
    )


def across_folds(cases: Cases, number: int) -> list[Round]:
    """Every person is asked once, by a learner that never saw it."""
    return [Round(learn, None, ask) for learn, ask in folds(cases, number, SEED)]

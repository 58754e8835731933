"""How a candidate is learned and calibrated, without a look at those who are asked."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from polyclinic.services.insights.domain.learning.calibrating import calibrate, platt
from polyclinic.services.insights.domain.learning.cases import Cases, Floats
from polyclinic.services.insights.domain.learning.fitting import Fitted, Fitting
from polyclinic.services.insights.domain.learning.scoring import calibrated
from polyclinic.services.insights.domain.learning.splitting import (
    folds,
    refuse_shared_persons,
)
from polyclinic.services.insights.domain.models import Calibration

_INNER_FOLDS = 3


# Cases that are calibrated apart from the rest: those of another kind of question.
Apart = Callable[[Cases], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Learned:
    """A candidate with its calibration, and another one for those who are calibrated apart."""

    fitted: Fitted
    calibration: Calibration
    of_others: tuple[Apart, Calibration] | None = None

    def logits(self, cases: Cases) -> Floats:
        """Calibrated."""
        raw = self.fitted.logits(cases)
        after = calibrated(self.calibration, raw)
        if self.of_others is None:
            return after
        apart, other = self.of_others
        return np.where(apart(cases), calibrated(other, raw), after)


Learning = Callable[[Fitting], Learned]


def in_a_window(learn: Cases, window: Cases, apart: Apart | None = None) -> Learning:
    """Calibrated on cases of its own, the newest where there is time: for many cases."""

    def learned(fitting: Fitting) -> Learned:
        fitted = fitting(_counted(learn))
        if apart is None:
            return Learned(fitted, _calibrated_on(fitted, window))
        other = apart(window)
        rest, others = (_calibrated_on(fitted, window.take(mask)) for mask in (~other, other))
        return Learned(fitted, rest, (apart, others))

    return learned


def _calibrated_on(fitted: Fitted, window: Cases) -> Calibration:
    return calibrate(window.label, fitted.logits(window), window.weight)


def across(learn: Cases, seed: int) -> Learning:
    """Calibrated by Platt on what parts of the cases say of the other parts: for few cases."""

    def learned(fitting: Fitting) -> Learned:
        said: Floats = np.empty(len(learn))
        for part, rest in folds(learn, _INNER_FOLDS, seed):
            refuse_shared_persons(learn, part, rest)
            said[rest] = fitting(_counted(learn.take(part))).logits(learn.take(rest))
        return Learned(fitting(_counted(learn)), platt(learn.label, said, learn.weight))

    return learned


def _counted(cases: Cases) -> Cases:
    """Whoever left before the end counts through the weights of others, and teaches nothing."""
    return cases.take(cases.weight > 0)

"""Numbers about chances and outcomes, against slow ways and known answers."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyclinic.services.insights.domain.life.measures import (
    Seen,
    bars,
    base_rate_brier,
    brier,
    calibration,
    net_benefit,
    net_benefit_of_all,
    observed_over_expected,
)

pairs = st.lists(
    st.tuples(st.floats(0.01, 0.99), st.integers(0, 1)).map(lambda pair: Seen(*pair)),
    min_size=1, max_size=60,
)  # fmt: skip


def drawn(count, slope=1.0, intercept=0.0, seed=3):
    """People whose true logit is intercept + slope * the foretold one."""
    chance, found = random.Random(seed), []
    for _ in range(count):
        foretold = chance.gauss(-1.5, 1.0)
        true = 1 / (1 + math.exp(-(intercept + slope * foretold)))
        found.append(Seen(1 / (1 + math.exp(-foretold)), int(chance.random() < true)))
    return found


def likelihood(seen, intercept, slope):
    total = 0.0
    for p, y in seen:
        z = intercept + slope * math.log(p / (1 - p))
        total += y * z - math.log1p(math.exp(z))
    return total


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_the_fitted_line_is_the_most_likely_one(seen):
    fit = calibration(seen)
    if fit is None:
        return
    best = likelihood(seen, *fit)
    for d in (-0.01, 0.01):
        assert likelihood(seen, fit.intercept + d, fit.slope) <= best + 1e-9
        assert likelihood(seen, fit.intercept, fit.slope + d) <= best + 1e-9


@pytest.mark.parametrize("slope", [0.5, 1.0, 1.6])
def test_a_slope_that_was_put_in_is_found(slope):
    fit = calibration(drawn(8000, slope, 0.3))
    assert fit.slope == pytest.approx(slope, abs=0.15)
    assert fit.intercept == pytest.approx(0.3, abs=0.15)


def test_there_is_no_slope_of_one_kind_of_outcome_or_one_chance_or_a_perfect_split():
    assert calibration([Seen(0.2, 0), Seen(0.4, 0)]) is None
    assert calibration([Seen(0.2, 0), Seen(0.2, 1)]) is None
    assert calibration([Seen(0.2, 0), Seen(0.8, 1)]) is None


@given(pairs)
def test_saying_the_same_of_everybody_has_the_brier_score_of_the_base_rate(seen):
    share = sum(each.outcome for each in seen) / len(seen)
    same = [Seen(share, each.outcome) for each in seen]
    assert base_rate_brier(seen) == pytest.approx(brier(same))
    assert observed_over_expected(seen) == pytest.approx(
        sum(y for _, y in seen) / sum(p for p, _ in seen)
    )


@given(pairs)
def test_bars_hold_everybody_once_from_low_to_high(seen):
    found = bars(seen)
    assert sum(bar.people for bar in found) == len(seen)
    assert sum(bar.people * bar.observed for bar in found) == pytest.approx(sum(y for _, y in seen))
    assert [bar.expected for bar in found] == sorted(bar.expected for bar in found)


def test_net_benefit_is_that_of_vickers_and_elkin():
    """10 people, 4 with the outcome; at 0.2 three of them and two others are treated."""
    seen = [Seen(0.5, 1)] * 3 + [Seen(0.5, 0)] * 2 + [Seen(0.1, 1)] + [Seen(0.1, 0)] * 4
    assert net_benefit(seen, 0.2) == pytest.approx(3 / 10 - 2 / 10 * 0.25)
    assert net_benefit_of_all(seen, 0.2) == pytest.approx(4 / 10 - 6 / 10 * 0.25)
    with pytest.raises(ValueError, match="between"):
        net_benefit(seen, 1.0)
    with pytest.raises(ValueError, match="no outcome"):
        brier([])

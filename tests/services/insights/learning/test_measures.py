"""Fast numbers against slow ones that are easy to believe."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("sklearn", reason="the extra `insights` is not installed")
from polyclinic.services.insights.domain.learning import measures
from polyclinic.services.insights.domain.learning.calibrating import (
    BLOCK_MIN,
    calibrate,
    isotonic,
    platt,
)
from polyclinic.services.insights.domain.learning.resampling import drawn, intervals
from polyclinic.services.insights.domain.learning.scoring import calibrated
from polyclinic.services.insights.domain.models import Joined, Line
from polyclinic.services.insights.domain.models.curves import calibrated as calibrated_one

CASES = st.lists(
    st.tuples(st.integers(0, 1), st.integers(-3, 3), st.integers(0, 4)), min_size=2, max_size=25
)


def arrays(cases):
    label, score, weight = zip(*cases, strict=True)
    return np.asarray(label), np.asarray(score, dtype=float), np.asarray(weight, dtype=float)


@given(CASES)
def test_auroc_is_the_share_of_pairs_that_stand_in_the_right_order(cases):
    label, score, weight = arrays(cases)
    won = total = 0.0
    for y, s, w in zip(label, score, weight, strict=True):
        for y2, s2, w2 in zip(label, score, weight, strict=True):
            if y == 1 and y2 == 0:
                total += w * w2
                won += w * w2 * (1.0 if s > s2 else 0.5 if s == s2 else 0.0)
    found = measures.auroc(label, score, weight)
    assert math.isnan(found) if total == 0 else found == pytest.approx(won / total)


@given(CASES)
def test_a_weight_of_two_is_the_same_person_twice(cases):
    label, score, weight = arrays(cases)
    twice = np.repeat(np.arange(len(label)), weight.astype(int))
    if len(twice) < 2:
        return
    ones = np.ones(len(twice))
    for measure in (measures.auroc, lambda y, s, w: measures.Ranked.of(y, s).average_precision(w)):
        a, b = measure(label, score, weight), measure(label[twice], score[twice], ones)
        assert a == pytest.approx(b, nan_ok=True)
    chance = measures.expit(score)
    assert measures.brier(label, chance, weight) == pytest.approx(
        measures.brier(label[twice], chance[twice], ones)
    )


def test_auroc_precision_and_brier_are_those_of_scikit_learn():
    from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

    chance = np.random.default_rng(2)
    label, weight = chance.integers(0, 2, 500), chance.uniform(0.2, 3, 500)
    score = np.round(chance.normal(label, 1.5), 1)
    p = measures.expit(score)
    ranked = measures.Ranked.of(label, score)
    assert ranked.auroc(weight) == pytest.approx(roc_auc_score(label, score, sample_weight=weight))
    assert ranked.average_precision(weight) == pytest.approx(
        average_precision_score(label, score, sample_weight=weight)
    )
    assert measures.brier(label, p, weight) == pytest.approx(
        brier_score_loss(label, p, sample_weight=weight)
    )


def test_the_calibration_line_has_the_highest_likelihood_of_all_around_it():
    chance = np.random.default_rng(3)
    logits = chance.normal(0, 1, 800)
    label = (chance.random(800) < measures.expit(-0.4 + 0.7 * logits)).astype(int)
    fit = measures.calibration(label, logits, np.ones(800))

    def likelihood(intercept, slope):
        p = measures.expit(intercept + slope * logits)
        return np.sum(np.log(np.where(label == 1, p, 1 - p)))

    best = likelihood(*fit)
    around = [(a, b) for a in (-0.02, 0, 0.02) for b in (-0.02, 0, 0.02) if a or b]
    assert all(likelihood(fit.intercept + a, fit.slope + b) < best for a, b in around)


def test_of_one_kind_of_outcome_there_is_no_calibration():
    fit = measures.calibration(np.ones(50, dtype=int), np.linspace(-1, 1, 50), np.ones(50))
    assert math.isnan(fit.slope)


def test_ece_and_net_benefit_by_hand():
    label = np.asarray([1, 0, 0, 0, 1, 1])
    chance = np.asarray([0.2, 0.2, 0.2, 0.2, 0.8, 0.8])
    ones, bins = np.ones(6), np.asarray([0, 0, 0, 0, 1, 1])
    assert measures.ece(label, chance, ones, bins) == pytest.approx((4 * 0.05 + 2 * 0.2) / 6)
    # Two are treated at 0.5, both rightly; at 0.1 all six, three of them wrongly at odds of 1 to 9.
    assert measures.net_benefit(label, chance, ones, 0.5) == pytest.approx(2 / 6)
    assert measures.net_benefit(label, chance, ones, 0.1) == pytest.approx((3 - 3 / 9) / 6)
    assert measures.top(label, chance, ones, 1 / 3) == (1.0, pytest.approx(2 / 3))


def slow_isotonic(label):
    """Every block average by the max-min formula, one at a time (Barlow 1972)."""
    n = len(label)
    return [
        max(min(np.mean(label[i : j + 1]) for j in range(k, n)) for i in range(k + 1))
        for k in range(n)
    ]


@settings(max_examples=30)
@given(st.lists(st.integers(0, 1), min_size=1, max_size=20))
def test_pooling_gives_what_the_max_min_formula_gives(label):
    from polyclinic.services.insights.domain.learning import calibrating

    n = len(label)
    heavy = np.full(n, BLOCK_MIN)
    places = np.arange(n, dtype=float)
    blocks = calibrating.pooled(np.asarray(label, dtype=float), heavy, places)
    shares = [b.share for b in blocks for _ in range(round(b.weight / BLOCK_MIN))]
    assert shares == pytest.approx(slow_isotonic(np.asarray(label, dtype=float)))


def crowd(n, seed=4):
    chance = np.random.default_rng(seed)
    logits = np.round(chance.normal(-1, 1, n), 2)
    label = (chance.random(n) < measures.expit(1.5 * logits + 0.3)).astype(int)
    return label, logits


def test_isotonic_blocks_are_those_of_scikit_learn():
    from sklearn.isotonic import IsotonicRegression

    label, logits = crowd(6000)
    mine = isotonic(label, logits, np.ones(6000))
    theirs = IsotonicRegression().fit(logits, label)
    shares = measures.expit(np.asarray(mine.after))
    big = [(x, p) for x, p in zip(mine.before, shares, strict=True) if abs(x + 1) < 1.5]
    assert len(big) > 5
    # Ours is joined in the middle of a block: there both say the share of the block, but that
    # light blocks are joined here.
    gaps = [abs(theirs.predict([x])[0] - p) for x, p in big]
    assert np.median(gaps) < 1e-6
    assert max(gaps) < 0.03


def test_isotonic_from_a_thousand_outcomes_on_else_platt():
    label, logits = crowd(6000)
    assert isinstance(calibrate(label, logits, np.ones(6000)), Joined)
    assert isinstance(calibrate(label[:900], logits[:900], np.ones(900)), Line)


def test_a_calibration_makes_chances_mean_what_they_say_on_new_people():
    label, logits = crowd(8000)
    later, asked = crowd(8000, seed=5)
    for made in (isotonic(label, logits, np.ones(8000)), platt(label, logits, np.ones(8000))):
        fit = measures.calibration(later, calibrated(made, asked), np.ones(8000))
        assert fit.slope == pytest.approx(1, abs=0.1)
        assert fit.intercept == pytest.approx(0, abs=0.1)
    assert measures.calibration(later, asked, np.ones(8000)).slope == pytest.approx(1.5, abs=0.15)


def test_many_are_calibrated_as_one_is():
    label, logits = crowd(3000)
    for made in (isotonic(label, logits, np.ones(3000)), Line(-0.2, 0.9)):
        asked = np.concatenate((logits[:200], [-50.0, 50.0]))
        one_by_one = [calibrated_one(made, float(each)) for each in asked]
        assert calibrated(made, asked) == pytest.approx(one_by_one, abs=1e-12)


def test_platt_never_turns_the_order_around():
    label, logits = crowd(500)
    assert platt(label, -logits, np.ones(500)).slope > 0


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    """The mean of 60 throws of a coin of 0.3, a hundred times: about 95 of 100 intervals."""
    chance, covered = np.random.default_rng(6), 0
    for number in range(100):
        thrown = (chance.random(60) < 0.3).astype(float)

        def mean(weight, thrown=thrown):
            return {"mean": float(np.average(thrown, weights=weight))}

        found = intervals(mean, np.arange(60), np.ones(60), number, times=200)["mean"]
        covered += found.low <= 0.3 <= found.high
    assert 87 <= covered <= 100


def test_persons_are_drawn_with_all_their_cases_so_that_copies_add_no_certainty():
    values = np.random.default_rng(7).normal(0, 1, 50)
    once = intervals(
        lambda w: {"m": float(np.average(values, weights=w))}, np.arange(50), np.ones(50), 1
    )["m"]
    copies, person = np.repeat(values, 20), np.repeat(np.arange(50), 20)
    many = intervals(
        lambda w: {"m": float(np.average(copies, weights=w))}, person, np.ones(1000), 1
    )["m"]
    assert (many.low, many.high) == pytest.approx((once.low, once.high))
    for weight in drawn(person, np.ones(1000), 2, times=3):
        assert (weight.reshape(50, 20) == weight.reshape(50, 20)[:, :1]).all()

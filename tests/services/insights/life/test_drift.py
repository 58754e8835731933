"""What moved is seen, and what did not move is left alone."""

import math
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyclinic.services.insights.domain.life.drift import (
    ACT,
    WINDOWS,
    Cusum,
    bin_of,
    looked_at,
    order_of,
    psi,
)
from polyclinic.services.insights.domain.life.guarding import strange

GLUCOSE = 18.0156


def sketch(values):
    return Counter(map(bin_of, values))


def sugars(chance, count, missing=0.1):
    return [
        None if chance.random() < missing else math.exp(chance.gauss(math.log(110), 0.3))
        for _ in range(count)
    ]


def levels(baseline, window):
    return {each.kind: each.level for each in looked_at("glucose", baseline, window)}


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_bins_keep_the_order_of_numbers(one, other):
    low, high = sorted((one, other))
    assert order_of(bin_of(low)) <= order_of(bin_of(high))
    assert (bin_of(low) == bin_of(-low)) == (abs(low) < 1e-9)


def test_of_a_million_looks_hardly_one_is_a_false_alarm():
    """40 clinics of 300 and then 1,000 people without any change: 20 looks each, at 3 windows."""
    alarms = 0
    for seed in range(40):
        chance = random.Random(seed)
        baseline = sketch(sugars(chance, 300))
        people = sugars(chance, 1000)
        for end in range(50, 1001, 50):
            for size in WINDOWS:
                alarms += bool(levels(baseline, sketch(people[max(0, end - size) : end])))
    assert alarms == 0


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda value: value and value / GLUCOSE, "psi"),
        (lambda value: None, "missing"),
        (lambda value: value and value * 1.6, "psi"),
    ],
    ids=["mmol/L for mg/dL", "a code that is no longer known", "a device that reads 60 % high"],
)
def test_a_change_is_an_alarm_within_200_people(change, kind):
    for seed in range(20):
        chance = random.Random(seed)
        baseline = sketch(sugars(chance, 300))
        people = [change(value) for value in sugars(chance, 200)]
        caught = [
            end
            for end in range(50, 201, 50)
            if levels(baseline, sketch(people[:end])).get(kind) == "act"
        ]
        assert caught, f"not seen at all with seed {seed}"


def test_psi_of_a_half_moved_group_is_the_textbooks():
    """Two groups, 50:50 and then 20:80: 0.3 ln 2.5 + 0.3 ln 1.6, but for the half persons."""
    value, _ = psi({"=a": 5000, "=b": 5000}, {"=a": 2000, "=b": 8000})
    assert value == pytest.approx(0.3 * math.log(2.5) + 0.3 * math.log(1.6), abs=0.001)
    assert value > ACT


def test_a_category_that_never_was_is_a_group_of_its_own():
    value, chance = psi({"=female": 150, "=male": 150}, {"=1": 60, "=2": 40})
    assert value > max(ACT, chance)


def test_nothing_to_compare_with_is_no_alarm():
    assert not looked_at("x", {}, {"+1": 100})
    assert not looked_at("x", {"+1": 300}, {})


def run(ratio, seed, count=2000):
    chance, cusum = random.Random(seed), Cusum()
    for number in range(count):
        p = min(max(chance.betavariate(1.5, 10), 0.01), 0.9)
        odds = p / (1 - p) * ratio
        cusum = cusum.then(p, int(chance.random() < odds / (1 + odds)))
        if cusum.signals:
            return number + 1
    return None


def test_outcomes_as_foretold_hardly_ever_raise_the_alarm_and_doubled_ones_do():
    """Of 60 runs of 2,000 outcomes each."""
    calm = [run(1.0, seed) for seed in range(60)]
    assert sum(each is not None for each in calm) <= 3
    double = [run(2.0, seed) for seed in range(60)]
    assert all(each is not None for each in double)
    assert sorted(double)[30] <= 300
    halved = [run(0.4, seed) for seed in range(60)]
    assert sum(each is not None for each in halved) >= 58


BASELINE = {
    "glucose": sketch(sugars(random.Random(1), 300, missing=0.0)),
    "hba1c": sketch([None] * 200 + [6.0, 7.0] * 50),
    "sex": sketch(["female", "male"] * 150),
    "stays.count": sketch([0.0] * 280 + [1.0] * 20),
}
USUAL = {"glucose": 105.0, "hba1c": None, "sex": "female", "stays.count": 2.0}


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({}, None),
        ({"stays.count": 4.0}, None),
        ({"hba1c": 7.5}, None),
        ({"glucose": 380.0}, None),
        ({"glucose": 5.8}, ("glucose", "outside")),
        ({"glucose": 105.0 * GLUCOSE}, ("glucose", "outside")),
        ({"glucose": None}, ("glucose", "missing")),
        ({"hba1c": 48.0}, ("hba1c", "outside")),
        ({"sex": "F"}, ("sex", "unknown")),
        ({"glucose": "high"}, ("glucose", "unknown")),
        ({"stays.count": -1.0}, ("stays.count", "outside")),
        ({"stays.count": 40.0}, ("stays.count", "outside")),
    ],
)
def test_a_row_unlike_all_that_was_seen_is_not_scored(changed, why):
    found = [(each.feature, each.why) for each in strange({**USUAL, **changed}, BASELINE)]
    assert found == ([why] if why else [])


def test_before_there_is_a_baseline_nothing_is_strange():
    few = {"glucose": sketch([100.0] * 199)}
    assert not strange({"glucose": -5.0}, few)

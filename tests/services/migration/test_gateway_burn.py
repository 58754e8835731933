"""A rollout that burns its budget goes back soon; a healthy one is left alone."""

import math
import random
from datetime import UTC, datetime, timedelta

import pytest

from polyclinic.services.migration.domain.burn import (
    ALPHA,
    Slo,
    Tally,
    binomial_tail,
    events_needed,
    tripped,
)

START = datetime(2026, 11, 28, 12, tzinfo=UTC)
SLOT = 5  # seconds


def poisson(chance, mean):
    if mean > 30:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    limit, count, product = math.exp(-mean), 0, chance.random()
    while product > limit:
        count += 1
        product *= chance.random()
    return count


def tallies(chance, slot, share, rates):
    """One slot of both sides; `rates` are the shares of bad answers of candidate and control."""
    at = START + timedelta(seconds=slot * SLOT)
    made = []
    for side, part, bad in (("candidate", share, rates[0]), ("legacy", 1 - share, rates[1])):
        total = poisson(chance, 100 * part)
        failed = min(total, poisson(chance, total * bad))
        compared = total if side == "candidate" else 0
        made.append(
            Tally(at, side, total, failed, min(total, poisson(chance, total * 0.03)), compared,
                  min(compared, poisson(chance, compared * 0.0005)))
        )  # fmt: skip
    return made


def seconds_to_trip(chance, share, rates, slots):
    """When a rollout goes back, in seconds, or None; it is looked at after every slot."""
    kept = [
        each for slot in range(-60, 0) for each in tallies(chance, slot, share, (rates[1],) * 2)
    ]
    for slot in range(slots):
        kept = [*kept[-1500:], *tallies(chance, slot, share, rates)]
        now = START + timedelta(seconds=slot * SLOT + 1)
        if tripped(Slo(), kept, now) is not None:
            return (slot + 1) * SLOT
    return None


def false_alarms(runs, slots):
    found = 0
    for run in range(runs):
        chance = random.Random(run)
        share = chance.choice((0.01, 0.05, 0.25, 0.5))
        # Both sides are as bad as each other, some of them far beyond what was promised.
        rate = chance.choice((0.0001, 0.001, 0.005, 0.02))
        found += seconds_to_trip(chance, share, (rate, rate), slots) is not None
    return found


def test_healthy_rollouts_are_left_alone():
    assert false_alarms(40, 40) == 0


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_of_a_thousand_healthy_rollouts_fewer_than_ten_are_sent_back(record_property):
    found = false_alarms(1000, 120)
    record_property("healthy rollouts", 1000)
    record_property("of them sent back", found)
    assert found < 10


@pytest.mark.parametrize("seed", range(10))
def test_five_percent_of_errors_on_a_quarter_of_the_patients_is_seen_within_90_seconds(seed):
    found = seconds_to_trip(random.Random(seed), 0.25, (0.05, 0.001), 24)
    assert found is not None
    assert found <= 90


def test_an_old_system_that_fails_as_often_blames_nobody():
    chance = random.Random(1)
    assert seconds_to_trip(chance, 0.25, (0.05, 0.05), 60) is None


def test_where_nobody_is_left_on_legacy_what_it_was_like_before_stands_in():
    now = START + timedelta(seconds=10)
    tallies = [Tally(START, "candidate", 1000, 50)]
    assert tripped(Slo(), tallies, now) is not None
    before = Tally(START - timedelta(hours=5), "legacy", 10_000, 500)
    assert tripped(Slo(), [before, *tallies], now) is None


def test_a_fault_of_some_minutes_ago_that_is_over_sends_nobody_back():
    tallies = [Tally(START, "candidate", 100, 20), Tally(START, "legacy", 300, 0)]
    later = [
        Tally(START + timedelta(minutes=40), "candidate", 1000, 0),
        Tally(START + timedelta(minutes=40), "legacy", 3000, 0),
    ]
    assert tripped(Slo(), tallies, START + timedelta(seconds=5)) is not None
    assert tripped(Slo(), [*tallies, *later], START + timedelta(minutes=41)) is None


def test_two_bad_answers_are_too_few_to_tell():
    now = START + timedelta(seconds=5)
    few = [Tally(START, "candidate", 10, 2), Tally(START, "legacy", 1000, 1)]
    assert tripped(Slo(), few, now) is None
    assert events_needed(0.001, 0.001) > 10
    assert events_needed(0.02, 0.001) > events_needed(0.0001, 0.001)


def test_the_tail_of_the_binomial_is_what_it_should_be():
    assert binomial_tail(0, 10, 0.5) == 1
    assert binomial_tail(11, 10, 0.5) == 0
    assert binomial_tail(5, 10, 0.5) == pytest.approx(638 / 1024)
    assert binomial_tail(1, 100, 0.01) == pytest.approx(1 - 0.99**100)
    assert binomial_tail(5, 100, 0.001) < ALPHA

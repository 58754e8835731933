"""Whether the new side burns its error budget: by windows, against the old side at the same time.

A rollout goes back when, in a long and a short window at once, the candidate is worse than the
control group of the same moment by so many times the budget, and chance would do the same with a
probability of at most `ALPHA`. The second condition is what "enough events" means: how many are
needed follows from the control's usual rate, not from a number somebody chose.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from math import exp, lgamma, log, sqrt
from typing import NamedTuple

import msgspec

# A rollout is looked at some ten thousand times, many of them at nearly the same numbers: with one
# in a million each, 1,000 healthy ones stay below 1 % of false alarms (tests: test_burn.py).
ALPHA = 1e-6
# That it is worse than the control of the very same minutes need be less sure: they are few.
ALPHA_BESIDE = 1e-3
# (long window, short window, how many times the budget): the last two are those of the SRE
# workbook; the first is for faults that must not wait for an hour's average.
WINDOWS = (
    (timedelta(minutes=1), timedelta(seconds=20), 14.4),
    (timedelta(hours=1), timedelta(minutes=5), 14.4),
    (timedelta(hours=6), timedelta(minutes=30), 6.0),
)
SHARE_MAX = 0.25  # worse than this is too much, whatever the budget allows


class Slo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a capability promises; shares of requests that may fall short of it."""

    unavailable: float = 0.001
    slow_ms: int = 1000
    slow: float = 0.05
    mismatched: float = 0.001


class Tally(NamedTuple):
    """What was counted of one side in one short span of time."""

    at: datetime
    side: str
    requests: int = 0
    failed: int = 0
    slow: int = 0
    compared: int = 0
    mismatched: int = 0


class Signal(NamedTuple):
    """What can go wrong, and the share of requests that may."""

    name: str
    budget: float


class Trip(NamedTuple):
    """Why a rollout goes back: the numbers, for the incident's record."""

    signal: str
    window_seconds: int
    bad: int
    total: int
    control_bad: int
    control_total: int
    burn: float
    chance: float


def signals(slo: Slo) -> tuple[Signal, ...]:
    return (
        Signal("unavailable", slo.unavailable),
        Signal("slow", slo.slow),
        Signal("mismatched", slo.mismatched),
    )


def tripped(slo: Slo, tallies: Sequence[Tally], now: datetime) -> Trip | None:
    """The first reason to go back, or None. Tallies older than the windows say what is usual."""
    usual = _sums(tallies)
    for long, short, factor in WINDOWS:
        recent = [tally for tally in tallies if tally.at > now - long]
        sums = (_sums(recent), _sums(tally for tally in recent if tally.at > now - short))
        for signal in signals(slo):
            found = _burns(signal, factor, sums, usual)
            if found is not None:
                return found._replace(window_seconds=int(long.total_seconds()))
    return None


_Sums = dict[tuple[str, str], tuple[int, int]]


def _sums(tallies: Iterable[Tally]) -> _Sums:
    """(how many went wrong, of how many) by signal and side."""
    found: _Sums = {}
    for side in ("candidate", "legacy"):
        found["unavailable", side] = found["slow", side] = found["mismatched", side] = (0, 0)
    for t in tallies:
        failed, total = found["unavailable", t.side]
        found["unavailable", t.side] = (failed + t.failed, total + t.requests)
        found["slow", t.side] = (found["slow", t.side][0] + t.slow, total + t.requests)
        wrong, compared = found["mismatched", t.side]
        found["mismatched", t.side] = (wrong + t.mismatched, compared + t.compared)
    return found


def _burns(
    signal: Signal, factor: float, windows: tuple[_Sums, _Sums], usual: _Sums
) -> Trip | None:
    allowed = min(factor * signal.budget, max(SHARE_MAX, signal.budget))
    for sums in windows:
        counts = (*sums[signal.name, "candidate"], *sums[signal.name, "legacy"])
        if not counts[1] or _excess(counts) < allowed:
            return None
    counts = (*windows[0][signal.name, "candidate"], *windows[0][signal.name, "legacy"])
    chance = binomial_tail(*counts[:2], usual_rate(usual[signal.name, "legacy"], signal.budget))
    if chance > ALPHA or _beside(counts) > ALPHA_BESIDE:
        return None
    return Trip(signal.name, 0, *counts, _excess(counts) / signal.budget, chance)


def _excess(counts: tuple[int, int, int, int]) -> float:
    bad, total, control_bad, control_total = counts
    return bad / total - (control_bad / control_total if control_total else 0.0)


def usual_rate(control: tuple[int, int], budget: float) -> float:
    """The worst share that is usual: two standard deviations above the control's, or the budget."""
    bad, total = control
    return min(1.0, max(budget, (bad + 1 + 2 * sqrt(bad + 1)) / total)) if total else budget


def _beside(counts: tuple[int, int, int, int]) -> float:
    """How likely both sides' errors fall so much on the candidate, by its share of the requests.

    Fisher's exact test in its binomial form: what hits both sides at once blames neither.
    """
    bad, total, control_bad, control_total = counts
    if not control_total:
        return 0.0
    return binomial_tail(bad, bad + control_bad, total / (total + control_total))


def binomial_tail(least: int, of: int, rate: float) -> float:
    """P(X ≥ least) for X ~ Binomial(of, rate)."""
    if least <= 0 or rate >= 1:
        return 1.0
    if rate <= 0 or least > of:
        return 0.0
    total, count = 0.0, least
    while count <= of:
        term = exp(_log_term(count, of, rate))
        total += term
        # Beyond the mean each term is smaller than the one before; what follows adds nothing.
        if count > of * rate and term < total * 1e-9:
            break
        count += 1
    return min(total, 1.0)


def _log_term(count: int, of: int, rate: float) -> float:
    ways = lgamma(of + 1) - lgamma(count + 1) - lgamma(of - count + 1)
    return ways + count * log(rate) + ((of - count) * log(1 - rate) if of > count else 0.0)


def events_needed(rate: float, budget: float, factor: float = 14.4) -> int:
    """How many answers it takes before a burn of `factor` can be told from chance."""
    share = rate + min(factor * budget, max(SHARE_MAX, budget))
    if share >= 1:
        return 1
    for total in (
        n for power in range(1, 7) for n in range(10**power, 10 ** (power + 1), 10**power)
    ):
        least = -int(-share * total // 1)
        if binomial_tail(least, total, max(rate, budget)) <= ALPHA:
            return total
    return 10**7

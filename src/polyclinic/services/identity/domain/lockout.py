"""How guessing is slowed down: a few free tries, then waits that double.

A try is counted before the password is looked at, and forgiven when it was right: guesses made at
the same moment therefore cannot outrun the count.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from polyclinic.services.identity.domain.problems import TooManyTries


@dataclass(frozen=True, slots=True)
class Policy:
    """After `free` tries the first wait, doubled by each further try up to the longest."""

    free: int
    first_seconds: int
    longest_seconds: int
    forgotten_after: timedelta


@dataclass(frozen=True, slots=True)
class Tries:
    """The tries of one user name or one address that were not (yet) right."""

    count: int
    last_at: datetime
    locked_until: datetime | None = None


def count_try(tries: Tries, policy: Policy, now: datetime) -> Tries:
    """The tries with one more; raises TooManyTries while locked, which does not count."""
    if tries.locked_until is not None and now < tries.locked_until:
        raise TooManyTries(_seconds_up(tries.locked_until - now))
    before = 0 if now - tries.last_at >= policy.forgotten_after else tries.count
    counted = Tries(before + 1, now)
    if counted.count < policy.free:
        return counted
    wait = policy.first_seconds * 2 ** min(counted.count - policy.free, 32)
    return replace(counted, locked_until=now + timedelta(seconds=min(wait, policy.longest_seconds)))


def forgive_one(tries: Tries) -> Tries:
    """An address whose user did know the password gets that one try back."""
    return replace(tries, count=max(0, tries.count - 1), locked_until=None)


def _seconds_up(wait: timedelta) -> int:
    return -int(-wait.total_seconds() // 1)

"""Differences of one route, path and kind are one finding with one owner and one verdict."""

from datetime import datetime, timedelta
from typing import Literal, NamedTuple
from uuid import UUID, uuid5

from polyclinic.foundation.errors import NotProcessable
from polyclinic.services.migration.domain.diffing.noise import LOUD

_CLUSTERS = UUID("6f1d5c0e-0b5e-5f6a-9a63-6f0b6a1f8d11")
Word = Literal["bug-new", "bug-legacy", "expected", "noise"]
# A rule that lets a serious difference pass is looked at again after a month at the latest.
EXPECTED_MAX = timedelta(days=30)


class Verdict(NamedTuple):
    """What a person decided about a cluster; what lets differences pass ends some day."""

    word: Word
    until: datetime | None = None


class NeedsAnEnd(NotProcessable):
    """Say until when this may pass: within 30 days for differences of severity 1 or 2."""


def cluster_id(capability: str, route: str, path: str, kind: str) -> UUID:
    return uuid5(_CLUSTERS, "\x1f".join((capability, route, path, kind)))


def passes(verdict: Verdict | None, now: datetime) -> bool:
    """Whether differences of a cluster no longer count against the new side."""
    if verdict is None or verdict.word == "bug-new":
        return False
    return verdict.until is None or now < verdict.until


def check(verdict: Verdict, severity: int, now: datetime) -> None:
    """An expected or noisy serious difference needs an end; so does whatever is `expected`."""
    lets_pass = verdict.word in ("expected", "noise")
    needs_end = lets_pass and (severity <= LOUD or verdict.word == "expected")
    too_long = verdict.until is not None and verdict.until > now + EXPECTED_MAX
    if (needs_end and verdict.until is None) or (lets_pass and severity <= LOUD and too_long):
        raise NeedsAnEnd(place="until")

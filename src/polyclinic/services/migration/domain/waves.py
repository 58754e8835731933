"""In which order capabilities move: by what their rows need, then by priority, around blackouts."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Literal

import msgspec

from polyclinic.services.migration.domain.capabilities import Capability

Rollback = Literal["A", "B", "C"]
# Nobody goes live on a Friday, and Mondays are full.
LIVE_DAYS = frozenset({1, 2, 3})
PATIENTS = "patients"


class Blackout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Days on which nothing goes live, and why; the last one included."""

    since: date
    until: date
    why: str = ""


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """What must be true before a capability goes live (entry) or is done (exit)."""

    name: str
    side: Literal["entry", "exit"]
    says: str
    state: str = "open"
    evidence: object = None
    author: str = ""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A capability within a wave: where it goes, and how it comes back."""

    capability: str
    title: str
    service: str
    rollback: Rollback
    why_rollback: str
    gates: tuple[Gate, ...]


class Wave(msgspec.Struct, frozen=True, kw_only=True):
    """What moves together; its steps in order, for a later one may need an earlier one's rows."""

    number: int
    begins: date
    live: date
    steps: tuple[Step, ...]
    moved_for: str = ""


def ordered(
    capabilities: Sequence[Capability],
    rank: Mapping[str, int],
    after: Mapping[str, Sequence[str]],
    capacity: int,
) -> list[list[str]]:
    """Each wave's capabilities: nothing moves before what its rows mean, patients come first."""
    needs = {
        each.name: {*each.depends_on, *after.get(each.name, ())} - {each.name}
        for each in capabilities
    }
    needs = {name: {other for other in others if other in needs} for name, others in needs.items()}
    done: list[str] = []
    waves: list[list[str]] = []
    wanted = sorted(needs, key=lambda name: (name != PATIENTS, rank.get(name, 0), name))
    while len(done) < len(needs):
        wave: list[str] = []
        for name in wanted:
            closure = _closure(name, needs, {*done, *wave})
            if closure and (not wave or len(wave) + len(closure) <= capacity):
                wave += sorted(closure, key=lambda each: (_depth(each, needs), rank.get(each, 0)))
        done += wave
        waves.append(wave)
    return waves


def _closure(name: str, needs: Mapping[str, set[str]], done: set[str]) -> set[str]:
    """The capability and all that it needs that has not moved; a circle moves at once."""
    found, waiting = set[str](), [name]
    while waiting:
        each = waiting.pop()
        if each not in done and each not in found:
            found.add(each)
            waiting += needs[each]
    return found


def _depth(name: str, needs: Mapping[str, set[str]]) -> int:
    return len(_closure(name, needs, set()))


def live_day(earliest: date, blackouts: Iterable[Blackout]) -> tuple[date, str]:
    """The first day from then on that something may go live, and what it had to make way for."""
    day, why = earliest, ""
    closed = tuple(blackouts)
    for _ in range(1000):
        black = next((each for each in closed if each.since <= day <= each.until), None)
        if black is None and day.weekday() in LIVE_DAYS:
            break
        why = why or (black.why or "a blackout" if black else "")
        day += timedelta(days=1)
    return day, why


def rollback(each: Capability) -> tuple[Rollback, str]:
    """A: turn the route back. B: turn it back and carry new rows home. C: nobody can."""
    if not each.writing:
        return "A", "It only reads: turning the route back is all."
    if each.leaves and each.service in ("billing", "integration"):
        return "C", "What was sent to others cannot be called back: an administrator signs."
    return "B", "It writes: new rows are carried back to the old system first."


def gates(each: Capability, kind: Rollback) -> tuple[Gate, ...]:
    entry = [
        ("mapping", "A person confirmed which service takes it over."),
        ("taught", "The people who use it were shown what changes."),
        ("shadow", "In shadow no S1 or S2 difference is open, over enough requests."),
    ]
    if each.tables:
        entry.append(
            ("backfill", "All rows are over; counts and checksums agree, or are explained.")
        )
    if kind != "A":
        entry.append(("rehearsed", "Turning back was rehearsed, and no new row was lost."))
    if kind == "C":
        entry.append(("signature", "An administrator signed that there is no way back."))
    out = [
        ("all", "Everybody has used it for fourteen days."),
        ("quiet", "No S1 or S2 difference and no rollback in the last seven days."),
        ("unused", "The old way has not been used for thirty days."),
    ]
    made = [Gate(name=name, side="entry", says=says) for name, says in entry]
    return (*made, *(Gate(name=name, side="exit", says=says) for name, says in out))

"""What a model must show before somebody sees it, each gate with its number and its limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from polyclinic.services.insights.domain.life.measures import (
    Seen,
    base_rate_brier,
    brier,
    calibration,
    observed_over_expected,
)

OUTCOMES_MIN, EVENTS_MIN = 200, 30
SLOPE = (0.8, 1.2)
RATIO = (0.8, 1.25)
# Fewer say nothing of a group; it is named as not judged.
GROUP_MIN, GROUP_EVENTS_MIN = 100, 10
# A small group's slope is unsure: it may be as far off as chance alone would have it now and then.
GROUP_SLOPE = (0.5, 1.5)
# 0.5 is a guess. A model that remembers its people tells an attacker that somebody was one of them.
MEMBERSHIP_MAX = 0.55


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition: its number (None: cannot be said yet), its limits, and whether it holds."""

    name: str
    words: str
    value: float | None
    low: float | None
    high: float | None

    @property
    def passed(self) -> bool:
        if self.value is None:
            return False
        above = self.low is None or self.value >= self.low
        return above and (self.high is None or self.value <= self.high)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a model at this clinic.

    `seen` are its outcomes; `rival` pairs of its own and the champion's about the same.
    `groups` names parts of them by their place in `seen`. `alerts_a_day`: how many it would raise.
    `membership`: how well an attacker tells who was among those learned from, as AUROC.
    """

    seen: Sequence[Seen]
    rival: Sequence[tuple[Seen, Seen]] | None
    groups: Mapping[str, Sequence[int]]
    alerts_a_day: float
    membership: float | None = None


def judged(evidence: Evidence, alerts_max: float) -> tuple[Gate, ...]:
    """All gates; a model goes on when every one of them holds."""
    seen = evidence.seen
    events = sum(each.outcome for each in seen)
    fit = calibration(seen) if seen else None
    ratio = observed_over_expected(seen) if seen else None
    return (
        Gate("outcomes", "Outcomes known", float(len(seen)), OUTCOMES_MIN, None),
        Gate("events", "Outcomes that came", float(events), EVENTS_MIN, None),
        Gate("brier", "Brier score less that of its rival", _difference(evidence), None, 0.0),
        Gate("slope", "Calibration slope", fit.slope if fit else None, *SLOPE),
        Gate("ratio", "Observed over expected", ratio, *RATIO),
        *_groups(evidence),
        Gate(
            "membership",
            "Telling who it learned from (AUROC of an attack)",
            evidence.membership,
            None,
            MEMBERSHIP_MAX,
        ),
        Gate("alerts", "Alerts a day", evidence.alerts_a_day, None, alerts_max),
    )


def _difference(evidence: Evidence) -> float | None:
    """Against the champion beside it, or against saying the same of everybody."""
    if evidence.rival is None:
        seen = evidence.seen
        return brier(seen) - base_rate_brier(seen) if seen else None
    if not evidence.rival:
        return None
    own, other = zip(*evidence.rival, strict=True)
    return brier(own) - brier(other)


def _groups(evidence: Evidence) -> list[Gate]:
    found: list[Gate] = []
    for name, places in sorted(evidence.groups.items()):
        part = [evidence.seen[place] for place in places]
        if len(part) < GROUP_MIN or sum(each.outcome for each in part) < GROUP_EVENTS_MIN:
            continue
        fit = calibration(part)
        slope = fit.slope if fit else None
        found.append(Gate(f"slope of {name}", f"Calibration slope, {name}", slope, *GROUP_SLOPE))
    return found


def unjudged(evidence: Evidence) -> tuple[str, ...]:
    """The groups of which there are too few to say anything."""
    judged_names = {gate.name.removeprefix("slope of ") for gate in _groups(evidence)}
    return tuple(sorted(set(evidence.groups) - judged_names))

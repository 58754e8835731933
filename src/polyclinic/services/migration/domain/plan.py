"""The plan: scores, waves, gates; made anew from what is known whenever that changes."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import msgspec

from polyclinic.foundation.errors import Invalid
from polyclinic.services.migration.domain import waves as ordering
from polyclinic.services.migration.domain.capabilities import Capability
from polyclinic.services.migration.domain.scoring import TERMS, Score, scored
from polyclinic.services.migration.domain.waves import Blackout, Gate, Rollback, Step, Wave


class Inputs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What people say about the plan: all that is not measured."""

    starts: date
    weeks: int = 4
    capacity: int = 4
    blackouts: tuple[Blackout, ...] = ()
    weights: dict[str, float] = {}
    values: dict[str, dict[str, float]] = {}
    after: dict[str, tuple[str, ...]] = {}
    rollback: dict[str, Rollback] = {}
    left: dict[str, str] = {}


class Gap(msgspec.Struct, frozen=True):
    """A capability that no service takes over, and why."""

    capability: str
    why: str


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody, or a machine, said about a gate."""

    state: str
    author: str
    evidence: object = None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All of it; the numbers that led there stand in the scores."""

    inputs: Inputs
    scores: tuple[Score, ...]
    waves: tuple[Wave, ...]
    gaps: tuple[Gap, ...]


def check(inputs: Inputs, names: Sequence[str]) -> None:
    """Raises Invalid, naming the place, for what cannot be planned with."""
    terms = {name for name, *_ in TERMS}
    places = {
        "weeks": not 1 <= inputs.weeks <= 52,
        "capacity": not 1 <= inputs.capacity <= 50,
        "weights": not all(
            name in terms and 0 <= weight <= 100 for name, weight in inputs.weights.items()
        ),
        "values": not all(
            name in terms and 0 <= value <= 1
            for each in inputs.values.values()
            for name, value in each.items()
        ),
        "blackouts": any(each.since > each.until for each in inputs.blackouts),
    }
    for place in ("values", "after", "rollback", "left"):
        unknown = set(getattr(inputs, place)) - set(names)
        places[place] = places.get(place, False) or bool(unknown)
    for place, wrong in places.items():
        if wrong:
            raise Invalid("This cannot be planned with: see what the plan page lists.", place=place)


def planned(
    capabilities: Sequence[Capability], inputs: Inputs, said: Mapping[tuple[str, str], Said]
) -> Plan:
    """The plan as of now; gates stand as `said` (by capability and gate) has it."""
    gaps = [Gap(each.name, why) for each in capabilities if (why := left_out(each, inputs))]
    left = {each.capability for each in gaps}
    moving = [each for each in capabilities if each.name not in left]
    scores = scored(moving, inputs.weights, inputs.values)
    rank = {each.capability: each.rank for each in scores}
    groups = ordering.ordered(moving, rank, inputs.after, inputs.capacity)
    by_name = {each.name: each for each in moving}
    return Plan(
        inputs=inputs, scores=scores, waves=_waves(groups, by_name, inputs, said), gaps=tuple(gaps)
    )


def left_out(each: Capability, inputs: Inputs) -> str:
    """Why a capability does not move; empty for one that does."""
    if each.name in inputs.left:
        return inputs.left[each.name] or _gap(each)
    return _gap(each) if each.service in ("", "none") else ""


def _gap(each: Capability) -> str:
    return "It ends with the old system." if each.service else "No service of ours is known for it."


def _waves(
    groups: list[list[str]],
    by_name: Mapping[str, Capability],
    inputs: Inputs,
    said: Mapping[tuple[str, str], Said],
) -> tuple[Wave, ...]:
    begins, made = inputs.starts, list[Wave]()
    for number, names in enumerate(groups, 1):
        earliest = begins + timedelta(weeks=inputs.weeks)
        live, why = ordering.live_day(earliest, inputs.blackouts)
        steps = tuple(step_of(by_name[name], inputs, said) for name in names)
        made.append(Wave(number=number, begins=begins, live=live, steps=steps, moved_for=why))
        begins = live + timedelta(days=1)
    return tuple(made)


def step_of(each: Capability, inputs: Inputs, said: Mapping[tuple[str, str], Said]) -> Step:
    """A capability within the plan, its gates as they stand."""
    kind, why = ordering.rollback(each)
    if each.name in inputs.rollback:
        kind, why = inputs.rollback[each.name], "Said by a person."
    stands = tuple(
        _stands(gate, each, said.get((each.name, gate.name))) for gate in ordering.gates(each, kind)
    )
    return Step(
        capability=each.name,
        title=each.title,
        service=each.service,
        rollback=kind,
        why_rollback=why,
        gates=stands,
    )


def _stands(gate: Gate, each: Capability, said: Said | None) -> Gate:
    if gate.name == "mapping" and each.confirmed_by:
        said = Said(state="passed", author=each.confirmed_by, evidence={"service": each.service})
    if said is None:
        return gate
    return msgspec.structs.replace(
        gate, state=said.state, author=said.author, evidence=said.evidence
    )


def may_go_live(plan: Plan, capability: str) -> list[str]:
    """What still stands in the way of a capability's first live request; nothing when it may."""
    for wave in plan.waves:
        for step in wave.steps:
            if step.capability == capability:
                return [
                    gate.says
                    for gate in step.gates
                    if gate.side == "entry" and gate.state not in ("passed", "waived")
                ]
    return ["It is not in the plan."]

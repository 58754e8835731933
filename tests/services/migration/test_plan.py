"""The plan: its numbers are in the open, its order follows the data, its days keep clear."""

import random
import time
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyclinic.foundation.errors import Invalid
from polyclinic.services.migration.domain.capabilities import Capability
from polyclinic.services.migration.domain.inventory.findings import Endpoint
from polyclinic.services.migration.domain.plan import Inputs, Said, check, may_go_live, planned
from polyclinic.services.migration.domain.scoring import priority, scored
from polyclinic.services.migration.domain.waves import Blackout, live_day

STARTS = date(2026, 3, 2)


def capability(name, *needs, service="records", reads=100, writes=0, **more):
    asked = [("GET", reads), ("POST", writes)]
    endpoints = tuple(
        Endpoint(method=method, template=f"/{name}", count=count, failed=more.pop("failed", 0))
        for method, count in asked
        if count
    )
    return Capability(
        name=name, title=name, service=service, confidence=0.9, guesses=(), endpoints=endpoints,
        tables=(name,), depends_on=needs, **more,
    )  # fmt: skip


def plan_of(*capabilities, said=None, **inputs):
    return planned(capabilities, Inputs(starts=STARTS, **inputs), said or {})


def order(plan):
    return [[step.capability for step in wave.steps] for wave in plan.waves]


def test_priority_is_urgency_times_ease_over_one_plus_risk_and_every_term_is_shown():
    score = scored([capability("labs", writes=20)], {}, {})[0]
    for side in ("urgency", "ease", "risk"):
        terms = [term for term in score.terms if term.side == side]
        mean = sum(t.weight * t.value for t in terms) / sum(t.weight for t in terms)
        assert getattr(score, side) == pytest.approx(mean, abs=1e-4)
    assert score.priority == pytest.approx(
        priority(score.urgency, score.ease, score.risk), abs=1e-3
    )
    assert {term.source for term in score.terms} == {"measured", "assumed"}


def test_whoever_edits_a_term_or_a_weight_sees_it_move_the_order():
    two = [capability("labs"), capability("meds")]
    plain = [each.capability for each in scored(two, {}, {})]
    wished = scored(two, {}, {plain[1]: {"asked for": 1.0}})
    assert [each.capability for each in wished] == plain[::-1]
    term = next(each for each in wished[0].terms if each.name == "asked for")
    assert (term.value, term.source) == (1.0, "edited")
    without = scored(two, {"asked for": 0.0}, {plain[1]: {"asked for": 1.0}})
    assert [each.capability for each in without] == plain


def test_a_rank_that_a_fifth_of_a_weight_can_turn_is_shown_as_such():
    busy = capability("labs", reads=400, risk="S1")
    calm = capability("sites", reads=150, risk="S4")
    firm = scored([busy, capability("audit", reads=1, writes=400, risk="S1", leaves=True)], {}, {})
    assert [(each.best_rank, each.worst_rank) for each in firm] == [(1, 1), (2, 2)]
    found = {each.capability: each for each in scored([busy, calm], {}, {})}
    for each in found.values():
        assert each.best_rank <= each.rank <= each.worst_rank
        assert bool(each.moved_by) is (each.best_rank != each.worst_rank)


def test_nothing_moves_before_what_its_rows_mean_and_patients_move_first():
    plan = plan_of(
        capability("payments", "bills"),
        capability("bills", "patients", "encounters"),
        capability("encounters", "patients", "appointments"),
        capability("appointments", "patients", "sites"),
        capability("patients", "sites"),
        capability("sites"),
        capability("pages", reads=9000),
        capacity=2,
    )
    assert order(plan)[0] == ["sites", "patients"]
    flat = [name for wave in order(plan) for name in wave]
    assert flat.index("bills") > flat.index("encounters") > flat.index("appointments")
    assert flat[-1] == "payments" or flat.index("payments") > flat.index("bills")


def test_capabilities_that_need_each_other_move_at_once():
    plan = plan_of(capability("a", "b"), capability("b", "a"), capability("c", "a"), capacity=1)
    assert sorted(order(plan)[0]) == ["a", "b"]
    assert order(plan)[1] == ["c"]


names = st.sampled_from("abcdefgh")


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(names, st.sets(names, max_size=4), min_size=1), st.integers(1, 4))
def test_whatever_needs_whatever_everything_moves_once_and_never_before_its_needs(needs, capacity):
    plan = plan_of(*(capability(n, *sorted(o)) for n, o in needs.items()), capacity=capacity)
    flat = [name for wave in order(plan) for name in wave]
    assert sorted(flat) == sorted(needs)
    wave_of = {name: number for number, wave in enumerate(order(plan)) for name in wave}
    for name, others in needs.items():
        assert all(wave_of[other] <= wave_of[name] for other in others if other in needs)


def test_nothing_goes_live_in_a_blackout_or_around_a_weekend():
    closed = (Blackout(date(2026, 3, 28), date(2026, 4, 7), "month end"),)
    two = (capability("patients"), capability("labs", "patients"))
    plan = plan_of(*two, capacity=1, blackouts=closed)
    assert [wave.live for wave in plan.waves] == [date(2026, 4, 8), date(2026, 5, 7)]
    assert plan.waves[0].moved_for == "month end"
    assert live_day(date(2026, 3, 6), ())[0] == date(2026, 3, 10), "a Friday waits for Tuesday"


def test_how_it_comes_back_follows_from_what_it_does():
    plan = plan_of(
        capability("reads"),
        capability("writes", writes=5),
        capability("pays", writes=5, service="billing", leaves=True),
        capability("orders", writes=5, leaves=True),
        rollback={"orders": "C"},
    )
    kinds = {step.capability: step.rollback for wave in plan.waves for step in wave.steps}
    assert kinds == {"reads": "A", "writes": "B", "pays": "C", "orders": "C"}


def test_a_gate_holds_until_somebody_shows_that_it_is_passed():
    labs = capability("labs", confirmed_by="ana")
    assert len(may_go_live(plan_of(labs), "labs")) == 3
    passed = {("labs", gate): Said(state="passed", author="ana", evidence={"n": 1})
              for gate in ("taught", "shadow", "backfill")}  # fmt: skip
    assert may_go_live(plan_of(labs, said=passed), "labs") == []
    failed = {**passed, ("labs", "shadow"): Said(state="failed", author="gateway")}
    assert len(may_go_live(plan_of(labs, said=failed), "labs")) == 1
    assert may_go_live(plan_of(labs), "else") == ["It is not in the plan."]


def test_what_nobody_takes_over_is_a_gap_with_a_reason():
    plan = plan_of(
        capability("audit", service="none"), capability("odd", service=""), capability("labs"),
        left={"labs": "The clinic sends all of it out."},
    )  # fmt: skip
    assert order(plan) == []
    assert {gap.capability: gap.why for gap in plan.gaps} == {
        "audit": "It ends with the old system.",
        "odd": "No service of ours is known for it.",
        "labs": "The clinic sends all of it out.",
    }


@pytest.mark.parametrize(
    ("place", "given"),
    [
        ("weeks", {"weeks": 0}),
        ("capacity", {"capacity": 0}),
        ("weights", {"weights": {"luck": 1.0}}),
        ("weights", {"weights": {"used": -1.0}}),
        ("values", {"values": {"labs": {"used": 2.0}}}),
        ("values", {"values": {"else": {"used": 1.0}}}),
        ("left", {"left": {"else": "why"}}),
        ("blackouts", {"blackouts": (Blackout(date(2026, 3, 2), date(2026, 3, 1)),)}),
    ],
)
def test_inputs_that_make_no_sense_are_refused_by_their_place(place, given):
    with pytest.raises(Invalid) as refused:
        check(Inputs(starts=STARTS, **given), ["labs"])
    assert refused.value.place == place


def test_a_plan_of_three_hundred_capabilities_is_made_anew_within_ten_seconds(record_property):
    chance = random.Random(3)
    many = [
        capability(f"c{n}", *{f"c{chance.randrange(n)}" for _ in range(3) if n}, writes=n % 7)
        for n in range(300)
    ]
    begun = time.process_time()
    plan = plan_of(*many)
    seconds = time.process_time() - begun
    record_property("plan_seconds", f"{seconds:.2f}")
    assert len(plan.scores) == 300
    assert seconds < 10

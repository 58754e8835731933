"""A model goes up by gates and two people, and down by itself."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from test_measures import drawn

from polyclinic.services.insights.domain.life.gates import Evidence, judged, unjudged
from polyclinic.services.insights.domain.life.measures import Seen
from polyclinic.services.insights.domain.life.states import (
    NEXT,
    STATES,
    Expired,
    NoSuchStep,
    PeopleOnly,
    Proposal,
    ProposalOver,
    Registered,
    SignedAlready,
    check_step,
    may_sign,
    needs_signatures,
    successor,
)

NOW = datetime(2026, 6, 1, tzinfo=UTC)
MODEL = Registered(
    "readmission", "2", "readmission-30d", "shadow", "ab", NOW, NOW + timedelta(days=365), "ada",
    fallback="lace",
)  # fmt: skip
ASKED = Proposal("canary", "ada", NOW)


@pytest.mark.parametrize("state", STATES)
def test_each_state_leads_to_one_other_at_most(state):
    for to in STATES:
        model = replace(MODEL, state=state)
        if NEXT.get(state) == to:
            check_step(model, to, NOW)
            with pytest.raises(Expired):
                check_step(model, to, model.expires)
        else:
            with pytest.raises(NoSuchStep):
                check_step(model, to, NOW)


def test_only_what_is_shown_needs_signatures_and_only_what_is_signed_is_shown():
    assert [to for to in STATES if needs_signatures(to)] == ["canary", "champion"]
    shown = [state for state in STATES if replace(MODEL, state=state).speaks(NOW)]
    assert shown == ["canary", "champion"]
    assert not replace(MODEL, state="champion").speaks(MODEL.expires)


def test_two_people_sign_and_nobody_twice():
    one = replace(ASKED, signers=may_sign(ASKED, "ada", "administrator", NOW))
    with pytest.raises(SignedAlready):
        may_sign(one, "ada", "administrator", NOW)
    assert may_sign(one, "ben", "clinician", NOW) == ("ada", "ben")
    with pytest.raises(PeopleOnly):
        may_sign(one, "program", "system", NOW)
    with pytest.raises(PeopleOnly):
        may_sign(one, "eve", "patient", NOW)
    with pytest.raises(ProposalOver):
        may_sign(one, "ben", "clinician", NOW + timedelta(days=15))
    with pytest.raises(ProposalOver):
        may_sign(replace(one, open=False), "ben", "clinician", NOW)


def failed(evidence, alerts_max=5.0):
    return [gate.name for gate in judged(evidence, alerts_max) if not gate.passed]


def evidence(seen, rival=None, groups=None, alerts=1.0):
    return Evidence(seen, rival, groups or {}, alerts, 0.5)


def test_a_model_that_tells_whom_it_learned_from_stays_where_it_is():
    seen = [Seen(n / 1000, int((n * 7919) % 1000 < n)) for n in range(1000)]
    for told in (None, 0.56):
        known = replace(evidence(seen), membership=told)
        assert "membership" in failed(known)
    assert "membership" not in failed(replace(evidence(seen), membership=0.55))


def test_a_good_model_passes_and_each_fault_closes_its_own_gate():
    good = drawn(1500)
    assert failed(evidence(good)) == []
    assert failed(evidence(good, alerts=6.0)) == ["alerts"]
    assert failed(evidence(good[:150]))[:1] == ["outcomes"]
    assert "slope" in failed(evidence(drawn(3000, slope=0.5, intercept=-0.8)))
    assert "ratio" in failed(evidence(drawn(3000, intercept=0.6)))
    better = [Seen(0.9 if each.outcome else 0.02, each.outcome) for each in good]
    assert failed(evidence(good, rival=list(zip(good, better, strict=True)))) == ["brier"]
    few = [each for each in drawn(4000) if not each.outcome][:230] + [Seen(0.5, 1)] * 20
    assert "events" in failed(evidence(few))


def test_a_gate_without_an_answer_is_closed():
    assert set(failed(evidence([]))) == {"outcomes", "events", "brier", "slope", "ratio"}


def test_a_group_of_which_it_is_wrong_closes_its_gate_and_a_small_one_is_named():
    good, bad = drawn(3000), drawn(400, slope=-0.4, intercept=-2.0, seed=9)
    groups = {"female": range(3000), "male": range(3000, 3400), "other": range(5)}
    found = evidence(good + bad, groups=groups)
    assert "slope of male" in failed(found)
    assert "slope of female" not in failed(found)
    assert unjudged(found) == ("other",)


def test_the_former_champion_returns_unless_it_stands_on_what_broke():
    fallen = replace(MODEL, state="champion")
    former = replace(MODEL, version="1", state="former")
    standing = [(former, frozenset({"age", "stays"}))]
    assert successor(fallen, standing, frozenset({"glucose.last"}), NOW) == former
    assert successor(fallen, standing, frozenset({"age"}), NOW) is None
    assert successor(fallen, standing, frozenset(), former.expires) is None
    other = [(replace(former, task="no-show"), frozenset[str]())]
    assert successor(fallen, other, frozenset(), NOW) is None

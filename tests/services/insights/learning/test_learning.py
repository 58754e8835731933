"""Candidates, their plain forms, and the lessons of others who learned too much or the wrong."""

import dataclasses

import msgspec
import numpy as np
import pytest
from cases_made import numbers, people

pytest.importorskip("interpret", reason="the extra `insights` is not installed")
from polyclinic.services.insights.domain.learning.cases import Cases
from polyclinic.services.insights.domain.learning.fitting import (
    base_rate,
    boosted,
    codes_of,
    linear,
    machine_input,
    splines,
    trees,
)
from polyclinic.services.insights.domain.learning.judging import (
    Use,
    choose,
    groups,
    judge,
    judge_briefly,
)
from polyclinic.services.insights.domain.learning.leaks import suspects
from polyclinic.services.insights.domain.learning.measures import auroc, calibration
from polyclinic.services.insights.domain.learning.procedure import across, in_a_window
from polyclinic.services.insights.domain.learning.resampling import Interval
from polyclinic.services.insights.domain.learning.scoring import logits
from polyclinic.services.insights.domain.learning.shipping import Naming, NotAdditive, shipped
from polyclinic.services.insights.domain.learning.splitting import (
    Leak,
    by_chance,
    by_person,
    by_time,
    folds,
    refuse_later_times,
    refuse_shared_persons,
    rolling,
    unseen,
)
from polyclinic.services.insights.domain.models import Feature, dump, load, predict

NAMING = Naming("made", "1", "made", "Made", 30.0)


@pytest.fixture(scope="module")
def crowd() -> Cases:
    return people(4000)


@pytest.fixture(scope="module")
def asked() -> Cases:
    return people(1000, seed=9)


@pytest.fixture(scope="module", params=["linear", "splines", "boosted"])
def learned(request, crowd):
    learn, window = by_person(crowd, (0.7, 0.3), 1)
    fitting = {"linear": linear, "splines": splines, "boosted": boosted(2)}[request.param]
    return in_a_window(crowd.take(learn), crowd.take(window))(fitting)


def test_a_plain_model_read_back_says_of_one_what_the_columns_say_of_many(learned, asked):
    model = load(dump(shipped(learned, NAMING, {})))
    many = learned.logits(asked)
    one_by_one = [predict(model, row).logit for row in asked.rows()]
    assert np.abs(many - one_by_one).max() < 1e-9


def test_contributions_of_learned_models_sum_to_their_logit(learned, asked):
    model = shipped(learned, NAMING, {})
    for row in asked.take(np.arange(300)).rows():
        said = predict(model, row)
        assert abs(said.base + sum(said.contributions.values()) - said.logit) < 1e-6


def test_the_plain_form_of_splines_is_what_scikit_learn_says(crowd, monkeypatch):
    """The library's own decision function on its own design, row by row."""
    from sklearn.linear_model import LogisticRegression

    seen = {}
    fit = LogisticRegression.fit

    def spying(self, design, label, sample_weight=None):
        fit(self, design, label, sample_weight)
        seen["logits"] = self.decision_function(design)
        return self

    monkeypatch.setattr(LogisticRegression, "fit", spying)
    fitted = splines(crowd)
    assert np.abs(fitted.logits(crowd) - seen["logits"]).max() < 1e-9


@pytest.mark.parametrize("pairs", [0, 2])
def test_the_plain_form_of_boosting_is_what_interpret_says(crowd, asked, monkeypatch, pairs):
    from interpret.glassbox import ExplainableBoostingClassifier as Machine

    kept = []
    fit = Machine.fit

    def spying(self, *given, **named):
        kept.append(self)
        return fit(self, *given, **named)

    monkeypatch.setattr(Machine, "fit", spying)
    fitted = boosted(pairs)(crowd)
    known = {"kind": codes_of(crowd, "kind")}
    chance = kept[0].predict_proba(machine_input(asked, known))[:, 1]
    mine = 1 / (1 + np.exp(-fitted.logits(asked)))
    assert len(fitted.plain.terms) == 3 + pairs
    assert np.abs(mine - chance).max() < 1e-9


def test_trees_are_a_yardstick_and_are_never_shipped(crowd):
    learned = across(crowd.take(np.arange(600)), 1)(trees)
    with pytest.raises(NotAdditive):
        shipped(learned, NAMING, {})


def test_the_same_cases_give_the_same_model(crowd):
    few = crowd.take(np.arange(1000))
    for fitting in (splines, boosted(1)):
        one, other = (shipped(across(few, 3)(fitting), NAMING, {}) for _ in range(2))
        assert dump(one) == dump(other)
    assert (trees(few).logits(few) == trees(few).logits(few)).all()


def test_each_candidate_learns_what_is_there(crowd, asked):
    learn = across(crowd, 1)
    found = {
        name: auroc(asked.label, learn(fitting).logits(asked), asked.weight)
        for name, fitting in {"base": base_rate, "splines": splines, "boosted": boosted(0)}.items()
    }
    assert found["base"] == 0.5
    assert found["splines"] > 0.62
    assert found["boosted"] > 0.62


def test_calibration_across_folds_is_right_on_people_who_were_never_seen(crowd, asked):
    many = people(20_000, seed=9)
    fit = calibration(many.label, across(crowd, 1)(splines).logits(many), many.weight)
    assert fit.slope == pytest.approx(1, abs=0.15)
    assert fit.intercept == pytest.approx(0, abs=0.15)


def test_no_person_is_on_two_sides():
    cases = people(300, each=4)
    for masks in (by_person(cases, (0.5, 0.2, 0.3), 1), *folds(cases, 4, 1)):
        assert np.sum(masks, axis=0).tolist() == [1] * len(cases)
        refuse_shared_persons(cases, masks[0], masks[1])
    mixed = by_chance(cases, (0.5, 0.5), 1)
    with pytest.raises(Leak, match="persons"):
        refuse_shared_persons(cases, *mixed)
    assert not np.isin(cases.person[unseen(cases, *mixed)], cases.person[mixed[0]]).any()


def test_nothing_is_learned_from_the_future():
    cases = people(500)
    learn, window, ask = by_time(cases, (0.6, 0.15, 0.25))
    refuse_later_times(cases, learn | window, ask)
    for before, after in rolling(cases, 4, 0.4):
        refuse_later_times(cases, before, after)
        assert after.any()
    with pytest.raises(Leak, match="after"):
        refuse_later_times(cases, *by_chance(cases, (0.5, 0.5), 1))


def test_a_split_by_cases_flatters_where_persons_come_again():
    """Each person has a taste of its own that no feature explains, and a number that names it."""
    chance = np.random.default_rng(8)
    person = np.repeat(np.arange(400), 8)
    taste = chance.normal(0, 2, 400)
    label = chance.random(3200) < 1 / (1 + np.exp(-taste[person]))
    cases = numbers({"code": chance.random(400)[person]}, label, person)
    found = {}
    for name, (learn, ask) in {
        "cases": by_chance(cases, (0.7, 0.3), 1), "persons": by_person(cases, (0.7, 0.3), 1)
    }.items():  # fmt: skip
        fitted = trees(cases.take(learn))
        found[name] = auroc(cases.label[ask], fitted.logits(cases.take(ask)), cases.weight[ask])
    assert found["persons"] < 0.56
    assert found["cases"] > found["persons"] + 0.05


def test_a_split_by_chance_flatters_where_the_world_changes():
    """What raises the chance in the first half lowers it in the second: only time shows that."""
    chance, n = np.random.default_rng(10), 4000
    x, day = chance.normal(0, 1, n), np.arange(n, dtype=float)
    label = chance.random(n) < 1 / (1 + np.exp(-x * np.where(day < 2600, 1.5, -0.5)))
    cases = numbers({"x": x}, label, time=day)
    found = []
    for learn, ask in (by_time(cases, (0.7, 0.3)), by_chance(cases, (0.7, 0.3), 1)):
        fitted = splines(cases.take(learn))
        found.append(auroc(cases.label[ask], fitted.logits(cases.take(ask)), cases.weight[ask]))
    assert found[0] < found[1] - 0.1


def test_a_planted_leak_is_found_and_honest_features_are_not(crowd):
    assert suspects(crowd) == []
    leaked = np.where(crowd.label == 1, 7.0, 3.0) + np.random.default_rng(1).normal(
        0, 0.8, len(crowd)
    )
    planted = with_column(crowd, "bill_after", leaked)
    assert [each.feature for each in suspects(planted)] == ["bill_after"]
    code = np.where(crowd.label == 1, "readmitted", "home").astype(object)
    told = with_column(crowd, "status", code)
    assert [each.feature for each in suspects(told)] == ["status"]


def with_column(cases: Cases, name: str, column) -> Cases:
    kind = "code" if column.dtype == object else "number"
    return Cases(
        (*cases.features, Feature(name, kind, name)), {**cases.columns, name: column},
        cases.label, cases.weight, cases.person, cases.time,
    )  # fmt: skip


def judged(auroc_, brier_gap_low):
    return {
        "auroc": Interval(auroc_, auroc_ - 0.01, auroc_ + 0.01),
        "brier": Interval(0.1, 0.1, 0.1),
        "brier_gap": Interval(brier_gap_low + 0.001, brier_gap_low, brier_gap_low + 0.002),
    }


@pytest.mark.parametrize(
    ("candidates", "chosen"),
    [
        ({"base": judged(0.5, 0.01), "splines": judged(0.695, -0.001)}, "splines"),
        ({"base": judged(0.5, 0.01), "splines": judged(0.685, -0.001)}, "trees"),
        ({"splines": judged(0.695, 0.0005), "boosted": judged(0.698, -0.001)}, "boosted"),
    ],
)
def test_the_simplest_near_the_best_is_chosen_unless_its_chances_are_surely_worse(
    candidates, chosen
):
    assert choose(candidates | {"trees": judged(0.7, 0)}) == chosen


def test_the_best_has_no_gap_to_itself_and_is_judged_in_the_same_drawings(crowd, asked):
    said = {"base": np.full(len(asked), -1.0), "splines": across(crowd, 1)(splines).logits(asked)}
    found = judge_briefly(asked, said, 1, times=50)
    assert found["splines"]["brier_gap"] == (0, 0, 0)
    assert found["base"]["brier_gap"].low > 0
    assert choose(found) == "splines"
    full = judge(asked, said["splines"], Use((0.1, 0.2, 0.3), 0.1), 1, times=50)
    assert full["auroc"].low < full["auroc"].value < full["auroc"].high
    assert full["benefit@0.2"].value > 0
    assert full["ppv"].value > asked.label.mean()


def test_of_groups_that_are_too_small_nothing_is_said(asked):
    said = np.full(len(asked), -1.0)
    few = np.arange(len(asked)) < 99
    rare = np.zeros(len(asked), dtype=bool)
    rare[np.flatnonzero(asked.label == 0)[:200]] = True
    rare[np.flatnonzero(asked.label)[:9]] = True
    enough = np.ones(len(asked), dtype=bool)
    found = groups(asked, said, [("few", few), ("rare", rare), ("enough", enough)], 0.1, 1)
    assert [each.people for each in found] == [None, None, len(asked)]
    assert found[0].auroc is None
    assert found[2].auroc is not None


def test_cases_of_unequal_length_or_without_a_column_are_refused():
    cases = people(10)
    with pytest.raises(ValueError, match="length"):
        dataclasses.replace(cases, label=cases.label[:5])
    with pytest.raises(ValueError, match="column"):
        dataclasses.replace(cases, features=cases.features[:2])


def test_a_column_of_a_model_that_was_shipped_keeps_its_range(crowd):
    model = shipped(across(crowd, 1)(splines), NAMING, {"data": "made"})
    age = next(each for each in model.features if each.name == "age")
    assert (age.low, age.high) == (crowd.columns["age"].min(), crowd.columns["age"].max())
    assert model.record == {"data": "made"}
    assert msgspec.structs.replace(model, digest="").id == "made"
    assert np.isfinite(logits(model, crowd)).all()

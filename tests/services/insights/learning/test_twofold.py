"""Trees of two questions as tables: the numbers of the library, and to each feature its own."""

import numpy as np
import pytest
from cases_made import FEATURES, people

pytest.importorskip("interpret", reason="the extra `insights` is not installed")
from lightgbm import LGBMClassifier

from polyclinic.services.insights.domain.learning import fitting
from polyclinic.services.insights.domain.learning.cases import Cases
from polyclinic.services.insights.domain.learning.fitting import splines, trees, twofold
from polyclinic.services.insights.domain.learning.measures import (
    bins_of,
    ece,
    ece_by_chance,
    expit,
)
from polyclinic.services.insights.domain.learning.procedure import in_a_window
from polyclinic.services.insights.domain.learning.scoring import places
from polyclinic.services.insights.domain.learning.shipping import Naming, NotAdditive, shipped
from polyclinic.services.insights.domain.learning.twofold import tables
from polyclinic.services.insights.domain.models import Curve, dump, load, predict

NAMING = Naming("made", "1", "made", "Made", 30.0)


@pytest.fixture(scope="module")
def crowd() -> Cases:
    return people(3000, missing=0.2)


@pytest.fixture(scope="module")
def library(crowd):
    """What LightGBM itself says of others, and our tables of it."""
    kept = []
    fit = LGBMClassifier.fit

    def spying(self, *given, **named):
        kept.append(self)
        return fit(self, *given, **named)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(LGBMClassifier, "fit", spying)
        fitted = twofold(crowd)
    known = {"kind": fitting.codes_of(crowd, "kind")}

    def says(asked):
        numbers = fitting._numbered(asked, known)
        return kept[0].booster_.predict(numbers, raw_score=True)

    return says, fitted


def strangers(crowd):
    """Cases at every cut and beside it, with unknown codes, and with nothing known at all."""
    others = people(5000, seed=5, missing=0.4)
    others.columns["kind"][::7] = "never seen"
    others.columns["age"][::11] = np.nan
    others.columns["pressure"][::5] = np.resize(crowd.columns["pressure"], 1000)
    others.columns["age"][::13] = 0.0
    return others


def test_the_tables_say_what_the_library_says_of_thousands_who_were_not_learned_from(
    library, crowd
):
    says, fitted = library
    asked = strangers(crowd)
    assert np.abs(says(asked) - fitted.logits(asked)).max() < 1e-9
    assert np.abs(says(crowd) - fitted.logits(crowd)).max() < 1e-9


def test_at_the_very_cut_a_number_goes_where_the_trees_send_it(library, crowd):
    says, fitted = library
    edges = next(t for t in fitted.plain.terms if t.axes[0].feature == "age").axes[0].edges
    cuts = np.asarray(edges)
    for at in (cuts, np.nextafter(cuts, -np.inf), np.nextafter(cuts, np.inf)):
        asked = people(len(cuts), seed=3)
        asked.columns["age"][:] = at
        assert np.abs(says(asked) - fitted.logits(asked)).max() < 1e-9


def test_the_reasons_of_trees_of_two_questions_sum_to_their_logit(library, crowd):
    _, fitted = library
    learned = in_a_window(crowd, people(2000, seed=8))(twofold)
    model = load(dump(shipped(learned, NAMING, {})))
    for row in strangers(crowd).take(np.arange(500)).rows():
        said = predict(model, row)
        assert abs(said.base + sum(said.contributions.values()) - said.logit) < 1e-6
    assert fitted.plain.columns == model.columns


def test_what_one_feature_does_alone_stands_with_it_alone(library, crowd):
    """Every table has a mean of 0 by the people learned from; that of a pair along each side."""
    _, fitted = library
    sizes = [len(term.axes) for term in fitted.plain.terms]
    assert sizes.count(1) == 3
    assert sizes.count(2) >= 2
    for term in fitted.plain.terms:
        assert not isinstance(term, Curve)
        at = [places(axis, crowd) for axis in term.axes]
        shape = [axis.places for axis in term.axes]
        values = np.asarray(term.values).reshape(shape)
        counted = np.zeros(shape)
        np.add.at(counted, tuple(at), 1)
        if len(shape) == 1:
            assert abs((values * counted).sum()) < 1e-6 * len(crowd)
            continue
        for axis in (0, 1):
            means = (values * counted).sum(axis=axis) / np.maximum(counted.sum(axis=axis), 1)
            assert np.abs(means).max() < 1e-6


def test_a_tree_that_asks_three_times_is_refused(crowd):
    known = {"kind": fitting.codes_of(crowd, "kind")}
    forest = fitting._grown(crowd, known, n_estimators=3, learning_rate=0.1, num_leaves=15)
    with pytest.raises(ValueError, match="more than twice"):
        tables(forest.booster_.dump_model(), crowd, known)


def test_a_forest_that_found_nothing_is_its_base(crowd):
    few = crowd.take(np.arange(15))
    fitted = twofold(few)
    assert np.ptp(fitted.logits(few)) == 0


def test_who_is_calibrated_apart_has_a_map_of_their_own_and_no_plain_form(crowd):
    def old(cases):
        return np.asarray(cases.columns["age"], dtype=float) > 70

    window = people(6000, seed=4)
    window.label[old(window)] = 0  # none of the old has it any more
    window.label[np.flatnonzero(old(window))[:40]] = 1
    learned = in_a_window(crowd, window, old)(splines)
    chance = expit(learned.logits(window))
    for mask in (old(window), ~old(window)):
        assert chance[mask].mean() == pytest.approx(window.label[mask].mean(), abs=0.01)
    with pytest.raises(NotAdditive):
        shipped(learned, NAMING, {})


def test_larger_trees_have_no_plain_form(crowd):
    assert trees(crowd.take(np.arange(500))).plain is None
    assert [each.name for each in FEATURES] == ["age", "pressure", "kind"]


def test_who_is_right_about_everybody_has_an_error_by_chance_alone():
    chance = np.random.default_rng(1).uniform(0.1, 0.4, 20_000)
    weight, bins = np.ones(len(chance)), bins_of(chance)
    floor = ece_by_chance(chance, weight, bins, 7)
    # Of a tenth's mean the spread is sqrt(p (1 - p) / n), and |normal| has a mean of 0.8 of it.
    expected = 0.798 * np.sqrt(0.25 * 0.75 / 2000)
    assert floor == pytest.approx(expected, rel=0.1)
    label = (np.random.default_rng(2).random(len(chance)) < chance).astype(int)
    assert ece(label, chance, weight, bins) < 2.5 * floor
    assert ece(label, np.clip(chance + 0.05, 0, 1), weight, bins) > 4 * floor

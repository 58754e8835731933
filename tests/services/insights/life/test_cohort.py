"""Whom a task asks about, what became of them, and how those count who left."""

import random
from datetime import timedelta
from fractions import Fraction

import pytest
from events_made import BIRTH, day
from hypothesis import given, settings
from hypothesis import strategies as st

from polyclinic.foundation.errors import Invalid
from polyclinic.services.insights.domain.events import Fact
from polyclinic.services.insights.domain.tasks import (
    Timeline,
    features,
    ipcw,
    read_task,
    samples,
    tasks,
    weighted,
)
from polyclinic.services.insights.domain.tasks.censoring import WEIGHT_MAX
from polyclinic.services.insights.domain.tasks.cohort import Sample
from polyclinic.services.insights.domain.tasks.reading import FOLDER

READMISSION = tasks()["readmission-30d"]
DIABETES = tasks()["incident-diabetes-5y"]


def at(number, code, value=None, unit="", known=None):
    return Fact(day(number), day(number if known is None else known), code, value, unit)


def stay(first, last):
    days = float(last - first)
    return [at(first, "STAY//IMP//START"), at(last, "STAY//IMP//END", days, "d")]


def test_a_return_within_30_days_is_an_outcome_and_one_later_is_none():
    chart = [BIRTH, *stay(0, 5), *stay(30, 33), *stay(80, 81)]
    found = samples(READMISSION, chart, until=day(200))
    assert [(each.index, each.event) for each in found] == [
        (day(5), True), (day(33), False), (day(81), False),
    ]  # fmt: skip
    assert found[0].follow_up == timedelta(days=25)
    assert found[1].follow_up == timedelta(days=30)


def test_a_transfer_within_the_gap_is_no_return():
    moved = Fact(day(5) + timedelta(hours=3), day(5) + timedelta(hours=3), "STAY//IMP//START")
    found = samples(READMISSION, [BIRTH, *stay(0, 5), moved], until=day(100))
    assert [each.event for each in found] == [False]


@pytest.mark.parametrize(
    "code",
    ["SNOMED//313436004", "SNOMED//127013003", "SNOMED//8801005", "ICD10CM//E08.9", "ICD10//E14.9"],
)
def test_who_has_diabetes_by_any_of_its_codes_is_not_asked_whether_it_will_come(code):
    seen = [BIRTH, at(-800, "STAY//AMB//START"), at(0, "STAY//AMB//START")]
    assert [each.index for each in samples(DIABETES, seen, until=day(3000))][-1:] == [day(0)]
    known = [*seen, at(-900, code)]
    assert not samples(DIABETES, known, until=day(3000))


def test_a_diagnosis_of_diabetes_by_its_exact_code_is_an_outcome():
    seen = [BIRTH, at(-800, "STAY//AMB//START"), at(0, "STAY//AMB//START")]
    later = samples(DIABETES, [*seen, at(400, "SNOMED//313436004")], until=day(3000))
    assert [each.event for each in later][-1:] == [True]


def test_who_is_excluded_at_the_index_is_not_asked_about():
    dead = [BIRTH, *stay(0, 5), at(4, "MEDS_DEATH")]
    assert not samples(READMISSION, dead, until=day(100))
    child = [Fact(day(-3000), day(-3000), "MEDS_BIRTH"), *stay(0, 5)]
    assert not samples(READMISSION, child, until=day(100))
    assert not samples(READMISSION, stay(0, 5), until=day(100)), "whose age nobody knows"


def test_death_afterwards_is_followed_to_the_end_and_no_outcome():
    found = samples(READMISSION, [BIRTH, *stay(0, 5), at(9, "MEDS_DEATH")], until=day(9))
    assert [(each.event, each.follow_up.days) for each in found] == [(False, 30)]


def test_a_diagnosis_counts_from_the_day_on_which_it_was_known():
    """An onset before the index, written down after it: not yet known then, and an outcome now."""
    chart = [
        BIRTH, at(0, "STAY//AMB//START"), at(400, "STAY//AMB//START"),
        at(300, "SNOMED//44054006", known=500), at(2500, "STAY//AMB//START"),
    ]  # fmt: skip
    found = samples(DIABETES, chart)
    assert [(each.index, each.event) for each in found] == [(day(400), True)]
    known = [*chart[:3], at(300, "SNOMED//44054006"), chart[4]]
    assert not samples(DIABETES, known), "it was known, so there is nothing to foretell"


def test_an_hba1c_of_diabetes_is_an_outcome_in_either_unit():
    chart = [BIRTH, at(0, "STAY//AMB//START"), at(400, "STAY//AMB//START")]
    for value, unit, event in (
        (6.5, "%", True),
        (48.0, "mmol/mol", True),
        (41.0, "mmol/mol", False),
    ):
        found = samples(DIABETES, [*chart, at(700, "LOINC//4548-4", value, unit)], until=day(2500))
        assert [each.event for each in found] == [event], (value, unit)


def by_hand(found, horizon):
    """Kaplan-Meier of leaving in exact fractions, the slow way."""

    def still(before):
        share = Fraction(1)
        for t in sorted({e.follow_up for e in found if not e.event and e.follow_up < before}):
            left = sum(not e.event and e.follow_up == t for e in found)
            risk = sum(e.follow_up > t or (e.follow_up == t and not e.event) for e in found)
            share *= 1 - Fraction(left, risk)
        return share

    for each in found:
        if each.event or each.follow_up >= horizon:
            share = still(each.follow_up if each.event else horizon)
            yield float(min(1 / share, WEIGHT_MAX)) if share else WEIGHT_MAX
        else:
            yield 0.0


people = st.lists(
    st.tuples(st.integers(1, 30), st.booleans()).map(
        lambda pair: Sample(day(0), BIRTH, timedelta(days=pair[0]), pair[1])
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(people)
def test_weights_are_those_that_one_finds_by_hand(found):
    horizon = timedelta(days=30)
    weights = [each.weight for each in ipcw(found, horizon)]
    assert weights == pytest.approx(list(by_hand(found, horizon)))


def test_weighted_shares_find_the_truth_where_dropping_the_censored_does_not():
    """Of 4,000 whose outcome comes evenly over 100 days, many leave on the way."""
    found = []
    chance = random.Random(1)
    for _ in range(4000):
        outcome, left = chance.uniform(0, 100), chance.uniform(0, 80)
        ended = min(outcome, left, 50)
        found.append(Sample(day(0), BIRTH, timedelta(days=ended), outcome == ended))
    labels = ipcw(found, timedelta(days=50))
    share = sum(each.label * each.weight for each in labels) / sum(each.weight for each in labels)
    assert share == pytest.approx(0.5, abs=0.03)
    kept = [each.label for each in labels if each.weight]
    assert abs(sum(kept) / len(kept) - 0.5) > 0.05


def test_without_ipcw_who_was_not_seen_to_the_end_does_not_count():
    found = samples(
        tasks()["no-show"], [BIRTH, Fact(day(9), day(2), "APPOINTMENT//PLANNED")], day(9)
    )
    assert [each.weight for each in weighted(tasks()["no-show"], found)] == [0.0]


GOOD = (FOLDER / "readmission-30d.yaml").read_text()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("pick: each", "pick: sometimes", "index.pick"),
        ("horizon_days: 30", "horizon_days: -1", "horizon"),
        ("gap_hours: 6 ", "gap_hours: 900 ", "gap_hours"),
        ("unit: g/dL", "unit: stones", "haemoglobin"),
        ("unit: g/dL, ", "", "haemoglobin"),
        ("of: [last, slope, missing]", "of: [last, future]", "haemoglobin.of"),
        ("codes: [LOINC//718-7]", 'codes: ["*"]', "haemoglobin"),
        ("name: sodium", "name: glucose", "t.yaml"),
        ("id: readmission-30d", "idd: readmission-30d", "t.yaml"),
        ("demographics: [age, sex]", "demographics: [age, surname]", "demographics"),
        ("index:", "index: [", "t.yaml"),
    ],
)
def test_a_bad_task_is_refused_with_file_and_place(old, new, words):
    assert old in GOOD
    with pytest.raises(Invalid) as refused:
        read_task(GOOD.replace(old, new, 1), "t.yaml")
    assert words in f"{refused.value.place} {refused.value.message}"


def test_a_task_that_needs_something_asks_only_of_those_who_have_it_by_then():
    task = tasks()["readmission-30d-diabetes"]
    chart = [BIRTH, *stay(0, 5), *stay(400, 405)]
    assert samples(task, chart, until=day(500)) == []
    diabetes = at(100, "ICD10CM//E11.9")
    assert [each.index for each in samples(task, [*chart, diabetes], day(500))] == [day(405)]
    later = at(3, "ICD10CM//E11.9", known=450)
    assert samples(task, [*chart, later], until=day(500)) == []


def test_where_somebody_went_is_known_of_this_discharge_only():
    task = tasks()["readmission-30d-diabetes"]
    chart = [BIRTH, *stay(0, 5), at(5, "DISCHARGE//snf"), *stay(50, 55)]
    rows = [features(task, Timeline(chart), day(n)) for n in (5, 55)]
    assert [row["discharge"] for row in rows] == ["snf", None]

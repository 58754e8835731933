"""Features of a window: nothing of the future, and the same as by the slow way."""

from dataclasses import replace
from datetime import timedelta

import pytest
from events_made import ALL_TASKS, BIRTH, charts, day, facts
from hypothesis import given, settings
from hypothesis import strategies as st

from polyclinic.services.insights.domain.charts.units import UnitRefused, convert
from polyclinic.services.insights.domain.events import Fact
from polyclinic.services.insights.domain.tasks import Timeline, basis, features, samples, tasks

YEAR = 365.25


def slowly(task, events, index, trigger):
    """The obvious way: every event is looked at for every number."""
    known = [e for e in events if e.known_at <= index and e.time <= index]
    row = {name: demographic(name, index, trigger) for name in task.demographics}
    for feature in task.features:
        points = [point for e in known if (point := point_of(e, feature, index)) is not None]
        points.sort(key=lambda point: point[0])
        row |= {f"{feature.name}.{part}": of(part, points, index) for part in feature.of}
    return row


def demographic(name, index, trigger):
    if name == "age":
        return (index - BIRTH.time) / timedelta(days=YEAR)
    if name == "lead_days" and trigger is not None and trigger.known_at <= index:
        return (trigger.time - trigger.known_at) / timedelta(days=1)
    return None


def point_of(e, feature, index):
    if not any(e.code == c or (c[-1] == "*" and e.code.startswith(c[:-1])) for c in feature.codes):
        return None
    counted = e.known_at if feature.recorded else e.time
    if feature.days is not None and counted < index - timedelta(days=feature.days):
        return None
    key = (e.time, e.known_at, e.code, e.value or 0.0)
    if not feature.unit:
        return key, None
    try:
        number = convert(e.value, e.unit, feature.unit, feature.analyte)
    except UnitRefused:
        return None
    return (key, number) if feature.low <= number <= feature.high else None


def of(part, points, index):
    if part == "count":
        return float(len(points))
    if part in ("missing", "there"):
        return float(bool(points) == (part == "there"))
    if not points:
        return None
    if part == "age":
        return (index - points[-1][0][0]) / timedelta(days=1)
    numbers = [number for _, number in points]
    if part == "last":
        return numbers[-1]
    if part == "mean":
        return sum(numbers) / len(numbers)
    xs = [(key[0] - points[0][0][0]) / timedelta(days=YEAR) for key, _ in points]
    n, sx, sy = len(xs), sum(xs), sum(numbers)
    spread = n * sum(x * x for x in xs) - sx * sx
    if len(set(xs)) < 2:
        return None
    return (n * sum(x * y for x, y in zip(xs, numbers, strict=True)) - sx * sy) / spread


def same(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        if isinstance(value, float):
            assert value == pytest.approx(other[name], rel=1e-6, abs=1e-5), name
        else:
            assert value == other[name], name


@settings(max_examples=150, deadline=None)
@given(charts, st.integers(0, 2600), st.sampled_from(ALL_TASKS), st.none() | facts())
def test_the_fast_way_gives_what_the_slow_and_obvious_way_gives(chart, when, task, trigger):
    index = day(when)
    row = features(task, Timeline(chart), index, trigger)
    assert tuple(row) == task.columns
    # Two within minutes of each other make a slope without meaning; both ways round differently.
    steep = [n for n, v in row.items() if n.endswith("slope") and v and abs(v) > 1e4]
    other = slowly(task, chart, index, trigger)
    same({n: v for n, v in row.items() if n not in steep},
         {n: v for n, v in other.items() if n not in steep})  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    charts,
    st.integers(0, 2600),
    st.sampled_from(ALL_TASKS),
    st.lists(facts(), min_size=1),
    st.data(),
)
def test_an_event_that_is_known_after_the_index_changes_no_feature(
    chart, when, task, planted, data
):
    index = day(when)
    later = timedelta(seconds=1 + data.draw(st.integers(0, 10**8)))
    # It may be about the past, as a result that comes late is: what counts is when it was known.
    hidden = [replace(each, known_at=index + later) for each in planted]
    assert features(task, Timeline([*chart, *hidden]), index) == features(
        task, Timeline(chart), index
    )


@settings(max_examples=100, deadline=None)
@given(charts, st.sampled_from(ALL_TASKS), facts())
def test_what_comes_after_an_index_changes_neither_that_one_asks_nor_what_is_known(
    chart, task, planted
):
    """Only labels may change by it."""
    end = day(4000)  # how long somebody is seen is no secret, and the same for both
    before = samples(task, chart, end)
    after = samples(task, [*chart, planted], end)
    until = planted.known_at
    early = [each.index for each in before if each.index < min(until, planted.time)]
    assert [e.index for e in after if e.index < min(until, planted.time)] == early


def test_a_fact_that_was_known_counts_in_its_unit_and_an_unknown_unit_does_not():
    task = tasks()["readmission-30d"]
    chart = [
        BIRTH,
        Fact(day(10), day(10), "LOINC//2345-7", 5.0, "mmol/L"),
        Fact(day(12), day(12), "LOINC//2345-7", 90.0, ""),
        Fact(day(13), day(13), "LOINC//2345-7", 90.0, "mg/L/h"),
    ]
    row = features(task, Timeline(chart), day(20))
    assert row["glucose.last"] == pytest.approx(5.0 * 18.0156, rel=1e-6)
    assert row["glucose.missing"] == 0.0
    assert row["sodium.missing"] == 1.0
    assert row["sodium.last"] is None


def test_a_number_that_nobody_has_is_left_out_and_not_cut_off():
    task = tasks()["readmission-30d"]
    chart = [BIRTH, Fact(day(10), day(10), "LOINC//718-7", 140.0, "g/dL")]
    assert features(task, Timeline(chart), day(20))["haemoglobin.last"] is None


def test_an_old_disease_is_among_the_diagnoses_of_the_stay_in_which_it_was_written_down():
    task = tasks()["readmission-30d-diabetes"]
    onset, leaving = day(-1500), day(100)
    written = {"stay": day(97), "long ago": day(-1400), "afterwards": day(101)}
    there = {
        when: features(task, Timeline([BIRTH, Fact(onset, known, "ICD10CM//I50.9")]), leaving)
        for when, known in written.items()
    }
    flags = {when: row["heart_failure.there"] for when, row in there.items()}
    assert flags == {"stay": 1.0, "long ago": 0.0, "afterwards": 0.0}
    timeline = Timeline([BIRTH, Fact(onset, day(97), "ICD10CM//I50.9", reference="Condition/c1")])
    assert basis(task, timeline, leaving)["heart_failure.there"] == ("Condition/c1",)

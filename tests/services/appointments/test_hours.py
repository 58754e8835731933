"""Hours and openings are right on every day of the year, by every clock."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyclinic.services.appointments.domain.atoms import DAY, Range, atom_of, moment_of
from polyclinic.services.appointments.domain.hours import offers
from polyclinic.services.appointments.domain.openings import (
    MARGIN,
    Shape,
    Taken,
    first_openings,
    openings,
    starts,
)
from polyclinic.services.appointments.domain.setup import (
    WEEKDAYS,
    Clinician,
    Exceptional,
    Holiday,
    Rule,
    Setup,
    Site,
    VisitType,
    minutes_of,
)

SITE = Site("main", "Main", "UTC")


def visit(minutes=30, every=30, **more):
    return VisitType("visit", "Visit", minutes, every=every, **more)


def rule(day: date, opens: str, to: str, **more):
    return Rule(WEEKDAYS[day.weekday()], opens, to, "main", ("visit",), **more)


def walls(zone, day, rules, kind, exceptions=(), holidays=()):
    """The wall-clock beginnings of a day's openings, with their offsets."""
    setup = Setup((kind,), (Site("main", "Main", zone, holidays=holidays),))
    clinician = Clinician("Practitioner/a", zone, tuple(rules), tuple(exceptions))
    first = atom_of(datetime(day.year, day.month, day.day, tzinfo=UTC)) - DAY
    asked = Range(first, first + 3 * DAY)
    offered = offers(setup, clinician, kind, asked)
    places = [starts(o, Shape.of(kind), Taken(), 3 * DAY, needs_room=False) for o in offered]
    found = first_openings([openings("Practitioner/a", offered, places, asked)], 500)
    here = [moment_of(each.start).astimezone(ZoneInfo(zone)) for each in found]
    return [f"{each:%H:%M%z}" for each in here if each.date() == day]


@pytest.mark.parametrize(
    ("zone", "day", "offset"),
    [
        ("America/New_York", date(2027, 3, 13), "-0500"),
        ("America/New_York", date(2027, 3, 14), "-0400"),
        ("America/New_York", date(2026, 11, 1), "-0500"),
        ("Europe/Berlin", date(2027, 3, 28), "+0200"),
        ("Europe/Berlin", date(2026, 10, 25), "+0100"),
        ("Australia/Lord_Howe", date(2026, 10, 4), "+1100"),
        ("Australia/Lord_Howe", date(2027, 4, 4), "+1030"),
        ("America/Sao_Paulo", date(2018, 11, 4), "-0200"),
        ("America/Sao_Paulo", date(2026, 11, 1), "-0300"),
        ("Asia/Kathmandu", date(2026, 11, 23), "+0545"),
        ("Africa/Casablanca", date(2027, 2, 7), "+0000"),
        ("Africa/Casablanca", date(2027, 3, 14), "+0100"),
    ],
)
def test_nine_o_clock_stays_nine_o_clock(zone, day, offset):
    assert walls(zone, day, [rule(day, "09:00", "10:00")], visit()) == [
        f"09:00{offset}", f"09:30{offset}",
    ]  # fmt: skip


def test_what_the_spring_skips_falls_away_and_the_rest_of_the_rule_stays():
    day = date(2027, 3, 14)  # 02:00 EST is 03:00 EDT
    assert walls("America/New_York", day, [rule(day, "02:00", "03:00")], visit()) == []
    assert walls("America/New_York", day, [rule(day, "02:30", "04:00")], visit()) == [
        "03:00-0400", "03:30-0400",
    ]  # fmt: skip
    # An hour's visit from 01:30 to 03:30 on the clock is an hour of real time.
    assert walls("America/New_York", day, [rule(day, "01:30", "03:30")], visit(60)) == [
        "01:30-0500"
    ]


def test_an_hour_that_comes_twice_is_open_twice():
    day = date(2026, 11, 1)  # 02:00 EDT is 01:00 EST
    assert walls("America/New_York", day, [rule(day, "01:00", "02:00")], visit()) == [
        "01:00-0400", "01:30-0400", "01:00-0500", "01:30-0500",
    ]  # fmt: skip
    # The clock shows 01:00 to 01:30, then something else, then 01:00 to 01:30 again.
    assert walls("America/New_York", day, [rule(day, "01:00", "01:30")], visit()) == [
        "01:00-0400", "01:00-0500",
    ]  # fmt: skip


def test_half_an_hour_of_lord_howe_is_skipped_and_comes_twice():
    spring, autumn = date(2026, 10, 4), date(2027, 4, 4)
    zone = "Australia/Lord_Howe"
    assert walls(zone, spring, [rule(spring, "02:00", "03:00")], visit()) == ["02:30+1100"]
    assert walls(zone, autumn, [rule(autumn, "01:30", "02:00")], visit()) == [
        "01:30+1100", "01:30+1030",
    ]  # fmt: skip


def test_a_date_before_the_rule_begins_or_after_it_ends_is_closed():
    day = date(2026, 11, 23)
    begun = rule(day, "09:00", "10:00", valid_from=day, valid_until=day)
    later = rule(day, "09:00", "10:00", valid_from=day + timedelta(1))
    ended = rule(day, "09:00", "10:00", valid_until=day - timedelta(1))
    assert len(walls("UTC", day, [begun], visit())) == 2
    assert walls("UTC", day, [later, ended], visit()) == []


def test_holidays_close_closed_times_are_cut_out_and_extra_hours_count_all_the_same():
    day = date(2026, 12, 25)
    nine = [rule(day, "09:00", "12:00")]
    closed = Exceptional(day, "closed", "10:00", "11:00")
    extra = Exceptional(day, "extra", "15:00", "15:30", "main", ("visit",))
    found = walls("UTC", day, nine, visit(), [closed])
    assert found == ["09:00+0000", "09:30+0000", "11:00+0000", "11:30+0000"]
    assert walls("UTC", day, nine, visit(), [extra], (Holiday(day),)) == ["15:00+0000"]
    whole = Exceptional(day, "closed")
    assert walls("UTC", day, nine, visit(), [whole, extra]) == ["15:00+0000"]


ZONES = (
    "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu",
    "Africa/Casablanca", "America/St_Johns", "Pacific/Apia", "UTC",
)  # fmt: skip
CLOCKS = [f"{m // 60:02}:{m % 60:02}" for m in range(0, 1441, 15)]


@st.composite
def worlds(draw):
    """A week of one clinician around a day on which some clock is changed, and what is taken."""
    zone = draw(st.sampled_from(ZONES))
    day = draw(st.sampled_from([date(2026, 11, 1), date(2027, 3, 14), date(2026, 10, 25),
                                date(2027, 3, 28), date(2026, 10, 4), date(2027, 4, 4),
                                date(2027, 2, 7), date(2026, 6, 10)]))  # fmt: skip

    def hours():
        first, last = sorted(
            draw(st.lists(st.integers(0, 96), min_size=2, max_size=2, unique=True))
        )
        return CLOCKS[first], CLOCKS[last]

    rules = [
        Rule(draw(st.sampled_from(WEEKDAYS)), *hours(), "main", ("visit",))
        for _ in range(draw(st.integers(1, 5)))
    ]
    exceptions = [
        Exceptional(day + timedelta(draw(st.integers(-1, 1))), kind, *hours(), "main", ("visit",))
        for kind in draw(st.lists(st.sampled_from(["closed", "extra"]), max_size=3))
    ]
    holidays = [Holiday(day)] if draw(st.booleans()) else []
    kind = visit(
        draw(st.sampled_from([5, 15, 20, 45, 90])), draw(st.sampled_from([5, 15, 20, 30])),
        before=draw(st.sampled_from([0, 5, 15])), after=draw(st.sampled_from([0, 10])),
    )  # fmt: skip
    taken = draw(st.lists(st.tuples(st.integers(-30, 3 * DAY), st.integers(1, 40)), max_size=6))
    return zone, day, tuple(rules), tuple(exceptions), tuple(holidays), kind, taken


def slow(zone, first, rules, exceptions, holidays, kind, taken):
    """Minute by minute, as a receptionist with a clock and much time would do it."""
    here = ZoneInfo(zone)
    lasts = 3 * DAY * 5
    opened, begins = set(), set()
    begin = moment_of(first)
    for minute in range(lasts + kind.minutes):
        local = (begin + timedelta(minutes=minute)).astimezone(here)
        wall, today = local.hour * 60 + local.minute, local.date()
        extra = [e for e in exceptions if e.kind == "extra" and e.date == today and within(e, wall)]
        closed = any(e.kind == "closed" and e.date == today and within(e, wall) for e in exceptions)
        usual = [r for r in rules if r.weekday == WEEKDAYS[today.weekday()] and within(r, wall)]
        if closed or any(h.date == today for h in holidays):
            usual = []
        if extra or usual:
            opened.add(minute)
        if any((wall - minutes_of(h.opens)) % kind.every == 0 for h in (*extra, *usual)):
            begins.add(minute)
    busy = {m for at, length in taken for m in range(at * 5, (at + length) * 5)}
    return [
        minute // 5
        for minute in range(0, lasts, 5)
        if minute in begins
        and all(m in opened for m in range(minute, minute + kind.minutes))
        and not any(
            m in busy for m in range(minute - kind.before, minute + kind.minutes + kind.after)
        )
    ]


def within(hours, wall):
    return minutes_of(hours.opens) <= wall < minutes_of(hours.to)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(worlds())
def test_bits_agree_with_minutes(world):
    zone, day, rules, exceptions, holidays, kind, taken = world
    setup = Setup((kind,), (Site("main", "Main", zone, holidays=holidays),))
    clinician = Clinician("Practitioner/a", zone, rules, exceptions)
    first = atom_of(datetime(day.year, day.month, day.day, tzinfo=UTC)) - DAY
    asked = Range(first, first + 3 * DAY + 20)
    bits = 0
    for at, length in taken:
        bits |= ((1 << length) - 1) << (at + MARGIN)
    offered = offers(setup, clinician, kind, asked)
    width = asked.last - asked.first
    places = [starts(o, Shape.of(kind), Taken(bits), width, needs_room=False) for o in offered]
    found = [o.start - first for o in openings("Practitioner/a", offered, places, asked)]
    wanted = slow(zone, first, rules, exceptions, holidays, kind, taken)
    assert [f for f in found if f < 3 * DAY] == wanted

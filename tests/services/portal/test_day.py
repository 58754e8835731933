"""The rules of the calendar and of times in words."""

from datetime import UTC, date, datetime, timedelta

from appointments_in_memory import RUIZ, ZONE, visit
from hypothesis import given
from hypothesis import strategies as st

from polyclinic.services.portal.domain import times
from polyclinic.services.portal.domain.booking import DayColumn, Hours
from polyclinic.services.portal.domain.day import Drawn, calendar, state_words, without

START = datetime(2026, 11, 24, 14, tzinfo=UTC)
MINUTES = st.integers(0, 600)


def _at(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


@given(st.tuples(MINUTES, MINUTES), st.tuples(MINUTES, MINUTES))
def test_what_is_left_of_a_span_is_all_of_it_but_what_was_taken(
    span: tuple[int, int], taken: tuple[int, int]
):
    (a, b), (c, d) = sorted(span), sorted(taken)
    left = without([(_at(a), _at(b))], (_at(c), _at(d)))
    minutes = {m for m in range(600) if any(s <= _at(m) < e for s, e in left)}
    assert minutes == set(range(a, b)) - set(range(c, d))


def test_times_are_said_as_people_say_them():
    at = datetime(2026, 11, 24, 14, 40, tzinfo=UTC)
    zone = "America/New_York"
    assert times.moment_words(at, zone) == "Tuesday 24 November, 9:40 am"
    assert times.hour(at + timedelta(hours=3), zone) == "12:40 pm"
    assert times.hour(at - timedelta(hours=9), zone) == "12:40 am"
    assert times.hour_24(at + timedelta(hours=5), zone) == "14:40"
    assert times.zone_words(zone, at) == "Eastern time (EST)"
    assert times.zone_words("Europe/Berlin", at) == "Berlin time (CET)"
    assert times.zone_words("Asia/Dubai", at) == "Dubai time"
    assert times.day(at, zone, date(2025, 1, 1)) == "Tuesday 24 November 2026"


def test_a_day_on_which_the_clocks_change_keeps_its_order():
    # 1 November 2026: the hour from one to two comes twice in New York.
    day = date(2026, 11, 1)
    first = datetime(2026, 11, 1, 4, 0, tzinfo=UTC)
    visits = tuple(
        visit(f"v{n}", "maria", first + timedelta(hours=n), end=first + timedelta(hours=n + 1))
        for n in range(6)
    )
    column = DayColumn(RUIZ, (Hours(first, first + timedelta(hours=6)),), visits)
    names = {RUIZ: "Dr Ana Ruiz", "Patient/maria": "Keller, M."}
    drawn = calendar(Drawn(ZONE.key, day, first - timedelta(days=1), names), [column])
    rows = [b.row for b in drawn.columns[0].blocks if b.appointment]
    assert rows == [0, 12, 24, 36, 48, 60]
    assert [b.time for b in drawn.columns[0].blocks] == [
        "0:00", "1:00", "1:00", "2:00", "3:00", "4:00",
    ]  # fmt: skip


def test_three_at_once_stand_in_three_lanes_and_the_next_alone():
    together = [visit(f"v{n}", "maria", _at(5 * n), end=_at(5 * n + 20)) for n in range(3)]
    visits = (*together, visit("alone", "maria", _at(60), end=_at(80)))
    names = {RUIZ: "Dr Ana Ruiz", "Patient/maria": "Keller, M."}
    drawn = calendar(Drawn("UTC", START.date(), _at(-60), names), [DayColumn(RUIZ, (), visits)])
    lanes = [(b.lane, b.lanes) for b in drawn.columns[0].blocks if b.appointment]
    assert lanes == [(0, 3), (1, 3), (2, 3), (0, 1)]


def test_the_state_of_a_visit_follows_the_clock():
    booked = visit("v", "maria", START)
    assert state_words(booked, _at(-1), "UTC") == "Confirmed"
    assert state_words(booked, _at(3), "UTC") == "Expected now"
    assert state_words(booked, _at(12), "UTC") == "Not arrived · 12 min late"
    assert state_words(booked, _at(75), "UTC") == "Not arrived · 1 h 15 min late"
    arrived = visit("v", "maria", START, status="arrived", arrived=_at(-9))
    assert state_words(arrived, _at(3), "UTC") == "Arrived 13:51"

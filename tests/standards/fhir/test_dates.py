from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyclinic.standards.fhir.dates import date_range

SETTINGS = settings(derandomize=True, deadline=None, max_examples=150, database=None)


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2020", utc(2020, 1, 1), utc(2021, 1, 1)),
        ("2020-12", utc(2020, 12, 1), utc(2021, 1, 1)),
        ("2020-02-29", utc(2020, 2, 29), utc(2020, 3, 1)),
        ("2020-01-01T10:00Z", utc(2020, 1, 1, 10), utc(2020, 1, 1, 10, 1)),
        ("2020-01-01T10:00:00+02:00", utc(2020, 1, 1, 8), utc(2020, 1, 1, 8, 0, 1)),
        (
            "2020-01-01T10:00:00.5Z",
            utc(2020, 1, 1, 10, 0, 0, 500_000),
            utc(2020, 1, 1, 10, 0, 0, 600_000),
        ),
        ("2016-12-31T23:59:60Z", utc(2016, 12, 31, 23, 59, 59), utc(2017, 1, 1)),
    ],
)
def test_a_date_stands_for_the_range_of_its_precision(text, low, high):
    assert date_range(text) == (low, high)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999-12:00"])
def test_dates_at_the_ends_of_time_are_clamped(text):
    low, high = date_range(text)
    assert low <= high


@pytest.mark.parametrize(
    "text",
    [
        "",
        "202",
        "+202",
        "2020-13",
        "2020-+1",
        "2020-02-30",
        "2020-W01-1",
        "yesterday",
        "2020-01-01 10:00:00Z",
        "2020-01-01T10",
        "2020-01-01T25:00:00Z",
        "２０２０",
    ],
)
def test_what_is_no_date_is_a_value_error(text):
    with pytest.raises(ValueError, match=r".+"):
        date_range(text)


@SETTINGS
@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)))
def test_a_day_is_inside_its_month_and_its_month_inside_its_year(day):
    text = day.isoformat()
    (low, high), month, year = date_range(text), date_range(text[:7]), date_range(text[:4])
    assert high - low == timedelta(days=1)
    assert year[0] <= month[0] <= low < high <= month[1] <= year[1]

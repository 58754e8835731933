"""Dates as precise as they were said; a time without a zone, zeros and gaps are refused."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from polyclinic.standards.hl7v2 import Malformed
from polyclinic.standards.hl7v2.moments import from_fhir, moment, says_no_end, written

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "fhir"),
    [
        ("1980", "1980"),
        ("198002", "1980-02"),
        ("19800229", "1980-02-29"),
        ("19800229+0100", "1980-02-29"),
        ("2026030110", "2026-03-01T10:00:00+01:00"),
        ("202603011015", "2026-03-01T10:15:00+01:00"),
        ("20260301101530", "2026-03-01T10:15:30+01:00"),
        ("20260701101530", "2026-07-01T10:15:30+02:00"),
        ("20260301101530.25", "2026-03-01T10:15:30.25+01:00"),
        ("20260301101530.0001-0530", "2026-03-01T10:15:30.0001-05:30"),
        ("20260301101530+0000", "2026-03-01T10:15:30+00:00"),
        (" 20260301 ", "2026-03-01"),
    ],
)
def test_a_moment_is_as_precise_as_it_was_said(text, fhir):
    assert moment(text, BERLIN).fhir() == fhir


# ATK-092
@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("00000000", "zeros"),
        ("0000", "zeros"),
        ("00000000000000+0000", "zeros"),
        ("99991231", "9999"),
        ("99991231235959", "9999"),
        ("00010101", "year"),
        ("22000101", "year"),
        ("20260229", "calendar"),
        ("20261301", "calendar"),
        ("20260001", "calendar"),
        ("20260301240000", "calendar"),
        ("20260301236000", "calendar"),
        ("20260301235960", "calendar"),
        ("20260329023000", "put forward"),
        ("20260301101500+1500", "zone"),
        ("20260301101500+0160", "zone"),
        ("2026-03-01", "no date"),
        ("2026030", "no date"),
        ("20260301T10", "no date"),
        ("20260301101530.", "no date"),
        ("٢٠٢٦", "no date"),
        ("", "no date"),
        ("1" * 5000, "no date"),
    ],
)
def test_what_is_no_moment_is_refused_with_the_reason(text, word):
    with pytest.raises(Malformed, match=word) as refusal:
        moment(text, BERLIN, "PV1-44")
    assert refusal.value.place == "PV1-44"


def test_a_time_without_a_zone_is_refused_where_none_is_set_but_a_day_is_not():
    with pytest.raises(Malformed, match="no zone"):
        moment("202603011015")
    assert moment("20260301").fhir() == "2026-03-01"


def test_a_time_that_came_twice_is_the_first_and_says_so():
    twice = moment("20261025023000", BERLIN)
    assert twice.twice
    assert twice.fhir() == "2026-10-25T02:30:00+02:00"
    assert not moment("20261025033000", BERLIN).twice


def test_days_that_mean_no_end_are_known():
    assert says_no_end("99991231")
    assert says_no_end("29991231")
    assert not says_no_end("20991231")


def test_moments_are_written():
    assert written(datetime(2026, 3, 1, 10, 15, tzinfo=UTC)) == "20260301101500+0000"
    assert written(datetime(2026, 3, 1, 10, 15, tzinfo=BERLIN)) == "20260301101500+0100"


@pytest.mark.parametrize(
    ("fhir", "text"),
    [
        ("1980", "1980"),
        ("1980-02", "198002"),
        ("1980-02-29", "19800229"),
        ("2026-03-01T10:15:30Z", "20260301101530+0000"),
        ("2026-03-01T10:15:30.123456+05:30", "20260301101530.1234+0530"),
    ],
)
def test_fhir_dates_become_hl7_dates(fhir, text):
    assert from_fhir(fhir) == text


def test_what_is_no_fhir_date_is_refused():
    for text in ("", "2026-3-1", "2026-03-01T10:15", "2026-03-01T10:15:30"):
        with pytest.raises(ValueError, match="no FHIR"):
            from_fhir(text)

"""Times without a zone, zeros, the year 9999 and hours that the clock skips."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages_by_hand import WHO, Rules, texts, translated

from polyclinic.services.integration.domain.intents import Refused
from polyclinic.services.integration.domain.mapping import times


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ("2026", "2026"),
        ("202601", "2026-01"),
        ("20260105", "2026-01-05"),
        ("2026010509", "2026-01-05T09:00:00-05:00"),
        ("202601050930", "2026-01-05T09:30:00-05:00"),
        ("20260105093015.5", "2026-01-05T09:30:15.500-05:00"),
        ("20260705093015", "2026-07-05T09:30:15-04:00"),
        ("20260105093015+0000", "2026-01-05T09:30:15Z"),
        ("20260105093015-0330", "2026-01-05T09:30:15-03:30"),
    ],
)
def test_a_time_is_said_as_precisely_as_it_was_sent(sent, said):
    assert times.read(sent, "America/New_York").date_time == said


# ATK-092
@pytest.mark.parametrize(
    "sent",
    [
        "00000000",
        "0000",
        "99991231",
        "20260231",
        "20261301",
        "2026010525",
        "20260105096099",
        "soon",
        "2026-01-05",
        "17000101",
        "20260105093015+9999",
        "٢٠٢٦٠١٠٥",
        " ",
        "20260105093015.1234567",
    ],
)
def test_what_is_no_time_is_refused_in_words(sent):
    with pytest.raises(times.NoTime):
        times.read(sent, "America/New_York")


# ATK-092
def test_an_hour_that_the_clock_skips_is_none():
    with pytest.raises(times.NoTime):
        times.read("20260308023000", "America/New_York")


def test_an_hour_that_comes_twice_is_the_first():
    found = times.read("20261101013000", "America/New_York")
    assert found.date_time == "2026-11-01T01:30:00-04:00"
    assert found.doubt


@given(st.text(alphabet="0123456789+-.T ", max_size=26))
def test_no_text_breaks_it(text):
    try:
        found = times.read(text, "Europe/Berlin")
    except times.NoTime:
        return
    assert found.date


@pytest.mark.parametrize("sent", ["00000000", "99991231", "20260230"])
def test_a_birth_date_that_is_none_is_a_remark(sent):
    made = translated("ADT^A08", WHO.replace("19840229", sent))
    assert "birthDate" not in made.person.resource
    assert any(text.startswith("PID-7: ") for text in texts(made))


def test_a_message_without_any_time_changes_nothing_that_is_known():
    made = translated("ADT^A08", WHO, at="99991231235959")
    assert made.occurred_at == ""
    assert made.person.rank == ("", "")


def booking(start):
    line = f"SCH|P1^CLINIC|F1^SCHED||||||CHECKUP|30|min|^^^{start}"
    return translated("SIU^S12", line, WHO, "AIP|1||77^Weiss^Noor")


# ATK-092
@pytest.mark.parametrize("start", ["20260308023000", "00000000", "99991231120000", "20260105", ""])
def test_nobody_is_booked_at_a_time_that_does_not_exist(start):
    with pytest.raises(Refused):
        booking(start)


# ATK-092
def test_the_channels_zone_holds_where_a_time_has_none():
    visit = booking("20260705093000").intents[0].visit
    assert visit.start == "2026-07-05T09:30:00-04:00"
    utc = translated(
        "SIU^S12", "SCH|P1|F1||||||CHECKUP|30|min|^^^20260705093000", WHO, rules=Rules(zone="UTC")
    )
    assert utc.intents[0].visit.start == "2026-07-05T09:30:00Z"

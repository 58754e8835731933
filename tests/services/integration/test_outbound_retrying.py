"""What an attempt means: sent, later, never again, or nobody there."""

import datetime

import pytest

from polyclinic.services.integration.domain import retrying

NOW = datetime.datetime(2026, 11, 28, 12, tzinfo=datetime.UTC)


def test_the_schedule_is_that_of_standard_webhooks():
    waits = [retrying.judged(500, None, n, 0.0).again for n in range(1, 11)]
    assert waits == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400, None]


def test_chance_only_makes_it_later_and_by_a_fifth_at_most():
    assert retrying.judged(500, None, 1, 1.0).again == pytest.approx(6)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_2xx_is_success(status):
    assert retrying.judged(status, None, 1, 0.0).is_done


@pytest.mark.parametrize("status", [0, 100, 301, 302, 307, 308, 400, 401, 404, 418, 500])
def test_anything_else_is_a_failure_a_redirect_too(status):
    verdict = retrying.judged(status, None, 1, 0.0)
    assert not verdict.is_done
    assert (verdict.again, verdict.rest, verdict.disable) == (5, 0, False)


def test_gone_ends_the_receiver_and_keeps_the_message():
    assert retrying.judged(410, None, 1, 0.0) == retrying.Verdict(
        is_done=False, again=0.0, disable=True
    )


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_who_is_overloaded_gets_nothing_at_all_for_a_while(status):
    assert retrying.judged(status, None, 1, 0.0).rest == 5
    assert retrying.judged(status, None, 4, 0.0).rest == 40
    said = retrying.judged(status, 120.0, 1, 0.0)
    assert (said.rest, said.again) == (120, 120)


def test_retry_after_is_seconds_or_a_date():
    assert retrying.retry_after("120", NOW) == 120
    assert retrying.retry_after("Sat, 28 Nov 2026 12:01:00 GMT", NOW) == 60
    assert retrying.retry_after("Sat, 28 Nov 2026 11:00:00 GMT", NOW) == 0
    assert retrying.retry_after("9" * 40, NOW) == retrying.LONGEST_SECONDS
    assert all(retrying.retry_after(t, NOW) is None for t in ("", "soon", "-1", "1.5", "²"))


def test_a_receiver_rests_longer_the_longer_it_fails():
    assert [retrying.rest_after(n, 0.0) for n in (4, 5, 6, 9, 10, 99)] == [0, 30, 60, 480, 600, 600]

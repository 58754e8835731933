"""Traces follow a request wherever it goes, say nothing of patients, and cost nobody time."""

import time
from datetime import UTC, datetime

import pytest

from polyclinic.foundation import tracing
from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.events import Told
from polyclinic.foundation.settings import Platform
from polyclinic.foundation.tracing import Tracing, otlp
from polyclinic.foundation.tracing.starting import traced

KEY = b"k" * 32
STRANGE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Kept:
    """Keeps what it is told."""

    def __init__(self):
        self.spans = []

    def tell(self, span):
        self.spans.append(span)


@pytest.fixture
def kept():
    teller = Kept()
    with tracing.telling(Tracing(teller, KEY)):
        yield teller


def scope(**headers):
    return {"headers": [(key.encode(), value.encode()) for key, value in headers.items()]}


def arriving(*, begins=True, **headers):
    """What a request with these headers would say to the next service."""
    token = tracing.arrive(scope(**headers), begins=begins)
    said = dict(tracing.headers())
    tracing.leave(token)
    return said


def test_without_a_collector_nothing_is_told_said_or_touched():
    plain = scope(traceparent=STRANGE)
    before = list(plain["headers"])
    tracing.leave(tracing.arrive(plain, begins=True))
    assert plain["headers"] == before
    assert tracing.span("client", "GET", "records") is tracing.NOTHING
    assert (tracing.headers(), tracing.here()) == ({}, None)


def test_a_strangers_trace_is_not_read_and_goes_no_further(kept):
    for state in ("", "polyclinic=0000000000000000", "other=1", "polyclinic=é"):
        said = arriving(traceparent=STRANGE, tracestate=state)
        assert "4bf92f3577b34da6a3ce929d0e0e4736" not in said["traceparent"]
    given = scope(traceparent=STRANGE, accept="text/html")
    tracing.leave(tracing.arrive(given, begins=True))
    assert given["headers"] == [(b"accept", b"text/html")]


def test_what_one_of_our_processes_says_goes_on_in_the_next(kept):
    first = arriving()
    second = arriving(begins=False, **first)
    assert second["traceparent"] == first["traceparent"]
    changed = {**first, "traceparent": first["traceparent"][:-1] + "0"}
    assert arriving(begins=False, **changed) == {}, "the mark is of the very words"


def test_who_looks_whether_we_are_well_begins_no_trace(kept):
    assert arriving(begins=False) == {}


def test_a_span_is_under_the_one_around_it_and_tells_what_ended_it(kept):
    token = tracing.arrive(scope(), begins=True)
    with tracing.request("portal") as request:
        with (
            pytest.raises(ValueError, match="Ruiz"),
            tracing.span("client", "GET", "records"),
            tracing.span("client", "transaction", is_leaf=True),
        ):
            raise ValueError("Ana Ruiz")
        tracing.answered(request, "RUIZ", "/charts/{patient_id}", 500)
    tracing.leave(token)
    leaf, call, root = kept.spans
    assert (leaf.parent.span, call.parent.span) == (call.place.span, root.place.span)
    assert root.parent.span == 0
    assert root.name == "OTHER /charts/{patient_id}"
    assert {s.place.trace for s in kept.spans} == {root.place.trace}
    assert {s.place.service for s in kept.spans} == {"portal"}
    assert all(s.failed for s in kept.spans)
    assert call.said == {"error.type": "ValueError"}
    assert "Ruiz" not in str([(s.name, s.said) for s in kept.spans])


@pytest.mark.parametrize("key", ["url.full", "url.query", "patient", "http.request.body", "user"])
def test_a_key_that_is_not_allowed_is_a_programming_error(kept, key):
    token = tracing.arrive(scope(), begins=True)
    with tracing.span("client", "GET") as span, pytest.raises(tracing.NotAllowedInTraces):
        span.say({key: "Ana Ruiz"})
    tracing.leave(token)
    assert [each.said for each in kept.spans] == [{}]


def test_what_is_not_kept_is_not_kept_further_on_either():
    teller = Kept()
    with tracing.telling(Tracing(teller, KEY, share=0.0)):
        token = tracing.arrive(scope(), begins=True)
        with tracing.request("portal"):
            said = tracing.headers()
            assert tracing.here() is None
        tracing.leave(token)
    assert said["traceparent"].endswith("-00")
    with tracing.telling(Tracing(teller, KEY)):
        token = tracing.arrive(scope(**said), begins=True)
        assert tracing.request("records") is tracing.NOTHING
        tracing.leave(token)
    assert teller.spans == []


def told(kind, trace):
    at = datetime(2026, 11, 29, tzinfo=UTC)
    return Told(id="1", source="s", seq=1, kind=kind, subject="Patient/1", at=at, trace=trace)


def test_an_effect_is_in_the_trace_of_its_cause(kept):
    other = STRANGE.replace("4bf9", "aaaa")
    events = [told("A", STRANGE), told("B", other), told("C", ""), told("D", "no trace")]
    with tracing.effects("insights", "records", events):
        tracing.span("client", "GET", "records").__exit__(None, None, None)
    work, first, second = kept.spans
    assert [each.name for each in kept.spans] == ["GET records", "effect of A", "effect of B"]
    assert work.parent.span == first.place.span
    assert first.parent.span == int(STRANGE.split("-")[2], 16)
    assert second.parent.trace == int(other.split("-")[1], 16)
    assert second.linked == first.place
    assert "Patient" not in str([each.said for each in kept.spans])


async def test_a_collector_that_is_away_costs_nobody_time_and_no_more_memory(unused_port):
    started = time.perf_counter()
    async with traced(Platform(traces_url=f"http://127.0.0.1:{unused_port}/v1/traces"), KEY):
        token = tracing.arrive(scope(), begins=True)
        began = time.perf_counter()
        for _ in range(3 * otlp.WAITING_MAX):
            with tracing.span("client", "GET", "records"):
                pass
        assert time.perf_counter() - began < 5, "an ended span only goes into a queue"
        tracing.leave(token)
    assert time.perf_counter() - started < 30
    assert not tracing.is_on()


@pytest.fixture
def unused_port():
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"traces_url": "collector:4318"}, "POLYCLINIC_TRACES_URL"),
        ({"traces_share": 1.5}, "POLYCLINIC_TRACES_SHARE"),
    ],
)
def test_a_setting_that_cannot_be_meant_names_its_variable(wrong, place):
    with pytest.raises(Invalid) as refused:
        Platform(**wrong)
    assert refused.value.place == place

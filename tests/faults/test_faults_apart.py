"""What breaks between processes: one goes after the other, and the way between them is bad."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from apart_world import Apart, BadWay, Readers
from ledger import SYSTEM, Ledger, await_ready, nothing_lost

pytestmark = pytest.mark.fault


@pytest.fixture
async def database_url(new_database) -> str:
    return await new_database()


def a_patient(url: str, token: str) -> str:
    headers = {"authorization": f"Bearer {token}"}
    made = httpx.post(
        f"{url}/fhir/Patient",
        json={"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": "read"}]},
        headers=headers,
        trust_env=False,
    )
    assert made.status_code == 201, made.text
    return f"/fhir/Patient/{made.json()['id']}"


@pytest.fixture
def two_of_each(
    database_url: str, key_file: Path, tmp_path: Path, free_port: Callable[[], int]
) -> Apart:
    return Apart(database_url, key_file, tmp_path, free_port, copies=2)


def test_f15_a_rolling_restart_fails_no_read_and_loses_no_write(two_of_each, record_property):
    rounds = 2
    with two_of_each as apart:
        ledger = Ledger(apart.url, apart.token())
        place = a_patient(apart.url, ledger.token)
        with Readers(apart.url, ledger.token, place) as readers, ledger:
            for _ in range(rounds):
                for url, replica in zip(apart.urls, apart.replicas, strict=True):
                    ledger.await_more(20)
                    replica.stop(signal.SIGTERM)
                    replica.start()
                    await_ready(url)
            ledger.await_more(20)
        fault = "F15 replicas are restarted one after the other"
        nothing_lost(ledger, record_property, fault, rounds * 2)
    assert not readers.failed, readers.words
    assert len(readers.answers) > 500


def test_both_replicas_stopped_at_once_are_seen(two_of_each, record_property):
    """Control of F15: the readers do notice when nobody is there."""
    with two_of_each as apart:
        token = apart.token()
        place = a_patient(apart.url, token)
        with Readers(apart.url, token, place) as readers:
            for replica in apart.replicas:
                replica.stop(signal.SIGTERM)
            for replica in apart.replicas:
                replica.start()
            await_ready(f"{apart.url}/records")
    record_property("fault", "F15 control: both at once; reads not answered stand under lost")
    record_property("runs", 1)
    record_property("lost", len(readers.failed))
    assert set(readers.failed) == {503}


def test_f14_a_slow_and_lossy_way_bounds_waits_and_tries_and_comes_back(
    database_url, key_file, tmp_path, free_port, record_property
):
    """200 ms on the way, one request in a hundred broken or stalled; then the way closes."""
    ways: list[BadWay] = []

    def between(port: int) -> int:
        ways.append(BadWay(free_port(), port, delay=0.0, bad=0.0).__enter__())
        return ways[0].port

    wait = 3.0
    try:
        with Apart(database_url, key_file, tmp_path, free_port, 1, between) as apart:
            (way,) = ways
            ledger = Ledger(apart.url, apart.token())
            place = a_patient(apart.url, ledger.token)
            way.delay, way.bad = 0.2, 0.01
            carried = way.requests
            with Readers(apart.url, ledger.token, place, count=12, wait=wait) as readers:
                time.sleep(15)
            asked = len(readers.answers)
            carried = way.requests - carried
            with ledger:
                ledger.await_more(60)
            way.delay = way.bad = 0.0
            nothing_lost(ledger, record_property, "F14 a slow way that loses one in a hundred", 1)
            assert way.broken + way.stalled > 0
            assert max(seconds for *_, seconds in readers.answers) < wait + 1
            assert len(readers.failed) < asked * 0.05, readers.failed
            assert carried <= 2 * asked, "a storm of tries"
            _closes_and_opens(way, apart.url, ledger.token, place)
    finally:
        for each in ways:
            each.__exit__()


def _closes_and_opens(way: BadWay, url: str, token: str, place: str) -> None:
    way.is_open = False
    with Readers(url, token, place) as readers:
        time.sleep(1)  # the connections that are open still end at their next request
        before = way.connections
        began = time.monotonic()
        time.sleep(5)
        tried, closed = way.connections - before, time.monotonic()
        way.is_open = True
        time.sleep(4)
    meanwhile = [each for each in readers.answers if began < each[0] < closed]
    waits = sorted(seconds for *_, seconds in meanwhile)
    assert {status for _, status, _ in meanwhile} == {503}
    assert waits[len(waits) // 2] < 0.5
    assert tried < len(meanwhile) / 4, "the breaker never opened"
    last = [status for began, status, _ in readers.answers if began > closed + 3]
    assert set(last) == {200}, "the breaker never closed again"

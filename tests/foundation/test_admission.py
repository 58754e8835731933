"""A door lets in as many as it serves at once; others wait a little or are sent away at once."""

import asyncio

import pytest

from polyclinic.foundation import admission
from polyclinic.foundation.admission import Admission, Visit, places_of
from polyclinic.foundation.errors import Overloaded
from polyclinic.foundation.telemetry import Metrics


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("records")


@pytest.fixture
def door(metrics: Metrics) -> Admission:
    return Admission(metrics, "records", "records", at_once=2)


def seen(metrics: Metrics, state: str) -> float | None:
    labels = {"service": "records", "door": "records", "state": state}
    return metrics.registry.get_sample_value("polyclinic_door_requests", labels)


async def queued(door: Admission, number: int) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(door.enter()) for _ in range(number)]
    await asyncio.sleep(0)
    return tasks


async def test_those_who_wait_are_let_in_one_after_the_other(door: Admission, metrics: Metrics):
    await door.enter()
    await door.enter()
    first, second = await queued(door, 2)
    assert [seen(metrics, state) for state in ("limit", "in_work", "waiting")] == [2, 2, 2]
    door.leave()
    await first
    assert not second.done()
    door.leave()
    await second
    assert [seen(metrics, state) for state in ("in_work", "waiting")] == [2, 0]


async def test_more_than_may_wait_are_sent_away_at_once_and_counted(
    door: Admission, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(admission, "WAITING_MAX", 1)
    await door.enter()
    await door.enter()
    [waits] = await queued(door, 1)
    with pytest.raises(Overloaded):
        await door.enter()
    labels = {"service": "records", "lane": "door of records"}
    assert metrics.registry.get_sample_value("polyclinic_refused_total", labels) == 1
    door.leave()
    await waits


async def test_nobody_waits_longer_than_the_patience(
    door: Admission, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(admission, "PATIENCE", 0.02)
    await door.enter()
    await door.enter()
    for waits in await queued(door, 3):
        with pytest.raises(Overloaded):
            await waits
    door.leave()
    await asyncio.wait_for(door.enter(), 5)
    assert door.taken == 2


async def test_in_a_queue_that_stands_the_newly_come_hear_sooner_than_the_first(
    door: Admission, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(admission, "PATIENCE", 0.05)
    monkeypatch.setattr(admission, "PATIENCE_STANDING", 0.001)
    await door.enter()
    await door.enter()
    monkeypatch.setattr(admission, "PATIENCE", 60)
    [first] = await queued(door, 1)
    monkeypatch.setattr(admission, "PATIENCE", 0.0)
    await asyncio.sleep(0.01)
    with pytest.raises(Overloaded):
        await door.enter()
    assert not first.done()
    door.leave()
    await first


async def test_who_stops_waiting_leaves_no_place_taken(door: Admission):
    await door.enter()
    await door.enter()
    gone, stays = await queued(door, 2)
    gone.cancel()
    await asyncio.wait((gone,))
    door.leave()
    await stays
    door.leave()
    door.leave()
    assert door.taken == 0


async def test_who_is_let_in_at_the_moment_of_leaving_gives_the_place_on(door: Admission):
    await door.enter()
    await door.enter()
    gone, stays = await queued(door, 2)
    door.leave()
    gone.cancel()
    await asyncio.wait((gone,))
    await asyncio.wait_for(stays, 5)
    assert door.taken == 2


async def test_a_long_body_takes_the_places_of_many_but_never_more_than_there_are(
    metrics: Metrics,
):
    places, has_body = places_of([(b"content-length", b"%d" % (32 * 1024 * 1024))])
    assert (places, has_body) == (17, True)
    assert places_of([(b"accept", b"*/*")]) == (1, False)
    assert places_of([(b"content-length", b"9" * 30)]) == (1, True)
    assert places_of([(b"transfer-encoding", b"chunked")]) == (4, True)
    door = Admission(metrics, "records", "records", at_once=4)
    visit = Visit(door, places, said({"type": "http.request", "body": b"x"}))
    await visit.enter(has_body=True)
    assert door.taken == 4
    visit.leave()
    visit.leave()
    assert door.taken == 0


def said(*messages: dict):
    left = list(messages)

    async def receive():
        return left.pop(0)

    return receive


async def test_who_has_sent_nothing_yet_holds_no_place(door: Admission):
    comes = asyncio.Event()

    async def receive():
        await comes.wait()
        return {"type": "http.request", "body": b"x", "more_body": False}

    visit = Visit(door, 1, receive)
    entering = asyncio.create_task(visit.enter(has_body=True))
    await asyncio.sleep(0.01)
    assert door.taken == 0
    comes.set()
    await entering
    assert door.taken == 1
    assert (await visit.receive())["body"] == b"x"


async def test_who_falls_silent_lends_his_place_and_comes_back(
    door: Admission, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(admission, "SLOW_CLIENT", 0.01)
    monkeypatch.setattr(admission, "PATIENCE", 30)
    comes, began = asyncio.Event(), []

    async def receive():
        if began:
            await comes.wait()
        began.append(True)
        return {"type": "http.request", "body": b"x", "more_body": len(began) == 1}

    visit = Visit(door, 2, receive)
    await visit.enter(has_body=True)
    assert (await visit.receive())["more_body"]
    rest = asyncio.create_task(visit.receive())
    await door.enter()  # waits until the place is lent
    comes.set()
    assert not (await rest)["more_body"]
    assert door.taken == 3
    visit.leave()
    assert door.taken == 1

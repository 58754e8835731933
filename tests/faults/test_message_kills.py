"""Killed at any moment of a message's way, integration loses none that it acknowledged, nor does
it anything twice: patients, bookings, results, charges and what receivers are told.

The messages come over MLLP and HTTP; PostgreSQL, the owners and every process are real.
"""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

import asyncpg
import pytest
from honest_client import Honest
from message_effects import House, differences, look
from message_world import World, world

from polyclinic.standards.hl7v2 import parse

# Every kind of moment in a message's life, and how often it comes in the way of one, at the least.
MOMENTS = {"kept": 2, "owner": 6, "effect": 8, "settled": 2, "out": 2, "write": 20, "any": 40}
# Before and after each of them, the first time that it comes.
EACH_POINT = [(number, kind) for kind in MOMENTS if kind != "any" for number in (1, 2)]


def killed(at_work: World, points: Iterable[tuple[int, str]], events: int = 0) -> int:
    """At each of these moments, and then on until there were so many messages; how many came."""
    hits = 0
    for number, kind in points:
        at_work.integration.serve(number, kind)
        hits += at_work.integration.dies_within(60)
        at_work.check_senders()
    at_work.integration.serve()
    while at_work.events < events:
        at_work.check_senders()
        time.sleep(0.05)
    at_work.finish()
    return hits


async def settled(at_work: World, url: str, seconds: float = 240) -> list[str]:
    """What is not as it must be, once everything had the time to become so."""
    end = time.monotonic() + seconds
    connection = await asyncpg.connect(url)
    try:
        while await connection.fetchval("SELECT count(*) FROM integration.queue"):
            assert time.monotonic() < end, "there is still something in the queue"
            await asyncio.sleep(0.1)
        waiting = "SELECT count(*) FROM integration.delivery WHERE state = 'waiting'"
        while len(set(at_work.receiver.heard)) < 2 * len(at_work.told) or (
            await connection.fetchval(waiting)
        ):
            assert time.monotonic() < end, "a receiver was not told of everything"
            await asyncio.sleep(0.1)
    finally:
        await connection.close()
    return await found(at_work, url)


async def found(at_work: World, url: str) -> list[str]:
    house: House = await look(url, at_work.owners, at_work.receiver.heard)
    return differences(house, at_work.acknowledged, at_work.told)


async def broken_on_purpose(at_work: World, url: str) -> None:
    """The checker notices a message that is lost, and each effect that is there twice."""
    owners, number = at_work.owners, at_work.told[0]
    mrn = f"K{number}"
    (patient,) = _resources(owners, f"Patient?identifier={mrn}")
    name = f"Patient/{patient['id']}"
    (charge, *_) = _resources(owners, f"ChargeItem?subject={name}&_count=1")
    again = {k: v for k, v in charge.items() if k not in ("id", "meta", "status")}
    at_work.done(owners, "POST", "/fhir/ChargeItem", {**again, "status": "billable"})
    assert _names(await found(at_work, url), f"{mrn} has the charges", f"{mrn} owes")
    (kept,) = _resources(owners, f"Observation?subject={name}")
    twice = {k: v for k, v in kept.items() if k not in ("id", "meta")}
    at_work.done(owners, "POST", "/fhir/Observation", twice)
    assert _names(await found(at_work, url), f"Observation {mrn} has the versions")
    at_work.done(owners, "PUT", f"/fhir/{name}", {**patient, "active": True})
    assert _names(await found(at_work, url), f"Patient {mrn} has the versions ['4']")
    at_work.receiver.heard.append(("another", *at_work.receiver.heard[0][1:]))
    assert _names(await found(at_work, url), "was told 2 times")
    sender = at_work.senders[0]
    control, said = sender.acknowledged.popitem()
    name = parse(said).control_id.encode()
    sender.acknowledged["never kept"] = said.replace(name, b"0" * len(name))
    assert control not in sender.acknowledged
    assert _names(await found(at_work, url), "never kept was acknowledged and is lost",
                  "1 messages are kept that nobody sent")  # fmt: skip


def _resources(owners: Honest, search: str) -> list[Any]:
    return [each["resource"] for each in owners.found(f"/fhir/{search}").get("entry", ())]


def _names(said: list[str], *parts: str) -> bool:
    return all(any(part in each for each in said) for part in parts)


async def test_kills_on_a_messages_way_lose_none_that_was_acknowledged_and_do_none_twice(
    tmp_path, new_database, key_file, free_port
):
    url = await new_database()
    async with world(tmp_path, url, key_file, free_port) as at_work:
        at_work.begin(senders=2, pause=0.2)
        assert killed(at_work, EACH_POINT) == len(EACH_POINT)
        assert await settled(at_work, url) == []
        assert sum(each.unheard for each in at_work.senders) >= 1
        await broken_on_purpose(at_work, url)


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_eighty_kills_among_a_thousand_messages_lose_none_and_do_none_twice(
    tmp_path, new_database, key_file, free_port, record_property
):
    url = await new_database()
    points = [(n + 1, kind) for kind, count in MOMENTS.items() for n in range(count)]
    async with world(tmp_path, url, key_file, free_port) as at_work:
        at_work.begin(senders=4, pause=0.2)
        hits = killed(at_work, points, events=1_000)
        assert hits >= len(points) * 3 // 4
        assert await settled(at_work, url, seconds=900) == []
        record_property("kills", hits)
        record_property("messages acknowledged", at_work.events)
        record_property("sent again before they were acknowledged",
                        sum(each.unheard for each in at_work.senders))  # fmt: skip

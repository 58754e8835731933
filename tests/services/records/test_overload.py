"""Too much at once, or a database that hangs: 429 or 503 with Retry-After, and then well again."""

import asyncio
import time

import asyncpg
import pytest
from records_door import Door, issues_of, observation, patient

from polyclinic.foundation import batching


async def test_more_than_can_wait_is_turned_away_and_served_again_afterwards(
    own_door: Door, monkeypatch: pytest.MonkeyPatch
):
    kept = await own_door.make(patient())
    path = f"/fhir/Patient/{kept['id']}"
    monkeypatch.setattr(batching, "WAITING_MAX", 20)
    blocker = await asyncpg.connect(own_door.url)
    try:
        hold = blocker.transaction()
        await hold.start()
        await blocker.execute("LOCK TABLE records.access_log IN EXCLUSIVE MODE")
        sent = [asyncio.create_task(own_door.send("GET", path)) for _ in range(300)]
        until = time.monotonic() + 60
        while sum(task.done() for task in sent) <= 100:
            await asyncio.wait(sent, timeout=0.05)
            assert time.monotonic() < until
        shed = [task.result() for task in sent if task.done()]
        assert 100 < len(shed) < 300
        for answer in shed:
            assert answer.status_code == 429
            assert int(answer.headers["retry-after"]) > 0
            assert issues_of(answer)[0]["code"] == "throttled"
        assert (await own_door.client.get("/health/live")).status_code == 200
        await hold.rollback()
        late = await asyncio.gather(*sent)
    finally:
        await blocker.close()
    assert {answer.status_code for answer in late} == {200, 429}
    assert (await own_door.send("GET", path)).status_code == 200


async def test_connections_that_the_database_ends_are_503_or_unnoticed_and_nothing_else(
    own_door: Door,
):
    kept = await own_door.make(patient())
    reference = f"Patient/{kept['id']}"
    statuses: set[int] = set()
    written = 0

    async def work() -> None:
        nonlocal written
        for _ in range(15):
            made = await own_door.send("POST", "/fhir/Observation", resource=observation(reference))
            read = await own_door.send("GET", f"/fhir/{reference}")
            found = await own_door.send("GET", f"/fhir/Observation?patient={reference}")
            written += made.status_code == 201
            for answer in (made, read, found):
                statuses.add(answer.status_code)
                if answer.status_code == 503:
                    assert "retry-after" in answer.headers
                    assert issues_of(answer)[0]["code"] == "transient"

    async def cut() -> None:
        for _ in range(12):
            await asyncio.sleep(0.03)
            await own_door.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'records'"
                " AND datname = current_database()"
            )

    await asyncio.gather(cut(), *(work() for _ in range(8)))
    assert statuses <= {200, 201, 503}
    assert 503 in statuses
    counted = await own_door.send("GET", f"/fhir/Observation?patient={reference}&_summary=count")
    # What was acknowledged is there; a lost answer may have been kept.
    assert written <= counted.json()["total"] <= 8 * 15


async def test_a_statement_that_takes_too_long_is_503_and_the_next_one_is_served(own_door: Door):
    kept = await own_door.make(patient())
    path = f"/fhir/Patient/{kept['id']}"
    blocker = await asyncpg.connect(own_door.url)
    try:
        async with blocker.transaction():
            await blocker.execute("LOCK TABLE records.access_log IN EXCLUSIVE MODE")
            sent = [asyncio.create_task(own_door.send("GET", path)) for _ in range(5)]
            await asyncio.sleep(0.1)
            while not all(task.done() for task in sent):
                # As statement_timeout does; nobody wants to wait for that here.
                await own_door.sql(
                    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'records'"
                    " AND datname = current_database() AND state = 'active'"
                )
                await asyncio.sleep(0.02)
    finally:
        await blocker.close()
    answers = [task.result() for task in sent]
    assert {answer.status_code for answer in answers} == {503}
    assert all("retry-after" in answer.headers for answer in answers)
    assert (await own_door.send("GET", path)).status_code == 200

"""Jobs: one replica at a time, and requests never wait for them."""

import asyncio
from types import SimpleNamespace

import pytest

from polyclinic.assembly import jobs
from polyclinic.foundation.service import Job, Service

MANY = 12


def at_work(database, *done):
    service = Service("worker", "Works.", "lean", (), (), jobs=done)
    return SimpleNamespace(service=service, database=database)


@pytest.fixture
async def database(database_of):
    return await database_of(Service("worker", "Works.", "lean", (), ()))


async def test_many_jobs_that_never_end_leave_requests_their_connections(database):
    begun = []

    async def endless(running):
        begun.append(1)
        async with running.database.connection() as connection:
            await connection.fetchval("SELECT pg_sleep(25)")

    every = [Job(f"job {n}", 60, endless) for n in range(MANY)]
    async with jobs.clock(at_work(database, *every)):
        await until(lambda: len(begun) == jobs.AT_ONCE)
        asked = (database.fetchval("SELECT 1") for _ in range(50))
        assert await asyncio.wait_for(asyncio.gather(*asked), 20) == [1] * 50
        assert len(begun) == jobs.AT_ONCE


async def test_a_job_that_needs_connections_itself_gets_them(database):
    done = []

    async def work(running):
        async with running.database.transaction() as tx:
            await tx.fetchval("SELECT pg_sleep(0.01)")
            await running.database.fetchval("SELECT 1")
        done.append(1)

    every = [Job(f"job {n}", 60, work) for n in range(MANY)]
    async with jobs.clock(at_work(database, *every)):
        await until(lambda: len(done) == MANY)


async def test_a_job_with_nothing_to_do_pauses_longer_and_is_prompt_again_after_work(
    database, monkeypatch
):
    pauses, found = [], iter([False, False, False, True, False])

    async def sleep(seconds):
        pauses.append(seconds)

    async def look(_):
        return next(found)

    # Not the module's own: whoever looks after PostgreSQL sleeps beside us, and would spin.
    monkeypatch.setattr(jobs, "asyncio", SimpleNamespace(**(vars(asyncio) | {"sleep": sleep})))
    turns = jobs.Turns(database)
    job = Job("look", 1, look, idle_seconds=5)
    with pytest.raises(asyncio.CancelledError):
        await jobs._repeat(job, at_work(database, job), _Alone(turns))
    await turns.close()
    assert pauses == [2, 4, 5, 1, 2]


class _Alone:
    """Turns that end with the work: the sixth run is one too many."""

    def __init__(self, turns):
        self._turns, self._left = turns, 5
        self.places = turns.places

    def of(self, number):
        self._left -= 1
        if self._left < 0:
            raise asyncio.CancelledError
        return self._turns.of(number)


async def test_two_replicas_never_do_one_job_at_once(database):
    at_it, most = 0, 0
    done = []

    async def work(_):
        nonlocal at_it, most
        at_it += 1
        most = max(most, at_it)
        try:
            await asyncio.sleep(0.02)
        finally:  # the one that is stopped first is stopped in the middle of it
            at_it -= 1
        done.append(1)

    job = Job("alone", 0.001, work)
    async with jobs.clock(at_work(database, job)), jobs.clock(at_work(database, job)):
        await until(lambda: len(done) > 20)
    assert most == 1


async def test_a_job_goes_on_when_its_lock_was_cut_off(database):
    done = []

    async def work(_):
        done.append(1)

    async with jobs.clock(at_work(database, Job("cut", 0.01, work))):
        await until(lambda: done)
        await database.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND usename = current_user"
        )
        seen = len(done)
        await until(lambda: len(done) > seen + 3)


async def until(true):
    for _ in range(6000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to it within a minute")

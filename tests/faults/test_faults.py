"""What breaks in a clinic's night, one thing after the other, while people write.

`make test-faults` breaks each often and writes docs/reference/faults.md; `make test` fills the disk
once, for kills have tests of their own beside this one. Numbers of faults are those of the list
that security people use here (F01 …). The last tests show that a loss or a double would have been
seen.
"""

import asyncio
import os
import random
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pytest
from ledger import SCOPE, Ledger, asked_token, await_ready, nothing_lost, seen_to_lose

from polyclinic.foundation.postgres import running_address

SERVICES = ("--seed", "none", "--services", "records,identity")
OFTEN = pytest.mark.fault
AS_ROOT = os.geteuid() == 0
OUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'records'"


def ledger_of(data: Path, url: str, **more: Any) -> Ledger:
    return Ledger(url, asked_token("--data", str(data), "--scope", SCOPE), **more)


@OFTEN
@pytest.mark.parametrize("kills", [40])
@pytest.mark.timeout(3000)
def test_f01_services_that_are_killed_lose_nothing(start, data, kills, record_property):
    up = start(*SERVICES).ready()
    chance = random.Random(kills)
    with ledger_of(data, up.url) as ledger:
        for _ in range(kills):
            ledger.await_more(20)
            time.sleep(chance.uniform(0.0, 0.5))
            up.end(signal.SIGKILL)
            up = start(*SERVICES, port=up.port).ready()
        ledger.await_more(20)
    nothing_lost(ledger, record_property, "F01 kill -9 of the services", kills)


@OFTEN
@pytest.mark.parametrize("kills", [20])
@pytest.mark.timeout(3000)
def test_f02_a_postgresql_that_is_killed_loses_nothing(
    start, data, postmaster_of, kills, record_property
):
    up = start(*SERVICES).ready()
    chance = random.Random(kills)
    with ledger_of(data, up.url) as ledger:
        for _ in range(kills):
            ledger.await_more(20)
            time.sleep(chance.uniform(0.0, 0.5))
            postmaster_of(data).kill()
            up = _as_an_operator_would(start, up)
        ledger.await_more(20)
    nothing_lost(ledger, record_property, "F02 kill -9 of PostgreSQL", kills)


@OFTEN
@pytest.mark.parametrize("seconds", [3, 60])
def test_f03_a_postgresql_that_stands_still_loses_nothing(
    start, data, processes_of, seconds, record_property
):
    up = start(*SERVICES).ready()
    with ledger_of(data, up.url) as ledger:
        ledger.await_more(20)
        frozen = [each for each in processes_of(data) if each.name() == "postgres"]
        _tell(frozen, signal.SIGSTOP)
        time.sleep(seconds)
        _tell(frozen, signal.SIGCONT)
        ledger.await_more(20)
    nothing_lost(ledger, record_property, f"F03 PostgreSQL stands still, {seconds} s", 1)


def _tell(processes: list[psutil.Process], word: int) -> None:
    for each in processes:
        try:
            each.send_signal(word)
        except psutil.NoSuchProcess:
            continue


@pytest.fixture
def small_disk(data: Path) -> Iterator[None]:
    """Under the data folder; larger than what PostgreSQL's log may take by itself (1 GB)."""
    data.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1600m,mode=0711", "tmpfs", str(data)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("this root may not mount a disk")
    yield
    subprocess.run(["umount", "-l", str(data)], check=True)


@pytest.mark.skipif(not AS_ROOT, reason="needs root to mount a small disk")
@pytest.mark.usefixtures("small_disk")
@pytest.mark.parametrize("times", [1, pytest.param(5, marks=OFTEN)])
@pytest.mark.timeout(900)
def test_f11_a_full_disk_loses_nothing_and_work_goes_on_when_there_is_room(
    start, data, times, record_property
):
    up = start(*SERVICES).ready()
    with ledger_of(data, up.url) as ledger:
        for _ in range(times):
            ledger.await_more(20)
            ballast = data / "ballast"
            _fill(ballast)
            before = len(ledger.told)
            _until_nobody_is_served(ledger)
            ballast.unlink()
            up = _as_an_operator_would(start, up)
            ledger.await_more(20, seconds=90)
            assert len(ledger.told) > before
    nothing_lost(ledger, record_property, "F11 the disk is full", times)
    up.end(signal.SIGINT)


def _fill(ballast: Path) -> None:
    with ballast.open("wb") as file:
        try:
            while True:
                file.write(bytes(1 << 16))
                file.flush()
        except OSError:
            return


def _until_nobody_is_served(ledger: Ledger) -> None:
    """Small writes find room for a while in what is there already."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        seen = len(ledger.told)
        time.sleep(1.0)
        if len(ledger.told) == seen:
            return
    raise AssertionError("the disk never was full for PostgreSQL")


def _as_an_operator_would(start, up):
    """It recovers by itself; if PostgreSQL ended too often, `up` ended and is started again."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if up.process.poll() is not None:
            return start(*SERVICES, port=up.port).ready()
        try:
            if httpx.get(f"{up.url}/health/ready", timeout=5, trust_env=False).is_success:
                return up
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("not ready again within a minute")


@OFTEN
@pytest.mark.parametrize("seconds", [20])
def test_f12_when_others_hold_every_connection_nothing_is_lost(
    start, data, seconds, record_property
):
    up = start(*SERVICES).ready()
    with ledger_of(data, up.url) as ledger:
        ledger.await_more(20)
        asyncio.run(_take_every_connection(data, seconds))
        ledger.await_more(20)
    nothing_lost(ledger, record_property, f"F12 no connection is left, {seconds} s", 1)


async def _take_every_connection(data: Path, seconds: float) -> None:
    async with AsyncExitStack() as held:
        owner = await held.enter_async_context(_owner(data))
        theirs = -1
        while theirs:  # what they lose is taken before they dial again, or the next time
            theirs = await owner.fetchval(f"SELECT count(*) FROM ({OUT}) AS lost")
            with suppress(asyncpg.TooManyConnectionsError):
                while True:
                    await held.enter_async_context(_owner(data))
        await asyncio.sleep(seconds)


@asynccontextmanager
async def _owner(data: Path) -> AsyncIterator[Any]:
    address = running_address(data)
    assert address is not None
    connection = await asyncpg.connect(address)
    try:
        yield connection
    finally:
        await connection.close()


@OFTEN
@pytest.mark.parametrize("rounds", [25])
def test_f22_of_many_who_change_one_record_at_once_one_wins_each_time(
    start, data, rounds, record_property
):
    up = start(*SERVICES).ready()
    ledger = ledger_of(data, up.url)
    headers = {"authorization": f"Bearer {ledger.token}"}
    place = f"{up.url}/fhir/Patient/storm"
    with httpx.Client(headers=headers, timeout=60, trust_env=False) as client:
        body = {"resourceType": "Patient", "id": "storm", "gender": "other"}
        assert client.put(place, json=body).status_code == 201

        def change(version: int, who: int) -> int:
            while True:
                said = {**body, "multipleBirthInteger": who}
                match = {"if-match": f'W/"{version}"'}
                answer = client.put(place, json=said, headers=match)
                if answer.status_code not in (429, 503):
                    return answer.status_code
                time.sleep(0.05)

        won = 0
        with ThreadPoolExecutor(40) as many:
            for version in range(1, rounds + 1):
                answers = list(many.map(change, [version] * 40, range(40)))
                assert set(answers) <= {200, 409, 412}, answers
                assert answers.count(200) == 1, answers
                won += 1
        past = client.get(f"{place}/_history?_count=200").json()["entry"]
    versions = [int(entry["resource"]["meta"]["versionId"]) for entry in past]
    record_property("fault", "F22 forty change one record at once")
    record_property("runs", rounds)
    record_property("acknowledged", won)
    record_property("lost", rounds + 1 - len(versions))
    record_property("doubled", len(versions) - len(set(versions)))
    assert versions == list(range(rounds + 1, 0, -1))


@OFTEN
def test_a_server_that_does_not_wait_for_its_disk_is_seen_to_lose(
    start, data, postmaster_of, processes_of, record_property
):
    """Control of F02: what was acknowledged without the disk is gone with the process."""
    up = start(*SERVICES).ready()
    asyncio.run(_never_wait(data))
    with ledger_of(data, up.url) as ledger:
        ledger.await_more(200)
        every = [each for each in processes_of(data) if each.name() == "postgres"]
        _tell(every, signal.SIGKILL)
        await_ready(up.url)
    seen_to_lose(ledger, record_property, "F02 control: PostgreSQL told not to wait for its disk")


async def _never_wait(data: Path) -> None:
    async with _owner(data) as owner:
        for setting in ("synchronous_commit = off", "wal_writer_delay = '10s'",
                        "wal_writer_flush_after = '1GB'"):  # fmt: skip
            await owner.execute(f"ALTER SYSTEM SET {setting}")
        await owner.execute("SELECT pg_reload_conf()")
        await owner.execute(OUT)


@OFTEN
def test_a_client_that_does_not_say_that_it_comes_again_is_seen_to_double(
    start, data, record_property
):
    """Control of F01: without a condition, a second try is a second patient."""
    up = start(*SERVICES).ready()
    doubled: set[str] = set()
    with ledger_of(data, up.url, careless=True, hands=16) as ledger:
        for _ in range(8):
            ledger.await_more(60)
            up.end(signal.SIGKILL)
            up = start(*SERVICES, port=up.port).ready()
            _, doubled = ledger.wrong()
            if doubled:
                break
    record_property("fault", "F01 control: a client without a condition")
    record_property("runs", 1)
    record_property("acknowledged", len(ledger.told))
    record_property("doubled", len(doubled))
    assert doubled, "the ledger cannot see a double"

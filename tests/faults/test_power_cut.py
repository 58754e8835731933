"""The power of the machine on which PostgreSQL runs is cut while people write."""

import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import power_guest
import pytest
from ledger import SCOPE, Ledger, asked_token, await_ready, nothing_lost, seen_to_lose

from polyclinic.foundation.vault import RootKey

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        power_guest.missing() is not None, reason=f"{power_guest.missing()} (scripts/guest.sh)"
    ),
]


@pytest.fixture
def guest(data: Path, free_port: Callable[[], int]) -> Iterator[power_guest.Guest]:
    data.mkdir(mode=0o711)
    machine = power_guest.Guest(data, free_port())
    asyncio.run(machine.make())
    machine.power_on()
    try:
        asyncio.run(machine.answers())
        yield machine
    finally:
        machine.cut()


@contextmanager
def writers(guest: power_guest.Guest, port: int) -> Iterator[Ledger]:
    """The services on this machine, their database on the other, and clients before them."""
    key = guest.folder / "root.key"
    RootKey.create(key)
    told = {"POLYCLINIC_DATABASE_URL": guest.url, "POLYCLINIC_KEY_FILE": str(key)}
    words = ["serve", "identity", "records", "--port", str(port)]
    with (guest.folder / "services.txt").open("w") as said:
        services = subprocess.Popen(
            [sys.executable, "-m", "polyclinic", *words],
            env={**os.environ, **told}, stdout=said, stderr=said,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        await_ready(url, 180)
        yield Ledger(url, asked_token("--url", url, "--key-file", str(key), "--scope", SCOPE))
    finally:
        services.terminate()
        services.wait(30)


@pytest.mark.parametrize("cuts", [12])
def test_a_power_cut_loses_nothing(guest, free_port, cuts, record_property):
    chance = random.Random(cuts)
    with writers(guest, free_port()) as ledger:
        with ledger:
            for _ in range(cuts):
                ledger.await_more(40, seconds=180)
                time.sleep(chance.uniform(0.0, 1.0))
                guest.cut()
                guest.power_on()
            ledger.await_more(40, seconds=180)
        nothing_lost(ledger, record_property, "F09 the power of PostgreSQL's machine is cut", cuts)


def test_a_power_cut_under_a_server_that_never_waits_for_its_disk_is_seen_to_lose(
    guest, free_port, record_property
):
    """Control of F09. To kill the server alone would lose nothing here: the kernel has it all."""
    with writers(guest, free_port()) as ledger:
        asyncio.run(_never_sync(guest.url))
        with ledger:
            ledger.await_more(100, seconds=180)
            guest.cut()
        guest.power_on()
        await_ready(ledger.url, 180)
        fault = "F09 control: PostgreSQL told not to write through (fsync = off)"
        seen_to_lose(ledger, record_property, fault)


async def _never_sync(url: str) -> None:
    owner = await asyncpg.connect(url)
    try:
        await owner.execute("CHECKPOINT")
        await owner.execute("ALTER SYSTEM SET fsync = off")
        await owner.execute("SELECT pg_reload_conf()")
    finally:
        await owner.close()

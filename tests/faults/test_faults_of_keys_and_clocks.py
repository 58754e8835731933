"""What breaks around a process: its key, its clock, half a migration, a crowd at its door."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pytest
from ledger import SCOPE, Ledger, asked_token, nothing_lost

from polyclinic.foundation.vault import RootKey

pytestmark = pytest.mark.fault
SERVICES = ("--seed", "none", "--services", "records,identity")
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
HOUR, DAY = 3600, 86400


def ledger_of(data: Path, url: str, **more: Any) -> Ledger:
    return Ledger(url, asked_token("--data", str(data), "--scope", SCOPE), **more)


def test_f20_without_the_right_root_key_nothing_starts_and_nothing_is_lost(
    start, data, record_property
):
    """A running process has read its key; a file that is away or wrong stops the next start."""
    up = start(*SERVICES).ready()
    key, aside = data / "keys/root.key", data / "keys/aside"
    with ledger_of(data, up.url) as ledger:
        ledger.await_more(20)
        key.rename(aside)
        ledger.await_more(20)
        up.end(signal.SIGKILL)
        code, said = start(*SERVICES, port=up.port).end()
        assert (code, "is missing" in said) == (1, True), said
        RootKey.create(key)
        code, said = start(*SERVICES, port=up.port).end()
        assert (code, "Nothing was changed" in said) == (1, True), said
        key.unlink()
        aside.rename(key)
        up = start(*SERVICES, port=up.port).ready()
        ledger.await_more(20)
    nothing_lost(ledger, record_property, "F20 the root key is away, then another one's", 2)


@pytest.mark.skipif(FAKETIME is None, reason="needs Debian's libfaketime")
def test_f13_a_clock_that_jumps_doubles_no_id_and_breaks_no_order(
    start, data, tmp_path, monkeypatch, record_property
):
    """Of the services; PostgreSQL, and so the feed's order, keeps the right time beside them."""
    clock = tmp_path / "clock"
    clock.write_text("+0")
    for name, value in {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }.items():
        monkeypatch.setenv(name, value)
    up = start(*SERVICES).ready()
    ledger = ledger_of(data, up.url)
    for jump in (0, HOUR, -HOUR, DAY, -DAY, 0):
        clock.write_text(f"{jump:+d}")
        token = asked_token("--data", str(data), "--scope", SCOPE)
        assert abs(_issued(token) - time.time() - jump) < 60, "the clock did not jump"
        if jump == DAY:
            assert _status(up.url, ledger.token) == 401, "a token of yesterday is still taken"
        ledger.token = token
        with ledger:
            ledger.await_more(20)
    nothing_lost(
        ledger, record_property, "F13 the services' clock jumps an hour, a day, and back", 6
    )


def _issued(token: str) -> int:
    claims = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["iat"]


def _status(url: str, token: str) -> int:
    headers = {"authorization": f"Bearer {token}"}
    return httpx.get(f"{url}/fhir/Patient", headers=headers, trust_env=False).status_code


def test_f21_after_an_outage_ten_times_the_clients_are_served_again(
    start, data, processes_of, record_property
):
    up = start(*SERVICES).ready()
    with ledger_of(data, up.url) as usual:
        usual.await_more(20)
        before = _rate(usual)
    with ledger_of(data, up.url, hands=60) as crowd:
        frozen = [each for each in processes_of(data) if each.name() == "postgres"]
        _tell(frozen, signal.SIGSTOP)
        time.sleep(10)
        _tell(frozen, signal.SIGCONT)
        back = time.monotonic()
        while _rate(crowd) < before / 2:
            assert time.monotonic() < back + 120, "it does not recover under the crowd"
    nothing_lost(
        crowd, record_property, "F21 ten times the clients after 10 s without PostgreSQL", 1
    )
    with ledger_of(data, up.url) as later:
        later.await_more(20)
        assert _rate(later) > before / 2, "it stays slow when the crowd has gone"


def _rate(ledger: Ledger, seconds: float = 3) -> float:
    seen = len(ledger.told)
    time.sleep(seconds)
    return (len(ledger.told) - seen) / seconds


def _tell(processes: list[psutil.Process], word: int) -> None:
    for each in processes:
        if each.is_running():
            each.send_signal(word)


COLUMNS = """
    SELECT table_schema || '.' || table_name || '.' || column_name || ' ' || data_type
    FROM information_schema.columns WHERE table_schema IN ('identity', 'records')
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname IN ('identity', 'records')
    UNION ALL SELECT conrelid::regclass || conname || pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('identity', 'records'))
    UNION ALL SELECT 'identity ' || folder || version FROM identity.schema_version
    UNION ALL SELECT 'records ' || folder || version FROM records.schema_version
    ORDER BY 1
"""


def _migration(url: str, key_file: Path) -> subprocess.Popen[bytes]:
    told = {"POLYCLINIC_DATABASE_URL": url, "POLYCLINIC_KEY_FILE": str(key_file)}
    words = [sys.executable, "-m", "polyclinic", "migrate", "identity", "records"]
    return subprocess.Popen(words, env={**os.environ, **told}, stdout=subprocess.DEVNULL)


async def test_f16_a_killed_migration_is_resumed_and_leaves_nothing_half(
    new_database, key_file, record_property
):
    whole = await new_database()
    assert _migration(whole, key_file).wait(60) == 0
    wanted = await _columns(whole)
    halfway = wrong = 0
    kills = 4
    for number in range(kills):
        url = await new_database()
        migration = _migration(url, key_file)
        owner = await asyncpg.connect(url)
        try:
            await _begun(owner, number)
        finally:
            await owner.close()
        migration.kill()
        halfway += migration.wait(60) != 0
        assert _migration(url, key_file).wait(60) == 0
        wrong += await _columns(url) != wanted
    record_property("fault", "F16 kill -9 in the middle of a migration; what differs is lost")
    record_property("runs", halfway)
    record_property("lost", wrong)
    assert wrong == 0
    assert halfway > kills // 2


async def _begun(owner: Any, tables: int) -> None:
    """Until so many tables stand, a few more each time; they appear step by step."""
    found, end = -1, time.monotonic() + 30
    while found < tables * 8:
        assert time.monotonic() < end
        found = await owner.fetchval(
            "SELECT count(*) FROM pg_tables WHERE schemaname IN ('identity', 'records')"
        )


async def _columns(url: str) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        return [row[0] for row in await connection.fetch(COLUMNS)]
    finally:
        await connection.close()

"""The embedded PostgreSQL: private, quiet about values, and whole again after any kill."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import psutil
import pytest

from polyclinic.foundation.postgres import EmbeddedPostgres
from polyclinic.foundation.starting import CannotStart

AS_ROOT = os.geteuid() == 0

HOLD = """
import asyncio, sys
from pathlib import Path
from polyclinic.foundation.postgres import EmbeddedPostgres

async def main():
    url = await EmbeddedPostgres(Path(sys.argv[1])).start()
    print(url, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
def data() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="polyclinic-test-"))
    yield folder
    for process in servers_of(folder):
        process.kill()
    shutil.rmtree(folder, ignore_errors=True)


def servers_of(folder: Path) -> list[psutil.Process]:
    """Every process of the cluster: the server itself and whatever works for it."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd().startswith(str(folder)) or str(folder) in " ".join(process.cmdline()):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return [process for process in found if process.pid != os.getpid()]


async def ask(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def gone(folder: Path, seconds: float = 10) -> bool:
    for _ in range(int(seconds * 20)):
        if not servers_of(folder):
            return True
        await asyncio.sleep(0.05)
    return False


def held(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """Another process that runs the server, as `polyclinic up` does."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


async def test_a_second_start_keeps_the_data_and_a_stop_leaves_no_process(data):
    server = EmbeddedPostgres(data)
    url = await server.start()
    assert str(await ask(url, "SHOW server_version")).startswith("18.")
    await ask(url, "CREATE TABLE kept AS SELECT 7 AS number")
    await server.stop()
    assert servers_of(data) == []
    again = EmbeddedPostgres(data)
    assert await ask(await again.start(), "SELECT number FROM kept") == 7
    await again.stop()
    assert servers_of(data) == []


async def test_only_a_password_and_a_private_socket_lead_in(data):
    server = EmbeddedPostgres(data)
    url = await server.start()
    try:
        sockets = Path(parse_qs(urlsplit(url).query)["host"][0])
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
        assert stat.S_IMODE((data / "postgres" / "password").stat().st_mode) == 0o600
        assert await ask(url, "SHOW listen_addresses") == ""
        password = urlsplit(url).password
        assert password
        with pytest.raises(asyncpg.InvalidPasswordError):
            await ask(url.replace(password, "guess"), "SELECT 1")
    finally:
        await server.stop()


async def test_the_log_never_quotes_a_value(data):
    server = EmbeddedPostgres(data)
    url = await server.start()
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE one (name text PRIMARY KEY)")
    for query, value in (
        ("INSERT INTO one VALUES ($1), ($1)", "Zebulon-Marked"),
        ("SELECT ($1::text)::int", "Zebulon-Marked"),
        ("SELECT 'Zebulon-Marked', $1::json", "{Zebulon-Marked"),
    ):
        with pytest.raises(asyncpg.PostgresError):
            await connection.execute(query, value)
    await connection.close()
    await server.stop()
    logs = list((data / "postgres" / "log").iterdir())
    assert logs
    assert not any("Zebulon" in log.read_text() for log in logs)


async def test_when_our_process_is_killed_the_server_goes_and_the_next_start_works(data):
    process, url = held(data)
    await ask(url, "CREATE TABLE kept AS SELECT 7 AS number")
    kill(process)
    server = EmbeddedPostgres(data)  # at once, while the orphan may still be there
    assert await ask(await server.start(), "SELECT number FROM kept") == 7
    await server.stop()
    assert servers_of(data) == []


async def test_when_our_process_is_killed_nothing_stays_behind(data):
    process, _ = held(data)
    assert servers_of(data)
    kill(process)
    assert await gone(data)


async def test_an_orphan_whose_watcher_was_killed_too_is_stopped_by_the_next_start(data):
    process, url = held(data)
    await ask(url, "CREATE TABLE kept AS SELECT 7 AS number")
    for other in servers_of(data):
        if "polyclinic-watch" in other.cmdline():
            other.kill()
    kill(process)
    assert not await gone(data, 0.5)
    said: list[str] = []
    server = EmbeddedPostgres(data, say=said.append)
    assert await ask(await server.start(), "SELECT number FROM kept") == 7
    await server.stop()
    assert any("still up" in line for line in said)


async def test_a_killed_server_is_started_again_at_the_same_address(data):
    said: list[str] = []
    server = EmbeddedPostgres(data, say=said.append)
    url = await server.start()
    await ask(url, "CREATE TABLE kept AS SELECT 7 AS number")
    first = server.pid
    assert first
    os.kill(first, signal.SIGKILL)
    until = time.monotonic() + 20
    while server.pid in (first, None) or not said:
        assert time.monotonic() < until
        await asyncio.sleep(0.05)
    for _ in range(200):
        try:
            assert await ask(url, "SELECT number FROM kept") == 7
            break
        except (OSError, asyncpg.CannotConnectNowError):
            await asyncio.sleep(0.05)
    else:
        pytest.fail("the server did not come back")
    await server.stop()
    assert servers_of(data) == []


async def test_a_stale_pid_file_that_names_a_stranger_is_no_obstacle(data):
    server = EmbeddedPostgres(data)
    await server.start()
    pid = server.pid
    recorded = (data / "postgres" / "cluster" / "postmaster.pid").read_text()
    await server.stop()
    stranger = subprocess.Popen(["sleep", "60"], **as_owner_of(data / "postgres" / "cluster"))
    file = data / "postgres" / "cluster" / "postmaster.pid"
    file.write_text(recorded.replace(str(pid), str(stranger.pid), 1))
    try:
        again = EmbeddedPostgres(data)
        assert await ask(await again.start(), "SELECT 1") == 1
        await again.stop()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def as_owner_of(path: Path) -> dict[str, int]:
    return {"user": path.stat().st_uid} if AS_ROOT else {}


async def test_a_second_process_on_the_same_folder_is_refused_in_one_sentence(data):
    process, _ = held(data)
    try:
        with pytest.raises(CannotStart, match=f"process {process.pid}.*already runs on"):
            await EmbeddedPostgres(data).start()
    finally:
        kill(process)
        assert await gone(data)


async def test_data_of_another_postgresql_is_refused_with_the_way_out(data):
    server = EmbeddedPostgres(data)
    await server.start()
    await server.stop()
    (data / "postgres" / "cluster" / "PG_VERSION").write_text("17\n")
    with pytest.raises(CannotStart, match=r"written by PostgreSQL 17.*pg_dumpall"):
        await EmbeddedPostgres(data).start()


async def test_a_server_that_cannot_start_says_why_and_leaves_nothing(data):
    with pytest.raises(CannotStart, match=r"does not start: .* contains errors"):
        await EmbeddedPostgres(data, settings={"shared_buffers": "plenty"}).start()
    assert servers_of(data) == []
    server = EmbeddedPostgres(data)
    assert await ask(await server.start(), "SELECT 1") == 1
    await server.stop()


async def test_a_folder_path_too_long_for_a_socket_still_works(data):
    deep = data / ("d" * 60) / ("e" * 60)
    if AS_ROOT:
        data.chmod(0o711)
    server = EmbeddedPostgres(deep)
    url = await server.start()
    sockets = Path(parse_qs(urlsplit(url).query)["host"][0])
    assert await ask(url, "SELECT 1") == 1
    assert not sockets.is_relative_to(data)
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    await server.stop()
    assert not sockets.exists()


async def test_a_path_with_spaces_and_quotes_works(data):
    if AS_ROOT:
        data.chmod(0o711)
    server = EmbeddedPostgres(data / "it's a 100% clinic")
    assert await ask(await server.start(), "SELECT 1") == 1
    await server.stop()


@pytest.mark.skipif(not AS_ROOT, reason="needs root: a folder that the server's user cannot reach")
async def test_as_root_an_unreachable_data_folder_is_served_without_touching_its_parents(data):
    closed = data / "closed"
    closed.mkdir(mode=0o700)
    (closed / "other").touch()
    server = EmbeddedPostgres(closed / "clinic")
    try:
        url = await server.start()
        elsewhere = Path(str(await ask(url, "SHOW data_directory")))
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        assert elsewhere.is_relative_to("/var/lib/polyclinic")
        await ask(url, "CREATE TABLE kept AS SELECT 7 AS number")
    finally:
        await server.stop()
    again = EmbeddedPostgres(closed / "clinic")
    assert await ask(await again.start(), "SELECT number FROM kept") == 7
    await again.stop()
    shutil.rmtree(elsewhere.parent)


@pytest.mark.skipif(not AS_ROOT, reason="needs root to mount a small disk")
async def test_a_full_disk_is_one_sentence(data):
    data.chmod(0o711)
    small = data / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(small)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode != 0:
        pytest.skip("this root may not mount a disk")
    try:
        with pytest.raises(CannotStart, match=r"disk of .* is full"):
            await EmbeddedPostgres(small / "clinic").start()
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


async def test_an_unusable_folder_is_one_sentence(data):
    (data / "file").touch()
    with pytest.raises(CannotStart, match="cannot be used"):
        await EmbeddedPostgres(data / "file" / "clinic").start()

"""`polyclinic up` starts, stops and recovers; what prevents it is one sentence and exit code 1."""

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import asyncpg
import pytest

from polyclinic.foundation.postgres import EmbeddedPostgres

AS_ROOT = os.geteuid() == 0


def one_sentence(ended: tuple[int, str]) -> str:
    """A refusal as people see it: exit code 1, one line, no traceback."""
    code, said = ended
    assert code == 1, said
    assert said.startswith("polyclinic: "), said
    assert said.count("\n") == 1, said
    return said


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "polyclinic", *words], capture_output=True, text=True, check=False
    )


def token(data: Path) -> subprocess.CompletedProcess[str]:
    return command("token", "--data", str(data), "--client", "tester", "--scope", "system/*.rs")


@pytest.mark.parametrize("word", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_leaves_no_process_and_the_next_start_keeps_the_data(
    start, data, processes_of, word
):
    up = start().ready()
    assert status(f"{up.url}/health/ready") == 200
    key = (data / "keys" / "root.key").read_text()
    assert up.end(word) == (0, "")
    assert up.lines[-1] == "Stopped."
    assert processes_of(data) == []
    assert not (data / "running.json").exists()
    again = start().ready()
    assert (data / "keys" / "root.key").read_text() == key
    assert again.end(signal.SIGINT)[0] == 0


def test_a_stop_in_the_middle_of_the_first_start_leaves_a_folder_that_starts(
    start, data, processes_of
):
    for wait in (0.8, 1.2, 1.6):
        up = start()
        time.sleep(wait)
        assert up.end(signal.SIGINT)[0] in (0, -signal.SIGINT, 130)
        assert processes_of(data) == []
    assert start().ready().end(signal.SIGINT) == (0, "")


def test_after_kill_9_of_the_platform_the_next_start_recovers(start, data, processes_of):
    first = start().ready()
    first.end(signal.SIGKILL)
    again = start().ready()  # at once: PostgreSQL may still be on its way out
    assert status(f"{again.url}/health/ready") == 200
    assert again.end(signal.SIGINT) == (0, "")
    assert processes_of(data) == []


def test_kill_9_while_it_is_set_up_leaves_a_folder_that_starts(start, data):
    for wait in (0.7, 1.0, 1.3):
        up = start()
        time.sleep(wait)
        up.end(signal.SIGKILL)
    assert start().ready().end(signal.SIGINT) == (0, "")


def test_after_kill_9_of_postgresql_the_platform_recovers_by_itself(start, data, postmaster_of):
    up = start().ready()
    killed = postmaster_of(data)
    killed.kill()
    until = time.monotonic() + 30
    while not any("started again" in line for line in up.lines):
        assert time.monotonic() < until
        time.sleep(0.05)
    while status(f"{up.url}/health/ready") != 200:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert up.end(signal.SIGINT) == (0, "")


def test_a_taken_port_is_one_sentence_and_starts_nothing(start, data):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert f"Port {port} is already in use" in one_sentence(start(port=port).end())
    assert not data.exists()


def test_a_folder_in_use_is_one_sentence(start, data):
    first = start().ready()
    said = one_sentence(start().end())
    assert f"process {first.process.pid}" in said
    assert status(f"{first.url}/health/live") == 200
    assert first.end(signal.SIGINT) == (0, "")


def test_an_unwritable_folder_is_one_sentence(start, data):
    data.parent.joinpath("file").touch()
    assert "cannot be used" in one_sentence(start(data=data.parent / "file" / "data").end())
    # Nobody, not even root, may make a folder here.
    assert "cannot be" in one_sentence(start(data=Path("/proc/polyclinic")).end())


@pytest.mark.skipif(not AS_ROOT, reason="needs root to mount a small disk")
def test_a_full_disk_is_one_sentence(start, data):
    data.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m,mode=0711", "tmpfs", str(data)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("this root may not mount a disk")
    try:
        assert "is full" in one_sentence(start().end())
    finally:
        subprocess.run(["umount", "-l", str(data)], check=True)


def test_data_of_a_newer_release_is_one_sentence(start, data):
    start().ready().end(signal.SIGINT)

    async def grow_newer() -> None:
        server = EmbeddedPostgres(data)
        connection = await asyncpg.connect(await server.start())
        await connection.execute("UPDATE identity.schema_version SET version = 999")
        await connection.close()
        await server.stop()

    asyncio.run(grow_newer())
    said = one_sentence(start().end())
    assert "newer release" in said
    assert "step 999" in said


def test_data_without_its_root_key_is_refused_and_gets_no_new_key(start, data):
    start().ready().end(signal.SIGINT)
    (data / "keys" / "root.key").rename(data / "keys" / "aside")
    assert "root key" in one_sentence(start().end())
    assert not (data / "keys" / "root.key").exists()
    (data / "keys" / "aside").rename(data / "keys" / "root.key")
    assert start().ready().end(signal.SIGINT) == (0, "")


def test_an_unknown_service_is_one_sentence(start, data):
    assert "no service 'radiology'" in one_sentence(start("--services", "radiology").end())


def test_a_token_is_alone_on_the_last_line_and_needs_the_running_platform(start, data):
    assert "No platform runs" in one_sentence((token(data).returncode, token(data).stderr))
    up = start().ready()
    given = token(data)
    assert given.returncode == 0, given.stderr
    assert given.stdout.splitlines()[-1].count(".") == 2
    up.end(signal.SIGKILL)
    after = token(data)
    assert "not running any more" in one_sentence((after.returncode, after.stderr))


def test_only_its_owner_can_read_what_is_in_the_data_folder(start, data):
    up = start().ready()
    note = json.loads((data / "running.json").read_text())
    assert note["url"] == up.url
    assert note["pid"] == up.process.pid
    modes = {"keys/root.key": 0o400, "operator.key": 0o600, "running.json": 0o600}
    for name, mode in modes.items():
        assert stat.S_IMODE((data / name).stat().st_mode) == mode, name
    for name in (".", "keys", "logs", "postgres"):
        assert stat.S_IMODE((data / name).stat().st_mode) & 0o007 == 0, name
    assert up.end(signal.SIGINT) == (0, "")


def test_a_folder_without_the_demo_clinic_never_gets_it_by_default(start, data):
    start("--seed", "none", "--services", "identity").ready().end(signal.SIGINT)
    up = start("--services", "identity").ready()
    assert (data / "seed").read_text() == "none\n"
    assert up.end(signal.SIGINT) == (0, "")

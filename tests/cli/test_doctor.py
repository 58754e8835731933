"""The doctor finds what is ill, says what to do, and its exit code tells."""

import asyncio
import json
import os
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import asyncpg
import pytest

from polyclinic.cli.backing_up import back_up
from polyclinic.cli.doctor import doctor
from polyclinic.cli.doctor_inside import BAD, LOOK, OK, Ward, clock, look_inside, restore_drill
from polyclinic.cli.doctor_outside import look_outside
from polyclinic.foundation.postgres import running_address
from polyclinic.foundation.vault import RootKey

# Tests are imported one by one, not as a package; what they share lies beside them.
sys.path.insert(0, str(Path(__file__).parent))
from kept_clinic import kept_clinic


@pytest.fixture(scope="module")
async def ward():
    async with kept_clinic() as folder:
        url = running_address(folder.path)
        connection = await asyncpg.connect(url)
        await connection.execute("REVOKE ALL ON DATABASE postgres FROM PUBLIC")
        yield Ward(folder, folder.path.with_name("backups"), connection, url, datetime.now(UTC))
        await connection.close()


async def states(ward):
    now = Ward(ward.folder, ward.kept, ward.connection, ward.url, datetime.now(UTC))
    return {found.what: found async for found in look_inside(now)}


async def test_what_is_missing_is_said_with_what_to_do(ward, capsys):
    found = await states(ward)
    assert (found["backups"].state, found["backups"].then) == (BAD, "polyclinic backup")
    assert (found["restore drill"].state, found["audit tree"].state) == (LOOK, LOOK)
    assert await doctor(ward.folder.path, ward.kept, None) == 1
    assert "to mend" in capsys.readouterr().out
    await back_up(ward.folder.path, ward.kept, incremental=False)
    found = await states(ward)
    assert found["backups"].state == LOOK, "it is on the data's own disk"
    assert await doctor(ward.folder.path, ward.kept, None) == 0
    assert all(each.then for each in found.values() if each.state != OK)


async def test_a_log_that_cannot_be_kept_is_bad_until_it_is_kept_again(ward):
    wal = ward.kept / "wal"
    owner = wal.stat()
    aside = wal.with_name("wal-aside")
    wal.rename(aside)
    try:
        await ward.connection.execute("CREATE TABLE one (a int)")
        assert await becomes(ward, "log archive", BAD)
    finally:
        aside.rename(wal)
        os.chown(wal, owner.st_uid, owner.st_gid)
    # PostgreSQL waits a minute after three failures; a reload has it try at once.
    await ward.connection.execute("SELECT pg_reload_conf()")
    await ward.connection.execute("DROP TABLE one")
    assert await becomes(ward, "log archive", OK)


async def becomes(ward, what, state):
    until = time.monotonic() + 100
    while (await states(ward))[what].state != state:
        assert time.monotonic() < until, f"{what} never is {state}"
        await asyncio.sleep(0.2)
    return True


async def test_a_key_that_others_can_read_or_that_opens_nothing_here_is_bad(ward):
    file = ward.folder.key_file
    file.chmod(0o644)
    assert (await states(ward))["key file"].state == BAD
    file.chmod(0o400)
    assert (await states(ward))["key file"].state == OK
    from polyclinic.cli.drill_canaries import prepare_canaries, write_canaries

    await prepare_canaries(ward.connection)
    RootKey.create(ward.folder.path / "other.key")
    await write_canaries(ward.connection, RootKey.read(ward.folder.path / "other.key"))
    assert (await states(ward))["key and data"].state == BAD
    await ward.connection.execute("DROP SCHEMA drill CASCADE")
    assert (await states(ward))["key and data"].state == OK


async def test_a_role_that_reaches_anothers_schema_is_named(ward):
    for name in ("records", "billing"):
        await ward.connection.execute(f"CREATE ROLE {name} LOGIN")
        await ward.connection.execute(f"CREATE SCHEMA {name} AUTHORIZATION {name}")
    assert (await states(ward))["roles"].state == OK
    await ward.connection.execute("GRANT USAGE ON SCHEMA records TO billing")
    found = (await states(ward))["roles"]
    assert (found.state, found.word) == (BAD, "billing may look into records")
    assert (await states(ward))["tables"].state == BAD, "these schemas have no tables"
    for name in ("records", "billing"):
        await ward.connection.execute(f"DROP SCHEMA {name} CASCADE; DROP ROLE {name}")


async def test_a_clock_that_went_back_and_a_failed_drill_are_bad(ward):
    await back_up(ward.folder.path, ward.kept, incremental=False)
    early = datetime.now(UTC) - timedelta(hours=1)
    past = Ward(ward.folder, ward.kept, None, None, early)
    assert (await clock(past)).state == BAD
    said = {"at": "2026-11-01T00:00:00Z", "passed": False, "rpo_seconds": 1, "rto_seconds": 1}
    (ward.kept / "drills").mkdir(exist_ok=True)
    (ward.kept / "drills" / "20261101T000000Z.json").write_text(
        json.dumps({"said": json.dumps(said)})
    )
    assert (await restore_drill(ward)).state == BAD


async def test_a_folder_without_a_running_database_says_so(tmp_path, capsys):
    assert await doctor(tmp_path, None, None) == 1
    told = capsys.readouterr().out
    assert "no PostgreSQL runs" in told
    assert "no folder of backups is named" in told


class Careless(BaseHTTPRequestHandler):
    """A door without headers that shows patients to anybody."""

    def do_GET(self):
        self.send_response(503 if "billing" in self.path else 200)
        self.end_headers()

    def do_POST(self):
        self.do_GET()

    def log_message(self, *_):
        return


@contextmanager
def careless():
    server = HTTPServer(("127.0.0.1", 0), Careless)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


async def test_a_stranger_sees_what_is_open_what_is_missing_and_what_is_down():
    with careless() as url:
        found = {each.what: each async for each in look_outside(url, ("records", "billing"))}
    assert found["billing"].word == "answers 503"
    assert "content-security-policy" in found["headers"].word
    assert {what for what, each in found.items() if each.state == BAD} >= {
        "billing", "headers", "records",
    }  # fmt: skip
    assert found["TLS"].state == LOOK


async def test_a_door_that_does_not_answer_is_one_line():
    found = [each async for each in look_outside("http://127.0.0.1:9", ("records",))]
    assert [(each.what, each.state) for each in found] == [("door", BAD)]

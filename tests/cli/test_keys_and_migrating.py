"""What an installation without `up` is begun with: key files, and tables made by a job."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from polyclinic.assembly.hop import BadEdgeKey, edge_key, read_edge_key
from polyclinic.assembly.process import assemble, front_door, migrate
from polyclinic.cli import main
from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.migrations import OlderData
from polyclinic.foundation.settings import Platform
from polyclinic.foundation.starting import CannotStart
from polyclinic.foundation.vault import NoKey, RootKey, readable_by_others

NewDatabase = Callable[[], Awaitable[str]]


def without_owner(url: str) -> str:
    """The address as a pod gets it: neither the owner's name nor a password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


async def test_after_a_migration_a_process_needs_no_owner(new_database: NewDatabase, key_file):
    url = await new_database()
    await migrate(Platform(database_url=url, key_file=str(key_file)), ("identity", "records"))
    told = Platform(database_url=without_owner(url), key_file=str(key_file), migrate=False)
    async with assemble(told, ("identity", "records"), {}) as process:
        assert set(process.running) == {"identity", "records"}


async def test_without_the_owner_tables_of_an_older_release_are_refused(
    new_database: NewDatabase, key_file: Path
):
    url = await new_database()
    owner = Platform(database_url=url, key_file=str(key_file))
    await migrate(owner, ("identity", "records"))
    told = Platform(database_url=without_owner(url), key_file=str(key_file), migrate=False)
    async with (
        assemble(owner, ("identity",), {}) as process,
        process.running["identity"].database.transaction() as tx,
    ):
        await tx.execute("UPDATE schema_version SET version = version - 1")
    with pytest.raises(OlderData, match="polyclinic migrate identity"):
        async with assemble(told, ("identity",), {}):
            pass


async def test_without_the_owner_an_empty_database_is_refused(new_database: NewDatabase, key_file):
    told = Platform(
        database_url=without_owner(await new_database()), key_file=str(key_file), migrate=False
    )
    with pytest.raises((OlderData, CannotStart)):
        async with assemble(told, ("identity",), {}):
            pass


def test_a_root_key_is_made_once_and_never_overwritten(tmp_path: Path, capsys):
    file = tmp_path / "keys" / "root.key"
    assert main(["key", "new", str(file)]) == 0
    before = file.read_bytes()
    assert main(["key", "new", str(file)]) == 1
    assert "never overwritten" in capsys.readouterr().err
    assert file.read_bytes() == before


def test_the_edge_key_is_another_one_and_tells_nothing_of_the_root_key(tmp_path: Path):
    root, edge = tmp_path / "root.key", tmp_path / "edge.key"
    assert main(["key", "new", str(root)]) == 0
    assert main(["key", "edge", str(edge), "--key-file", str(root)]) == 0
    assert read_edge_key(edge) == edge_key(RootKey.read(root))
    assert RootKey.read(root).derive("operator").hex() not in edge.read_text()
    with pytest.raises(NoKey):
        RootKey.read(edge)


@pytest.mark.parametrize("content", ["", "no hex", "ab" * 31])
def test_a_broken_edge_key_says_what_to_do(tmp_path: Path, content: str):
    file = tmp_path / "edge.key"
    file.write_text(content)
    file.chmod(0o400)
    with pytest.raises(BadEdgeKey):
        read_edge_key(file)


async def test_the_edge_needs_its_key_and_its_peers():
    with pytest.raises(Invalid, match="POLYCLINIC_EDGE_KEY_FILE"):
        async with front_door(Platform(peers="records=http://127.0.0.1:1")):
            pass


@pytest.mark.parametrize(
    ("mode", "owner", "user", "others_read"),
    [
        (0o400, 1000, 1000, False),
        (0o440, 1000, 1000, True),
        (0o440, 0, 1000, False),  # a container's secret: root's, lent through the group
        (0o444, 0, 1000, True),
        (0o460, 0, 1000, True),
        (0o440, 0, 0, True),
    ],
)
def test_only_a_lent_secret_may_be_readable_by_its_group(
    tmp_path: Path, monkeypatch, mode: int, owner: int, user: int, others_read: bool
):
    file = tmp_path / "root.key"
    file.write_text("key")
    seen = os.stat_result((0o100000 | mode, 0, 0, 1, owner, 0, 3, 0, 0, 0))
    monkeypatch.setattr(Path, "stat", lambda _: seen)
    monkeypatch.setattr(os, "getuid", lambda: user)
    assert readable_by_others(file) is others_read

"""The drill passes on what can be restored, and fails on what cannot."""

import json
import sys
from pathlib import Path

import pytest

from polyclinic.cli.backing_up import back_up
from polyclinic.cli.drilling import drill
from polyclinic.foundation.vault import RootKey

# Tests are imported one by one, not as a package; what they share lies beside them.
sys.path.insert(0, str(Path(__file__).parent))
from kept_clinic import kept_clinic


@pytest.fixture
async def folder():
    async with kept_clinic() as folder:
        yield folder


async def test_a_drill_passes_and_fails_once_a_copy_is_damaged(folder, capsys):
    backups = folder.path.with_name("backups")
    key = folder.key_file.read_bytes()
    assert await back_up(folder.path, backups, incremental=False) == 0
    capsys.readouterr()
    assert await drill(folder.path, backups, key) == 0
    told = capsys.readouterr().out
    assert "FAILED" not in told
    assert {line[0] for line in told.splitlines() if line[:1].isdigit()} == set("123456789")
    assert "RPO" in told
    evidence = json.loads(next((backups / "drills").iterdir()).read_text())
    assert json.loads(evidence["said"])["passed"] is True
    assert_signed(evidence, RootKey.read(folder.key_file))
    damage(backups)
    assert await drill(folder.path, backups, key) == 1
    told = capsys.readouterr().out
    assert "is damaged" in told
    assert "The drill FAILED." in told
    beside = sorted(path.name for path in folder.path.parent.iterdir())
    assert beside == ["backups", "clinic"], "a scratch copy was left behind"


def assert_signed(evidence, root):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    signer = Ed25519PrivateKey.from_private_bytes(root.derive("drill evidence"))
    signer.public_key().verify(bytes.fromhex(evidence["signature"]), evidence["said"].encode())


def damage(backups):
    """One bit of a file that every restore needs."""
    file = next((backups / "base").glob("*/data/global/pg_control"))
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)

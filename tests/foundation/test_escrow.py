"""The sealed copy of the root key opens for whom it was sealed, and for nobody else."""

import json
import subprocess

import pytest

from polyclinic.foundation import escrow
from polyclinic.foundation.vault import NoKey, RootKey

PASSPHRASE = "seven quiet herons near the old mill"


@pytest.fixture
def key_file(tmp_path):
    file = tmp_path / "root.key"
    RootKey.create(file)
    return file


@pytest.fixture
def pair(tmp_path):
    private, public = tmp_path / "keeper", tmp_path / "keeper.pub"
    escrow.make_recipient(private, public)
    return private, public


@pytest.fixture
def cheap(monkeypatch):
    monkeypatch.setattr(escrow, "SCRYPT", {"n": 1 << 10, "r": 8, "p": 1})


def test_it_opens_with_the_recipients_private_key_to_the_very_file(tmp_path, key_file, pair):
    file = tmp_path / "escrow"
    file.write_text(escrow.seal_to(escrow.read_public(pair[1]), key_file))
    opener = escrow.Opener(private=escrow.read_private(pair[0]))
    assert escrow.open_escrow(file, opener) == key_file.read_bytes()
    secrets = json.loads(key_file.read_text())
    assert secrets["stable"] not in file.read_text()


def test_it_opens_with_the_passphrase_and_no_other(tmp_path, key_file, cheap):
    file = tmp_path / "escrow"
    file.write_text(escrow.seal_with(PASSPHRASE, key_file))
    assert escrow.open_escrow(file, escrow.Opener(passphrase=PASSPHRASE)) == key_file.read_bytes()
    with pytest.raises(escrow.BadEscrow):
        escrow.open_escrow(file, escrow.Opener(passphrase=PASSPHRASE + "s"))


def test_another_recipients_key_does_not_open_it(tmp_path, key_file, pair):
    file = tmp_path / "escrow"
    file.write_text(escrow.seal_to(escrow.read_public(pair[1]), key_file))
    escrow.make_recipient(tmp_path / "other", tmp_path / "other.pub")
    with pytest.raises(escrow.BadEscrow, match="not its key"):
        escrow.open_escrow(file, escrow.Opener(private=escrow.read_private(tmp_path / "other")))


@pytest.mark.parametrize("way", ["x25519", "scrypt"])
def test_no_part_of_it_can_be_changed(tmp_path, key_file, pair, cheap, way):
    """Each value in turn is another one: a name, a salt, a nonce, the sealed bytes."""
    if way == "x25519":
        text = escrow.seal_to(escrow.read_public(pair[1]), key_file)
        opener = escrow.Opener(private=escrow.read_private(pair[0]))
    else:
        text = escrow.seal_with(PASSPHRASE, key_file)
        opener = escrow.Opener(passphrase=PASSPHRASE)
    content = json.loads(text)
    for name, value in content.items():
        other = value * 2 if isinstance(value, int) else _turned(value)
        file = tmp_path / "changed"
        file.write_text(json.dumps({**content, name: other}))
        with pytest.raises(escrow.BadEscrow):
            escrow.open_escrow(file, opener)
    assert len(content) >= 7


def _turned(text):
    return ("1" if text[0] == "0" else "0") + text[1:]


def test_what_openssl_makes_is_a_recipient_too(tmp_path, key_file):
    private, public = tmp_path / "ssl", tmp_path / "ssl.pub"
    make = ["openssl", "genpkey", "-algorithm", "X25519", "-out", private]
    if subprocess.run(make, capture_output=True, check=False).returncode != 0:
        pytest.skip("openssl is not at hand, or knows no X25519")
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
    private.chmod(0o400)
    file = tmp_path / "escrow"
    file.write_text(escrow.seal_to(escrow.read_public(public), key_file))
    opener = escrow.Opener(private=escrow.read_private(private))
    assert escrow.open_escrow(file, opener) == key_file.read_bytes()


def test_a_short_passphrase_a_wrong_way_and_a_readable_private_key_are_refused(
    tmp_path, key_file, pair
):
    with pytest.raises(escrow.BadPassphrase, match="16"):
        escrow.seal_with("too short", key_file)
    file = tmp_path / "escrow"
    file.write_text(escrow.seal_to(escrow.read_public(pair[1]), key_file))
    with pytest.raises(escrow.BadEscrow, match="private key"):
        escrow.open_escrow(file, escrow.Opener(passphrase=PASSPHRASE))
    pair[0].chmod(0o644)
    with pytest.raises(NoKey, match="readable by others"):
        escrow.read_private(pair[0])


def test_the_fingerprint_tells_root_keys_apart_and_shows_nothing_of_them(tmp_path, key_file):
    RootKey.create(tmp_path / "other.key")
    one, other = RootKey.read(key_file), RootKey.read(tmp_path / "other.key")
    assert one.fingerprint == RootKey.read(key_file).fingerprint != other.fingerprint
    assert not any(
        part in key_file.read_text() for part in one.fingerprint.split("-") if part > "9"
    )
    assert len(one.fingerprint) == 16 + 1 + 1 + 1 + 16

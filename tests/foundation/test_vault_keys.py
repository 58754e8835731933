"""Keys: who may open them, how long they stay in memory, and what becomes of a broken key file."""

import os

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from polyclinic.foundation import vault as vaults
from polyclinic.foundation.vault import (
    DataKey,
    NoKey,
    Place,
    RootKey,
    Unreadable,
    Vault,
    WrappedKey,
)

STABLE, FIRST, SECOND = bytes(range(32)), b"\x01" * 32, b"\x02" * 32
PLACE = Place("resource", "Patient", "ana", 3)
SECRET = b"Ana Ruiz, born 1980-02-29, " + b"hypertension " * 10


def root(**generations: bytes) -> RootKey:
    """`g2=key` is generation 2."""
    return RootKey(STABLE, {int(n[1:]): key for n, key in generations.items()} or {1: FIRST})


def vault(service: str = "records") -> Vault:
    return Vault(root(), service)


vault_once = vault()


def opened(of: Vault, owner: bytes = b"o" * 16) -> tuple[WrappedKey, DataKey]:
    wrapped = of.new_key(owner)
    return wrapped, of.unwrap(wrapped)


def test_a_wrapped_key_opens_with_its_own_id_owner_service_and_generation_only():
    wrapped, _ = opened(vault())
    changes = (
        {"id": b"x" * 16},
        {"owner": b"x" * 16},
        {"wrapping": 2},
        {"wrapped": wrapped.wrapped[:-1]},
        {"wrapped": b""},
        {"wrapped": wrapped.wrapped + b"\0"},
        {"commitment": bytes(32)},
        {"commitment": b""},
    )
    for change in changes:
        fields = {n: getattr(wrapped, n) for n in wrapped.__slots__} | change
        with pytest.raises(Unreadable):
            Vault(root(g1=FIRST, g2=SECOND), "records").unwrap(WrappedKey(**fields))
    with pytest.raises(Unreadable):
        vault("billing").unwrap(wrapped)
    with pytest.raises(Unreadable):
        Vault(RootKey(STABLE, {1: SECOND}), "records").unwrap(wrapped)
    for place in range(len(wrapped.wrapped)):
        bent = bytearray(wrapped.wrapped)
        bent[place] ^= 1
        fields = {n: getattr(wrapped, n) for n in wrapped.__slots__} | {"wrapped": bytes(bent)}
        with pytest.raises(Unreadable):
            vault_once.unwrap(WrappedKey(**fields))


def test_a_wrap_that_opens_as_another_key_fails_its_commitment():
    first, second = vault(), vault()
    wrapped = first.new_key(b"o" * 16)
    other = second.wrap(os.urandom(32), wrapped.id, wrapped.owner, wrapped.wrapping)
    swapped = WrappedKey(wrapped.id, wrapped.owner, 1, wrapped.wrapping, other, wrapped.commitment)
    with pytest.raises(Unreadable):
        second.unwrap(swapped)
    assert second.known(wrapped.id) is None


def test_a_newer_generation_wraps_anew_and_the_old_one_opens_until_it_is_destroyed():
    old = vault().new_key(b"o" * 16)
    both = Vault(root(g1=FIRST, g2=SECOND), "records")
    sealed = both.seal(both.unwrap(old), PLACE, SECRET)
    new = both.new_key(b"o" * 16)
    assert (old.wrapping, new.wrapping) == (1, 2)
    after = Vault(root(g2=SECOND), "records")
    with pytest.raises(Unreadable, match="destroyed"):
        after.unwrap(old)
    assert after.unwrap(new).id == new.id
    assert b"Ana" not in sealed


def test_one_holder_of_a_shared_key_suffices_and_none_is_not_enough():
    of = vault()
    holders = [opened(of, bytes([n]) * 16)[1] for n in range(3)]
    key_id, wraps, key = of.new_shared(holders)
    envelope = of.seal(key, PLACE, SECRET)
    for holder, wrap in zip(holders, wraps, strict=True):
        again = vault()
        opened_again = again.unwrap_share(key_id, holder, wrap)
        assert again.unseal(opened_again, PLACE, envelope) == SECRET
    stranger = opened(of, b"s" * 16)[1]
    for holder, wrap in (
        (stranger, wraps[0]),
        (holders[0], wraps[1]),
        (holders[0], wraps[0][:-1]),
        (holders[0], b""),
    ):
        with pytest.raises(Unreadable):
            vault().unwrap_share(key_id, holder, wrap)
    with pytest.raises(Unreadable):
        vault().unwrap_share(b"x" * 16, holders[0], wraps[0])
    with pytest.raises(Unreadable):
        vault("billing").unwrap_share(key_id, holders[0], wraps[0])
    assert vault().known(key_id) is None


def test_secrets_are_stable_and_different_for_each_purpose_service_and_root():
    # Pinned: a change here would lose every index, role password and cookie of an installation.
    assert root().derive("database role|records").hex() == expected("database role|records")
    assert vault().secret("index", 64).hex() == expected("records|index", 64)
    assert vault().owner("patient", "1").hex() == vault().owner("patient", "1").hex()
    names = {
        vault().secret("index"),
        vault().secret("cursor"),
        vault("billing").secret("index"),
        Vault(RootKey(FIRST, {1: FIRST}), "records").secret("index"),
        root(g1=SECOND).wrapping_key("records", 1),
        root().wrapping_key("records", 1),
        root().wrapping_key("billing", 1),
    }
    assert len(names) == 7
    owners = {vault().owner("a", "bc"), vault().owner("ab", "c"), vault().owner("abc")}
    assert len(owners) == 3


def expected(purpose: str, length: int = 32) -> str:
    info = b"polyclinic|" + purpose.encode()
    return HKDF(hashes.SHA256(), length, salt=None, info=info).derive(STABLE).hex()


def test_a_key_is_forgotten_after_five_minutes_or_at_once_when_told(monkeypatch):
    time = 1000.0
    monkeypatch.setattr(vaults.time, "monotonic", lambda: time)
    of = vault()
    wrapped, key = opened(of)
    assert of.known(wrapped.id) is key
    assert of.known_owner(wrapped.owner) is key
    time += 299
    assert of.known(wrapped.id) is key
    assert of.known(wrapped.id, lasting=60) is None
    time += 2
    assert of.known(wrapped.id) is None
    assert of.known_owner(wrapped.owner) is None
    of.unwrap(wrapped)
    of.forget(wrapped.id, wrapped.owner)
    assert of.known(wrapped.id) is None
    assert of.known_owner(wrapped.owner) is None


def test_no_more_than_ten_thousand_keys_stay_in_memory_and_the_oldest_goes_first():
    of = vault()
    holder = opened(of)[1]
    first, _, _ = of.new_shared([holder])
    for _ in range(10_000):
        last, _, _ = of.new_shared([])
    assert of.known(first) is None
    assert of.known(last) is not None


def test_the_key_file_is_its_owners_alone_and_is_never_overwritten(tmp_path):
    file = tmp_path / "keys" / "root.key"
    made = RootKey.create(file)
    assert file.stat().st_mode & 0o777 == 0o400
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert RootKey.read(file).derive("x") == made.derive("x")
    with pytest.raises(FileExistsError):
        RootKey.create(file)
    for mode in (0o440, 0o404, 0o444, 0o420, 0o600 | 0o002):
        file.chmod(mode)
        with pytest.raises(NoKey, match="readable by others"):
            RootKey.read(file)
    file.chmod(0o600)
    assert RootKey.read(file).derive("x") == made.derive("x")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"5",
        b"null",
        b'"text"',
        b"{}",
        b"\xff\xfe",
        b'{"stable": "zz", "generations": {"1": "00"}}',
        b'{"stable": 5, "generations": {"1": "00"}}',
        b'{"stable": "00", "generations": []}',
        b'{"stable": "00", "generations": {}}',
        b'{"stable": "00", "generations": {"x": "00"}}',
        b'{"stable": "", "generations": {"1": ""}}',
        b'{"stable": "0011", "generations": {"1": "0011"}}',
        b'{"generations": {"1": "' + b"00" * 32 + b'"}}',
    ],
)
def test_a_broken_key_file_is_one_sentence_that_does_not_quote_it(tmp_path, content):
    file = tmp_path / "root.key"
    file.write_bytes(content)
    file.chmod(0o400)
    with pytest.raises(NoKey) as caught:
        RootKey.read(file)
    assert str(caught.value) == f"The key file {file} cannot be read."


def test_a_missing_key_file_is_one_sentence(tmp_path):
    with pytest.raises(NoKey, match="There is no key file"):
        RootKey.read(tmp_path / "none")
    with pytest.raises(NoKey, match="cannot be read"):
        RootKey.read(tmp_path)


def test_a_key_that_was_asked_for_is_not_the_one_that_goes_where_there_is_no_room(monkeypatch):
    """Who waited for a key lost another of the same page, which then seemed unreadable."""
    monkeypatch.setattr(vaults, "_CACHED_KEYS", 3)
    of = vault()
    first, second, *_ = (opened(of, bytes([n]) * 16)[0] for n in range(3))
    assert of.known(first.id, lasting=60) is not None
    opened(of, b"z" * 16)
    assert of.known(first.id) is not None
    assert of.known(second.id) is None

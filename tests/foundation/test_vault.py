"""What is sealed opens for its key at its place, and in no other way."""

import json
import os
import struct
import traceback

import pytest
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from polyclinic.foundation.vault import (
    DataKey,
    Place,
    RootKey,
    Unreadable,
    Vault,
    key_id_of,
)

STABLE, FIRST, SECOND = bytes(range(32)), b"\x01" * 32, b"\x02" * 32
PLACE = Place("resource", "Patient", "ana", 3)
SECRET = b"Ana Ruiz, born 1980-02-29, " + b"hypertension " * 10


def root(**generations: bytes) -> RootKey:
    """`g2=key` is generation 2."""
    return RootKey(STABLE, {int(n[1:]): key for n, key in generations.items()} or {1: FIRST})


def vault(service: str = "records", dictionaries: dict[int, bytes] | None = None) -> Vault:
    return Vault(root(), service, dictionaries)


# NIST CAVP gcmEncryptExtIV256: key, nonce, plain text, associated data, ciphertext and tag; and the
# test cases 13 to 16 of the GCM specification (McGrew and Viega).
VECTORS = [
    ("00" * 32, "00" * 12, "", "", "530f8afbc74536b9a963b4f1c4cb738b"),
    (
        "00" * 32,
        "00" * 12,
        "00" * 16,
        "",
        "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
    ),
    (
        "feffe9928665731c6d6a8f9467308308" * 2,
        "cafebabefacedbaddecaf888",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
        "",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
        "b094dac5d93471bdec1a502270e3cc6c",
    ),
    (
        "feffe9928665731c6d6a8f9467308308" * 2,
        "cafebabefacedbaddecaf888",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b",
    ),
    (
        "31bdadd96698c204aa9ce1448ea94ae1fb4a9a0b3c9d773b51bb1822666b8f22",
        "0d18e06c7c725ac9e362e1ce",
        "2db5168e932556f8089a0622981d017d",
        "",
        "fa4362189661d163fcd6a56d8bf0405ad636ac1bbedd5cc3ee727dc2ab4a9489",
    ),
    (
        "92e11dcdaa866f5ce790fd24501f92509aacf4cb8b1339d50c9c1240935dd08b",
        "ac93a1a6145299bde902f21a",
        "2d71bcfa914e4ac045b2aa60955fad24",
        "1e0889016f67601c8ebea4943bc23ad6",
        "8995ae2e6df3dbf96fac7b7137bae67feca5aa77d51d4a0a14d9c51e1da474ab",
    ),
]


@pytest.mark.parametrize("vector", VECTORS)
def test_the_cipher_beneath_gives_the_published_answers(vector):
    key, nonce, plain, bound, sealed = map(bytes.fromhex, vector)
    assert AESGCM(key).encrypt(nonce, plain, bound) == sealed
    assert AESGCM(key).decrypt(nonce, sealed, bound) == plain


def bound_to(place: Place, service: str = "records") -> bytes:
    """The associated data as the documentation writes it, made without the vault."""
    texts = (service, place.table, place.kind, place.id)
    parts = b"".join(struct.pack(">I", len(t.encode())) + t.encode() for t in texts)
    return parts + struct.pack(">Q", place.version)


def by_hand(key: bytes, key_id: bytes, content: bytes, **changes: int) -> bytes:
    """An envelope made from the documented format and nothing else."""
    nonce = os.urandom(12)
    header = b"HP" + bytes(
        [changes.get("version", 1), changes.get("algorithm", 1), changes.get("dictionary", 0)]
    )
    header += key_id + struct.pack(">I", changes.get("generation", 1)) + nonce
    return header + AESGCM(key).encrypt(nonce, content, bound_to(PLACE) + header)


def held(key_id: bytes = b"k" * 16) -> tuple[bytes, DataKey]:
    key = os.urandom(32)
    return key, DataKey(key_id, 1, AESGCM(key))


def test_an_envelope_made_by_hand_opens():
    key, holder = held()
    assert vault().unseal(holder, PLACE, by_hand(key, holder.id, SECRET)) == SECRET
    packed = zstandard.ZstdCompressor().compress(SECRET)
    envelope = by_hand(key, holder.id, packed, algorithm=2)
    assert vault().unseal(holder, PLACE, envelope) == SECRET


@pytest.mark.parametrize("plain", [b"", b"x", b"y" * 63, SECRET, os.urandom(5000), b"z" * 10**6])
def test_what_we_seal_opens_by_hand_with_the_documented_format(plain):
    key, holder = held()
    envelope = vault().seal(holder, PLACE, plain)
    assert envelope[:3] == b"HP\x01"
    assert envelope[5:21] == key_id_of(envelope) == holder.id
    header, sealed = envelope[:37], envelope[37:]
    content = AESGCM(key).decrypt(header[25:37], sealed, bound_to(PLACE) + header)
    if header[3] == 2:
        content = zstandard.ZstdDecompressor().decompress(content)
    assert content == plain
    assert len(envelope) <= len(plain) + 53


def test_a_dictionary_once_used_is_found_by_its_number():
    samples = [
        json.dumps(
            {"resourceType": "Patient", "id": str(n), "gender": "other", "active": True}
        ).encode()
        for n in range(3000)
    ]
    dictionary = zstandard.train_dictionary(2048, samples).as_bytes()
    _, holder = held()
    old = vault(dictionaries={1: dictionary})
    envelope = old.seal(holder, PLACE, samples[7])
    assert envelope[4] == 1
    newer = vault(dictionaries={1: dictionary, 2: dictionary + b"x"})
    assert newer.unseal(holder, PLACE, envelope) == samples[7]
    with pytest.raises(Unreadable):
        vault().unseal(holder, PLACE, envelope)


@pytest.mark.parametrize(
    "other",
    [
        Place("version", "Patient", "ana", 3),
        Place("resource", "Observation", "ana", 3),
        Place("resource", "Patient", "anb", 3),
        Place("resource", "Patient", "ana", 2),
        Place("resource", "Patient", "ana", 4),
        Place("resource", "Patien", "tana", 3),  # moved over the border of two fields
        Place("resourceP", "atient", "ana", 3),
        Place("resource", "Patient", "ana" + "\0" * 8, 3),
        Place("", "", "", 0),
    ],
)
def test_an_envelope_opens_at_its_own_place_only(other):
    _, holder = held()
    envelope = vault().seal(holder, PLACE, SECRET)
    with pytest.raises(Unreadable):
        vault().unseal(holder, other, envelope)


def test_an_envelope_opens_for_its_own_service_and_key_only():
    key, holder = held()
    envelope = vault().seal(holder, PLACE, SECRET)
    with pytest.raises(Unreadable):
        vault("billing").unseal(holder, PLACE, envelope)
    with pytest.raises(Unreadable):
        vault().unseal(DataKey(b"l" * 16, 1, AESGCM(key)), PLACE, envelope)
    with pytest.raises(Unreadable):
        vault().unseal(DataKey(holder.id, 1, AESGCM(os.urandom(32))), PLACE, envelope)


def test_every_flipped_bit_is_refused():
    _, holder = held()
    envelope = vault().seal(holder, PLACE, SECRET)
    for place in range(len(envelope)):
        for bit in range(8):
            bent = bytearray(envelope)
            bent[place] ^= 1 << bit
            with pytest.raises(Unreadable):
                vault_once.unseal(holder, PLACE, bytes(bent))


vault_once = vault()


def test_every_truncation_and_extension_is_refused():
    _, holder = held()
    envelope = vault().seal(holder, PLACE, SECRET)
    for length in range(len(envelope)):
        with pytest.raises(Unreadable):
            vault_once.unseal(holder, PLACE, envelope[:length])
        with pytest.raises(Unreadable):
            vault_once.unseal(holder, PLACE, envelope[length:] if length else b"")
    for more in (b"\0", b"x" * 16, envelope):
        with pytest.raises(Unreadable):
            vault_once.unseal(holder, PLACE, envelope + more)


@given(st.binary(max_size=400))
@settings(derandomize=True, max_examples=300, deadline=None)
def test_no_bytes_whatever_open(content):
    _, holder = held()
    for envelope in (content, b"HP\x01\x01\x00" + holder.id + content):
        with pytest.raises(Unreadable):
            vault_once.unseal(holder, PLACE, envelope)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 0},
        {"version": 2},
        {"version": 255},
        {"algorithm": 0},
        {"algorithm": 3},
        {"algorithm": 255},
        {"algorithm": 2, "dictionary": 9},
        {"algorithm": 2},  # whose content is no zstd frame
    ],
)
def test_unknown_versions_algorithms_and_dictionaries_are_refused_though_the_tag_is_right(change):
    key, holder = held()
    with pytest.raises(Unreadable):
        vault().unseal(holder, PLACE, by_hand(key, holder.id, SECRET, **change))


@pytest.mark.parametrize("says_its_size", [True, False])
def test_a_decompression_bomb_is_refused_before_memory_is(says_its_size):
    packer = zstandard.ZstdCompressor(write_content_size=says_its_size).compressobj(
        size=200 << 20 if says_its_size else -1
    )
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(200)) + packer.flush()
    assert len(bomb) < 1 << 20
    key, holder = held()
    with pytest.raises(Unreadable):
        vault().unseal(holder, PLACE, by_hand(key, holder.id, bomb, algorithm=2))


def test_a_frame_that_lies_about_its_size_is_refused():
    key, holder = held()
    honest = bytearray(zstandard.ZstdCompressor().compress(bytes(70_000)))
    for claimed in (1, 2**31, 2**32 - 1):
        lying = bytearray(honest)
        lying[5:9] = struct.pack("<I", claimed)
        with pytest.raises(Unreadable):
            vault().unseal(holder, PLACE, by_hand(key, holder.id, bytes(lying), algorithm=2))


def test_a_nonce_never_comes_twice_in_a_hundred_thousand():
    of = vault()
    _, holder = held()
    seen = {of.seal(holder, PLACE, b"x")[25:37] for _ in range(100_000)}
    assert len(seen) == 100_000


def test_a_child_process_does_not_repeat_its_parents_nonces():
    of = vault()
    _, holder = held()
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writing, of.seal(holder, PLACE, b"x")[25:37])
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 12) != of.seal(holder, PLACE, b"x")[25:37]
    os.close(reading)
    os.close(writing)


def test_no_refusal_and_no_traceback_holds_a_key_or_the_plain_text():
    key, holder = held()
    envelope = vault().seal(holder, PLACE, SECRET)
    wrapped = vault().new_key(b"o" * 16)
    refused: list[BaseException] = []
    for fail in (
        lambda: vault().unseal(holder, Place("resource", "Patient", "b", 3), envelope),
        lambda: vault("billing").unwrap(wrapped),
        lambda: vault().unseal(holder, PLACE, by_hand(key, holder.id, SECRET, algorithm=2)),
        lambda: vault().unwrap_share(b"x" * 16, holder, b"y" * 60),
    ):
        with pytest.raises(Unreadable) as caught:
            fail()
        refused.append(caught.value)
    for problem in refused:
        said = "".join(traceback.format_exception(problem)) + repr(problem.args)
        for secret in ("Ruiz", key.hex(), repr(key)[2:-1], STABLE.hex(), FIRST.hex()):
            assert secret not in said
    shown = repr(holder) + repr(vault()) + repr(root()) + str(holder)
    assert key.hex() not in shown
    assert repr(FIRST)[2:-1] not in shown


def test_a_refusal_is_one_sentence_and_its_cause_is_kept_for_us():
    _, holder = held()
    with pytest.raises(Unreadable) as caught:
        vault().unseal(holder, PLACE, by_hand(os.urandom(32), holder.id, SECRET))
    assert isinstance(caught.value.__cause__, InvalidTag)
    assert caught.value.message == (
        "A sealed value does not open: it was changed, moved, or its key was destroyed."
    )

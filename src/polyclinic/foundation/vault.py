"""Sealing: envelope encryption by owner key, and the keyed secrets that other parts derive.

Root key (a file, mode 0400) → key-encryption key (service, generation) → data key (owner) →
envelope. The design and its reasons: docs/reference/security.md and decisions/0002.

Envelope v1, 53 bytes around the ciphertext:
`"HP" | version 1 | algorithm | dictionary | key id (16) | generation (4) | nonce (12) | ct | tag`.
Associated data is length-prefixed: service, table, type, id, version, then the header itself, so
that a row moved to another place, service or version does not open.
"""

import hmac
import json
import os
import stat
import struct
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from polyclinic.foundation.errors import Problem

_HEADER = struct.Struct(">2sBBB16sI12s")
_MAGIC, _VERSION = b"HP", 1
_STORED, _ZSTD = 1, 2  # the algorithm byte: AES-256-GCM over the bytes, or over their zstd frame
_CACHED_KEYS, _CACHED_SECONDS = 10_000, 300
# Whoever brings a key into memory finds it there for so long, a whole statement and what follows.
LOADED_SECONDS = 60
_PLAIN_MAX = 48 * 1024 * 1024  # no envelope opens into more; a decompression bomb stops here


class Unreadable(Problem):
    """A sealed value does not open: it was changed, moved, or its key was destroyed."""


class NoKey(Problem):
    """The root key cannot be used."""


def _hkdf(secret: bytes, purpose: str, length: int = 32) -> bytes:
    return HKDF(hashes.SHA256(), length, salt=None, info=b"polyclinic|" + purpose.encode()).derive(
        secret
    )


def _secret(text: str) -> bytes:
    secret = bytes.fromhex(text)
    if len(secret) != 32:
        raise ValueError("A secret has 32 bytes.")
    return secret


class RootKey:
    """The root of all keys: one stable secret, and generations of wrapping keys."""

    def __init__(self, stable: bytes, generations: Mapping[int, bytes]) -> None:
        self._stable = stable
        self._generations = dict(generations)
        self.current = max(self._generations)

    @classmethod
    def create(cls, file: Path) -> "RootKey":
        """Writes a new root key; an existing file is never overwritten."""
        content = {
            "format": "polyclinic-root-key-1",
            "stable": os.urandom(32).hex(),
            "generations": {"1": os.urandom(32).hex()},
        }
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
        with os.fdopen(handle, "w") as out:
            json.dump(content, out, indent=1)
            out.flush()
            os.fsync(out.fileno())
        return cls.read(file)

    @classmethod
    def read(cls, file: Path) -> "RootKey":
        try:
            if readable_by_others(file):
                raise NoKey(f"The key file {file} is readable by others; make it `chmod 400`.")
            return cls.of(file.read_text())
        except FileNotFoundError as missing:
            raise NoKey(f"There is no key file at {file}.") from missing
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as broken:
            raise NoKey(f"The key file {file} cannot be read.") from broken

    @classmethod
    def of(cls, text: str) -> "RootKey":
        """A root key out of its file's content; raises ValueError and its like when it is none."""
        content = json.loads(text)
        generations = {int(n): _secret(k) for n, k in content["generations"].items()}
        return cls(_secret(content["stable"]), generations)

    @property
    def fingerprint(self) -> str:
        """Tells which root key this is, and nothing about it; changes with each generation."""
        newest = _hkdf(self._generations[self.current], "fingerprint", 8)
        return f"{self.lasting_fingerprint}-{self.current}-{newest.hex()}"

    @property
    def lasting_fingerprint(self) -> str:
        """Tells which root key this is through all its generations."""
        return _hkdf(self._stable, "fingerprint", 8).hex()

    def derive(self, purpose: str, length: int = 32) -> bytes:
        """A secret for one purpose, the same for as long as the installation lives."""
        return _hkdf(self._stable, purpose, length)

    def wrapping_key(self, service: str, generation: int) -> bytes:
        if generation not in self._generations:
            raise Unreadable("The key that wraps this value was destroyed.")
        return _hkdf(self._generations[generation], f"wrap|{service}")


def readable_by_others(file: Path) -> bool:
    """Whether more than this process's user can read a key.

    A container's secret belongs to root and is ours through its group: only there may the group
    read.
    """
    seen = file.stat()
    mode = stat.S_IMODE(seen.st_mode)
    is_lent = seen.st_uid == 0 and os.getuid() != 0
    return bool(mode & (0o037 if is_lent else 0o077))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value belongs; it opens nowhere else."""

    table: str
    kind: str
    id: str
    version: int

    def bytes(self, service: bytes) -> bytes:
        parts = (service, self.table.encode(), self.kind.encode(), self.id.encode())
        return b"".join(len(p).to_bytes(4, "big") + p for p in parts) + self.version.to_bytes(
            8, "big"
        )


@dataclass(frozen=True, slots=True)
class DataKey:
    """A key in use: whatever belongs to one owner is sealed under it."""

    id: bytes
    generation: int
    cipher: AESGCM


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key as it is stored beside the data."""

    id: bytes
    owner: bytes
    generation: int
    wrapping: int
    wrapped: bytes
    commitment: bytes


class Vault:
    """The keys of one service. What it seals, no other service's vault opens."""

    def __init__(
        self, root: RootKey, service: str, dictionaries: Mapping[int, bytes] | None = None
    ) -> None:
        self._root = root
        self.service = service
        self._service = service.encode()
        self._secrets: dict[tuple[str, int], bytes] = {}
        self._keys: OrderedDict[bytes, tuple[float, DataKey]] = OrderedDict()
        self._owners: OrderedDict[bytes, tuple[float, DataKey]] = OrderedDict()
        self._packers: dict[int, Any] = {0: zstandard.ZstdCompressor(level=3)}
        self._unpackers: dict[int, Any] = {0: zstandard.ZstdDecompressor()}
        for number, content in (dictionaries or {}).items():
            known = zstandard.ZstdCompressionDict(content)
            self._packers[number] = zstandard.ZstdCompressor(level=3, dict_data=known)
            self._unpackers[number] = zstandard.ZstdDecompressor(dict_data=known)
        self._dictionary = max(self._packers)

    def secret(self, purpose: str, length: int = 32) -> bytes:
        """A secret of this service for one purpose (an index key, a cookie key)."""
        known = self._secrets.get((purpose, length))
        if known is None:
            known = self._root.derive(f"{self.service}|{purpose}", length)
            self._secrets[(purpose, length)] = known
        return known

    def own_key(self, purpose: str) -> DataKey:
        """A data key of the service itself, for what belongs to no owner whose key it could be."""
        raw = self.secret(purpose, 48)
        return DataKey(raw[32:], 1, AESGCM(raw[:32]))

    def owner(self, *parts: str) -> bytes:
        """The opaque 128-bit name under which an owner's key is kept."""
        text = b"".join(len(p.encode()).to_bytes(4, "big") + p.encode() for p in parts)
        return blake2b(text, digest_size=16, key=self.secret("owners")).digest()

    def new_key(self, owner: bytes, generation: int = 1) -> WrappedKey:
        """Makes a data key for an owner; it counts only once it is stored."""
        key_id, key = os.urandom(16), os.urandom(32)
        return WrappedKey(
            key_id,
            owner,
            generation,
            self._root.current,
            self.wrap(key, key_id, owner, self._root.current),
            _hkdf(key, f"commit|{key_id.hex()}"),
        )

    def wrap(self, key: bytes, key_id: bytes, owner: bytes, wrapping: int) -> bytes:
        cipher = AESGCM(self._root.wrapping_key(self.service, wrapping))
        nonce = os.urandom(12)
        return nonce + cipher.encrypt(nonce, key, b"data-key-1" + self._service + key_id + owner)

    def known(self, key_id: bytes, lasting: float = 0.0) -> DataKey | None:
        """A key opened within the last five minutes that stays for some seconds more, or None."""
        return _fresh(self._keys, key_id, lasting)

    def known_owner(self, owner: bytes) -> DataKey | None:
        return _fresh(self._owners, owner)

    def unwrap(self, wrapped: WrappedKey) -> DataKey:
        """Opens a stored key, checks its commitment and remembers it for five minutes."""
        if (found := _fresh(self._keys, wrapped.id, LOADED_SECONDS)) is not None:
            return found
        cipher = AESGCM(self._root.wrapping_key(self.service, wrapped.wrapping))
        bound = b"data-key-1" + self._service + wrapped.id + wrapped.owner
        try:
            key = cipher.decrypt(wrapped.wrapped[:12], wrapped.wrapped[12:], bound)
        except (InvalidTag, ValueError) as changed:  # ValueError: cut short
            raise Unreadable from changed
        # GCM does not commit to its key: without this a crafted wrap could open as another key.
        if not hmac.compare_digest(wrapped.commitment, _hkdf(key, f"commit|{wrapped.id.hex()}")):
            raise Unreadable
        opened = DataKey(wrapped.id, wrapped.generation, AESGCM(key))
        _remember(self._keys, wrapped.id, opened)
        _remember(self._owners, wrapped.owner, opened)
        return opened

    def new_shared(self, holders: list[DataKey]) -> tuple[bytes, list[bytes], DataKey]:
        """A key of its own for what several owners share: its id, a wrap for each, the key."""
        key_id, key = os.urandom(16), os.urandom(32)
        opened = DataKey(key_id, 1, AESGCM(key))
        wraps: list[bytes] = []
        for holder in holders:
            nonce = os.urandom(12)
            wraps.append(nonce + holder.cipher.encrypt(nonce, key, self._share_of(key_id)))
        _remember(self._keys, key_id, opened)
        return key_id, wraps, opened

    def unwrap_share(self, key_id: bytes, holder: DataKey, wrapped: bytes) -> DataKey:
        """Opens a shared key through one holder's wrap."""
        try:
            key = holder.cipher.decrypt(wrapped[:12], wrapped[12:], self._share_of(key_id))
        except (InvalidTag, ValueError) as changed:  # ValueError: cut short
            raise Unreadable from changed
        opened = DataKey(key_id, 1, AESGCM(key))
        _remember(self._keys, key_id, opened)
        return opened

    def _share_of(self, key_id: bytes) -> bytes:
        return b"shared-key-1" + self._service + key_id

    def forget(self, key_id: bytes, owner: bytes) -> None:
        """Drops a destroyed key from memory at once."""
        self._keys.pop(key_id, None)
        self._owners.pop(owner, None)

    def seal(self, key: DataKey, place: Place, plain: bytes) -> bytes:
        algorithm, dictionary, content = _STORED, 0, plain
        if len(plain) >= 64:
            packed = self._packers[self._dictionary].compress(plain)
            if len(packed) < len(plain):
                algorithm, dictionary, content = _ZSTD, self._dictionary, packed
        nonce = os.urandom(12)
        header = _HEADER.pack(
            _MAGIC, _VERSION, algorithm, dictionary, key.id, key.generation, nonce
        )
        return header + key.cipher.encrypt(nonce, content, place.bytes(self._service) + header)

    def unseal(self, key: DataKey, place: Place, envelope: bytes) -> bytes:
        """The plain bytes; raises Unreadable when anything about the envelope or place differs."""
        header = envelope[: _HEADER.size]
        try:
            magic, version, algorithm, dictionary, key_id, _, nonce = _HEADER.unpack(header)
            if magic != _MAGIC or version != _VERSION or key_id != key.id:
                raise Unreadable
            content = key.cipher.decrypt(
                nonce, envelope[_HEADER.size :], place.bytes(self._service) + header
            )
            if algorithm == _STORED:
                return content
            if algorithm == _ZSTD:
                # Where a frame states its size, zstandard ignores the maximum.
                if zstandard.frame_content_size(content) > _PLAIN_MAX:
                    raise Unreadable
                return self._unpackers[dictionary].decompress(content, max_output_size=_PLAIN_MAX)
        except (struct.error, InvalidTag, KeyError, zstandard.ZstdError) as changed:
            raise Unreadable from changed
        raise Unreadable


def key_id_of(envelope: bytes) -> bytes:
    """Which data key an envelope names."""
    return envelope[5:21]


_Cache = OrderedDict[bytes, tuple[float, DataKey]]


def _fresh(cache: _Cache, name: bytes, lasting: float = 0.0) -> DataKey | None:
    found = cache.get(name)
    if found is None:
        return None
    left = found[0] - time.monotonic()
    if left < 0:
        del cache[name]
    if left < lasting:
        return None
    if lasting:  # whoever asks so will use it: of the others one goes first where there is no room
        cache.move_to_end(name)
    return found[1]


def _remember(cache: _Cache, name: bytes, key: DataKey) -> None:
    cache[name] = (time.monotonic() + _CACHED_SECONDS, key)
    cache.move_to_end(name)
    if len(cache) > _CACHED_KEYS:
        cache.popitem(last=False)

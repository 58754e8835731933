"""Signed notes and the checkpoints in them, as C2SP has them.

https://c2sp.org/signed-note and https://c2sp.org/tlog-checkpoint: lines of text, an empty line,
and signature lines `— <name> <base64 of key hash and signature>`; a checkpoint's text is origin,
size and root, then lines of our own: the time.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519 = b"\x01"
_DASH = "— "


class BadNote(ValueError):
    """A note cannot be read, or nobody whose key is known signed it."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key under a name, as the text `<name>+<hash>+<key>`."""

    name: str
    key: bytes

    @property
    def hash(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.key).digest()[:4]

    def __str__(self) -> str:
        key = base64.b64encode(_ED25519 + self.key).decode()
        return f"{self.name}+{self.hash.hex()}+{key}"

    @classmethod
    def read(cls, text: str) -> "Verifier":
        """Raises BadNote for what is no Ed25519 verifier key."""
        parts = text.strip().split("+", 2)
        try:
            name, stated, key = parts
            raw = base64.b64decode(key, validate=True)
            found = cls(name, raw[1:])
            if raw[:1] == _ED25519 and len(raw) == 33 and found.hash.hex() == stated and name:
                return found
        except (ValueError, binascii.Error) as odd:
            raise BadNote("This is no verifier key `name+hash+key`.") from odd
        raise BadNote("This is no verifier key `name+hash+key` of Ed25519.")


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key under a name."""

    name: str
    key: Ed25519PrivateKey

    @classmethod
    def of(cls, name: str, seed: bytes) -> "Signer":
        """`seed` has 32 bytes."""
        return cls(name, Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def verifier(self) -> Verifier:
        return Verifier(self.name, self.key.public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        """The whole note of a text that ends with a line's end."""
        signature = self.verifier.hash + self.key.sign(text.encode())
        return f"{text}\n{_DASH}{self.name} {base64.b64encode(signature).decode()}\n"


def open_note(note: str, verifiers: Sequence[Verifier]) -> str:
    """The text of a note that at least one of these keys signed; raises BadNote."""
    text, separator, below = note.rpartition("\n\n")
    if not separator or not below.endswith("\n"):
        raise BadNote("A note is a text, an empty line and signatures.")
    known = {(each.name, each.hash): each for each in verifiers}
    signed = False
    for line in below.removesuffix("\n").split("\n"):
        name, signature = _signature(line)
        verifier = known.get((name, signature[:4]))
        if verifier is not None:
            _check(verifier, f"{text}\n", signature[4:])
            signed = True
    if not signed:
        raise BadNote("No key that is known signed this note.")
    return f"{text}\n"


def _signature(line: str) -> tuple[str, bytes]:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error) as odd:
        raise BadNote("A signature line cannot be read.") from odd
    if not line.startswith(_DASH) or not name or len(raw) < 5:
        raise BadNote("A signature line cannot be read.")
    return name, raw


def _check(verifier: Verifier, text: str, signature: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(verifier.key).verify(signature, text.encode())
    except (InvalidSignature, ValueError) as wrong:
        raise BadNote(f"The signature of {verifier.name} is not of this text.") from wrong


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How large a log was at some time, and its root then."""

    origin: str
    size: int
    root: bytes
    at: datetime

    def text(self) -> str:
        root = base64.b64encode(self.root).decode()
        return f"{self.origin}\n{self.size}\n{root}\ntime {self.at.astimezone(UTC).isoformat()}\n"

    @classmethod
    def read(cls, text: str) -> "Checkpoint":
        """Raises BadNote, saying what is wrong with it."""
        lines = text.split("\n")
        try:
            origin, size, root, time, end = lines
            found = cls(
                origin,
                int(size),
                base64.b64decode(root, validate=True),
                datetime.fromisoformat(time.removeprefix("time ")),
            )
        except (ValueError, binascii.Error) as odd:
            raise BadNote("A checkpoint is an origin, a size, a root and a time.") from odd
        if end or found.text() != text or len(found.root) != 32 or not origin:
            raise BadNote("A checkpoint is an origin, a size, a root and a time.")
        return found


def notes_of(content: str) -> list[str]:
    """The notes of a file in which each is followed by an empty line.

    A last one that a crash cut off is left out: nobody was told of it.
    """
    parts = content.split("\n\n")[:-1]
    return [f"{text}\n\n{below}\n" for text, below in zip(parts[::2], parts[1::2], strict=False)]

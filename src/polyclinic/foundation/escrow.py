"""A sealed copy of the root key, apart from the data: to somebody's public key, or a passphrase.

One JSON file. By recipient: X25519 with a key that is used once, HKDF-SHA-256, AES-256-GCM. By
passphrase: scrypt (128 MB), AES-256-GCM. The tag covers everything in the file that is readable.
"""

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.vault import NoKey, RootKey, readable_by_others

FORMAT = "polyclinic-key-escrow-1"
# RFC 7914's parameters: 2^17 * 8 * 128 bytes = 128 MB and about half a second a guess.
SCRYPT = {"n": 1 << 17, "r": 8, "p": 1}
SCRYPT_MOST = 1 << 20  # a crafted file must not make us take all memory
PASSPHRASE_LEAST = 16  # characters; a file that lies around can be guessed at for years


class BadEscrow(Invalid):
    """The escrow file cannot be opened."""


class BadPassphrase(Invalid):
    """The passphrase is too short."""


@dataclass(frozen=True, slots=True)
class Opener:
    """What opens an escrow: a recipient's private key, or a passphrase."""

    private: X25519PrivateKey | None = None
    passphrase: str | None = None


def seal_to(public: X25519PublicKey, key_file: Path) -> str:
    """The escrow of a root key file for whoever has the private half."""
    once = X25519PrivateKey.generate()
    head = {
        "format": FORMAT,
        "way": "x25519",
        "key": RootKey.read(key_file).fingerprint,
        "recipient": _raw(public).hex(),
        "once": _raw(once.public_key()).hex(),
    }
    return _sealed(head, _agreed(once.exchange(public), head), key_file.read_bytes())


def seal_with(passphrase: str, key_file: Path) -> str:
    """The escrow of a root key file for whoever knows the passphrase."""
    if len(passphrase) < PASSPHRASE_LEAST:
        raise BadPassphrase(
            f"The passphrase has {len(passphrase)} characters, and {PASSPHRASE_LEAST} are the "
            "least: six words that nobody would put together."
        )
    head: dict[str, Any] = {
        "format": FORMAT,
        "way": "scrypt",
        "key": RootKey.read(key_file).fingerprint,
        "salt": os.urandom(16).hex(),
        **SCRYPT,
    }
    return _sealed(head, _stretched(passphrase, head), key_file.read_bytes())


def open_escrow(file: Path, opener: Opener) -> bytes:
    """The content of the root key file; raises BadEscrow when anything does not fit."""
    try:
        content: dict[str, Any] = json.loads(file.read_text())
        if content["format"] != FORMAT:
            raise BadEscrow(f"{file} is no escrow of a key that this release knows.")
        nonce, sealed = bytes.fromhex(content.pop("nonce")), bytes.fromhex(content.pop("sealed"))
        key = _key_of(content, opener)
        return AESGCM(key).decrypt(nonce, sealed, _bytes(content))
    except InvalidTag as refused:
        raise BadEscrow(
            f"{file} does not open: it was changed, or that is not its key or passphrase."
        ) from refused
    except OSError as refused:
        raise BadEscrow(f"{file} cannot be read: {refused.strerror}.") from refused
    except (ValueError, KeyError, TypeError, AttributeError) as broken:
        raise BadEscrow(f"{file} is damaged or no escrow of a key.") from broken


def make_recipient(private_file: Path, public_file: Path) -> None:
    """A pair for whoever keeps the escrow; the private half never comes near the platform."""
    private = X25519PrivateKey.generate()
    text = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_new(private_file, text, 0o400)
    write_new(
        public_file,
        private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
        0o644,
    )


def read_public(file: Path) -> X25519PublicKey:
    """A recipient's public key in PEM, as `openssl pkey -pubout` writes it too."""
    try:
        found = serialization.load_pem_public_key(file.read_bytes())
    except (OSError, ValueError) as broken:
        raise NoKey(f"{file} is no public key in PEM.") from broken
    if not isinstance(found, X25519PublicKey):
        raise NoKey(f"{file} holds a key of another kind; an X25519 key is needed.")
    return found


def read_private(file: Path) -> X25519PrivateKey:
    try:
        if readable_by_others(file):
            raise NoKey(f"The key file {file} is readable by others; make it `chmod 400`.")
        found = serialization.load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as broken:
        raise NoKey(f"{file} is no private key in PEM.") from broken
    if not isinstance(found, X25519PrivateKey):
        raise NoKey(f"{file} holds a key of another kind; an X25519 key is needed.")
    return found


def write_new(file: Path, content: bytes, mode: int) -> None:
    """Writes a file that was not there; raises FileExistsError, never writes over."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as writer:
        writer.write(content)
        writer.flush()
        os.fsync(handle)
    file.chmod(stat.S_IMODE(mode))


def _key_of(head: dict[str, Any], opener: Opener) -> bytes:
    match head["way"], opener:
        case "x25519", Opener(private=X25519PrivateKey() as private):
            once = X25519PublicKey.from_public_bytes(bytes.fromhex(head["once"]))
            return _agreed(private.exchange(once), head)
        case "scrypt", Opener(passphrase=str() as passphrase):
            return _stretched(passphrase, head)
        case "x25519", _:
            raise BadEscrow("This escrow opens with its recipient's private key (--with).")
        case "scrypt", _:
            raise BadEscrow("This escrow opens with a passphrase (--passphrase-file).")
        case _:
            raise BadEscrow("This escrow was sealed in a way that this release does not know.")


def _agreed(shared: bytes, head: dict[str, Any]) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=None, info=b"polyclinic|" + _bytes(head)).derive(shared)


def _stretched(passphrase: str, head: dict[str, Any]) -> bytes:
    n, r, p = int(head["n"]), int(head["r"]), int(head["p"])
    if n * r * p > SCRYPT_MOST * 8:
        raise BadEscrow("The escrow asks for more work than any of ours does.")
    return Scrypt(bytes.fromhex(head["salt"]), 32, n, r, p).derive(passphrase.encode())


def _sealed(head: dict[str, Any], key: bytes, content: bytes) -> str:
    # The key is used for this one message, so a random nonce cannot meet itself.
    nonce = os.urandom(12)
    sealed = AESGCM(key).encrypt(nonce, content, _bytes(head))
    return json.dumps({**head, "nonce": nonce.hex(), "sealed": sealed.hex()}, indent=1) + "\n"


def _bytes(head: dict[str, Any]) -> bytes:
    return json.dumps(head, sort_keys=True, separators=(",", ":")).encode()


def _raw(key: X25519PublicKey) -> bytes:
    return key.public_bytes_raw()

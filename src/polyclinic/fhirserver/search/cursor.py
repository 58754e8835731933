"""Paging cursors: sealed, so that an address tells nothing and cannot be bent to another query."""

import base64
import os
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.vault import Vault


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """The query, and the last row of the page before."""

    pairs: tuple[tuple[str, str], ...]
    pid: int
    moment: datetime | None = None
    text: str | None = None
    keys: tuple[
        tuple[bool, Any], ...
    ] = ()  # where the order is not the index's: what it was sorted by


class BadCursor(Invalid):
    """This paging link is not valid, or it is somebody else's; start the search again."""


@dataclass(frozen=True, slots=True)
class Cursors:
    """Seals cursors for one caller and type; nobody else's opens."""

    cipher: AESGCM

    @classmethod
    def of(cls, vault: Vault) -> "Cursors":
        return cls(AESGCM(vault.secret("cursor")))

    def seal(self, cursor: Cursor, actor: str, resource_type: str) -> str:
        nonce = os.urandom(12)
        content = msgspec.msgpack.encode(cursor)
        sealed = nonce + self.cipher.encrypt(nonce, content, _bound(actor, resource_type))
        return _written(sealed)

    def open(self, text: str, actor: str, resource_type: str) -> Cursor:
        try:
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            if _written(sealed) != text:
                # Base64 has several spellings of the same bytes; ours has one.
                raise BadCursor(place="_page")
            content = self.cipher.decrypt(sealed[:12], sealed[12:], _bound(actor, resource_type))
            return msgspec.msgpack.decode(content, type=Cursor)
        except (ValueError, InvalidTag, msgspec.DecodeError) as bad:
            raise BadCursor(place="_page") from bad


def _written(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def _bound(actor: str, resource_type: str) -> bytes:
    return blake2b(f"{actor}\x1f{resource_type}".encode(), digest_size=16).digest()

"""What one of our front doors tells another about a request, signed with a key of the root key.

The next process sees the person's own address and the Host that was asked for, as if there were
no process in between; whoever reaches it directly cannot say the same without the key.
"""

import base64
import binascii
import hmac
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.http import Message
from polyclinic.foundation.vault import RootKey, readable_by_others

HEADER = b"x-polyclinic-hop"
KEY_BYTES = 32
# Two machines' clocks differ a little, and a large body takes a while before its head is read.
VALID_SECONDS = 120
# Only the configured public address and a signed hop say where we are, never a stranger's header.
STRANGERS_WORDS = frozenset(
    (b"forwarded", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-port")
)


class BadEdgeKey(Invalid):
    """The edge's key cannot be used."""


def edge_key(root: RootKey) -> bytes:
    """What front doors sign with; from it nothing else can be derived."""
    return root.derive("front door hop")


def write_edge_key(root: RootKey, file: Path) -> None:
    """For a machine on which the root key should not lie; an existing file is not overwritten."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    except OSError as refused:
        raise BadEdgeKey(f"{file} cannot be written: {refused.strerror}.") from refused
    with os.fdopen(handle, "w") as out:
        out.write(edge_key(root).hex() + "\n")


def read_edge_key(file: Path) -> bytes:
    """Raises BadEdgeKey, saying what to do."""
    try:
        if readable_by_others(file):
            raise BadEdgeKey(f"The key file {file} is readable by others; make it `chmod 400`.")
        key = bytes.fromhex(file.read_text().strip())
    except (OSError, ValueError) as broken:
        text = f"The key file {file} cannot be read; make one with `polyclinic key edge`."
        raise BadEdgeKey(text) from broken
    if len(key) != KEY_BYTES:
        raise BadEdgeKey(f"The key in {file} is not of {KEY_BYTES} bytes; is it whole?")
    return key


class _Told(msgspec.Struct, frozen=True):
    at: int
    host: str
    client: str
    scheme: str


@dataclass(frozen=True, slots=True)
class Hops:
    """Writes and reads the header between two processes of one platform."""

    key: bytes
    clock: Callable[[], float] = time.time

    def write(self, scope: Message) -> bytes:
        """The header's value for this very request: it fits no other method or address."""
        client = scope.get("client")
        told = _Told(
            int(self.clock()),
            _header(scope, b"host").decode("latin-1"),
            str(client[0]) if client else "unknown",
            str(scope["scheme"]),
        )
        plain = base64.urlsafe_b64encode(msgspec.json.encode(told))
        return plain + b"." + self._mark(scope, plain)

    def arrive(self, scope: Message) -> bool:
        """Puts a scope right before a service sees it; True when one of our doors passed it on."""
        value = _header(scope, HEADER)
        told = self._told(scope, value) if value else None
        dropped = STRANGERS_WORDS | {HEADER} | ({b"host"} if told else set())
        headers = [(key, value) for key, value in scope["headers"] if key not in dropped]
        if told is not None:
            headers.append((b"host", told.host.encode("latin-1")))
            scope["client"], scope["scheme"] = (told.client, 0), told.scheme
        scope["headers"] = headers
        return told is not None

    def _told(self, scope: Message, value: bytes) -> _Told | None:
        plain, _, mark = value.partition(b".")
        if not hmac.compare_digest(mark, self._mark(scope, plain)):
            return None
        try:
            told = msgspec.json.decode(base64.urlsafe_b64decode(plain), type=_Told)
        except (binascii.Error, msgspec.DecodeError):
            return None
        return told if abs(self.clock() - told.at) <= VALID_SECONDS else None

    def _mark(self, scope: Message, plain: bytes) -> bytes:
        method = scope["method"].encode()
        said = b"\n".join((method, scope["raw_path"], scope["query_string"], plain))
        return hmac.digest(self.key, said, "sha256").hex().encode()


def _header(scope: Message, name: bytes) -> bytes:
    return next((value for key, value in scope["headers"] if key == name), b"")

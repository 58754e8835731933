"""Idempotency keys: hashes of who asked, with which key, for what."""

from hashlib import blake2b
from typing import Any

import msgspec

from polyclinic.foundation.caller import Caller
from polyclinic.foundation.errors import Invalid
from polyclinic.services.appointments.domain.problems import KeyMissing
from polyclinic.services.appointments.domain.values import Once

KEY_MAX = 255


def once_of(caller: Caller, key: str | None, what: str, asked: Any) -> Once | None:
    """None without a key. The key itself is kept nowhere: it may say anything."""
    if key is None:
        return None
    if not 1 <= len(key) <= KEY_MAX:
        raise Invalid(f"An Idempotency-Key has 1 to {KEY_MAX} characters.", place="Idempotency-Key")
    body = asked if isinstance(asked, bytes) else msgspec.json.encode(asked, order="deterministic")
    name = _hash(caller.subject.encode(), caller.client.encode(), key.encode())
    return Once(name, _hash(what.encode(), body))


def needed(once: Once | None) -> Once:
    if once is None:
        raise KeyMissing(place="Idempotency-Key")
    return once


def _hash(*parts: bytes) -> bytes:
    whole = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return blake2b(whole, digest_size=16).digest()

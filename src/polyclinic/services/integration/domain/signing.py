"""Standard Webhooks: signatures that prove who sent a message, and when.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
Signed is `id.timestamp.body`. `v1` is HMAC-SHA256 under a shared secret (`whsec_`), `v1a` ed25519
(`whsk_`, checked with `whpk_`). While a secret is rotated a message carries a signature of each.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from polyclinic.foundation.errors import Invalid

TOLERANCE_SECONDS = 300
SECRET_BYTES = 32
_SHARED, _PRIVATE, _PUBLIC = "whsec_", "whsk_", "whpk_"
SCHEMES = ("v1", "v1a")


class BadSecret(Invalid):
    """That is no secret of Standard Webhooks."""


class BadSignature(Invalid):
    """The message is not signed as it should be, or too old."""


def new_secret(scheme: str, random: bytes) -> str:
    """A secret out of 32 random bytes; the caller draws them."""
    if scheme not in SCHEMES or len(random) != SECRET_BYTES:
        raise BadSecret
    if scheme == "v1":
        return _SHARED + base64.b64encode(random).decode()
    key = Ed25519PrivateKey.from_private_bytes(random)
    return _PRIVATE + base64.b64encode(random + key.public_key().public_bytes_raw()).decode()


def shown(secret: str) -> str:
    """What a receiver needs to check signatures: the shared secret, or the public key."""
    if secret.startswith(_SHARED):
        return secret
    public = _private(secret).public_key().public_bytes_raw()
    return _PUBLIC + base64.b64encode(public).decode()


def headers(secrets: Sequence[str], name: str, at: int, body: bytes) -> dict[str, str]:
    """The three headers of a message; `name` is its id, the same at each attempt."""
    return {
        "webhook-id": name,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(sign(secret, name, at, body) for secret in secrets),
    }


def sign(secret: str, name: str, at: int, body: bytes) -> str:
    """One signature with its scheme: `v1,…` or `v1a,…`."""
    if not name or "." in name:
        raise BadSignature("A message's id is not empty and has no point.")
    content = _signed(name, str(at), body)
    if secret.startswith(_SHARED):
        return "v1," + base64.b64encode(_hmac(secret, content)).decode()
    return "v1a," + base64.b64encode(_private(secret).sign(content)).decode()


def verify(keys: Sequence[str], given: Mapping[str, str], body: bytes, now: float) -> None:
    """Raises BadSignature unless a key (`whsec_` or `whpk_`) fits and the time is near."""
    found = {name.lower(): value for name, value in given.items()}
    name, at = found.get("webhook-id", ""), found.get("webhook-timestamp", "")
    is_number = at.isascii() and at.isdigit() and len(at) < 16
    if not name or not is_number or abs(now - int(at)) > TOLERANCE_SECONDS:
        raise BadSignature
    content = _signed(name, at, body)
    signatures = [each.partition(",") for each in found.get("webhook-signature", "").split(" ")]
    for scheme, _, text in signatures:
        if any(_fits(key, scheme, text, content) for key in keys):
            return
    raise BadSignature


def _fits(key: str, scheme: str, text: str, content: bytes) -> bool:
    try:
        signature = base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
    if scheme == "v1" and key.startswith(_SHARED):
        return hmac.compare_digest(_hmac(key, content), signature)
    if scheme == "v1a" and key.startswith(_PUBLIC):
        try:
            Ed25519PublicKey.from_public_bytes(_bytes(key, _PUBLIC)).verify(signature, content)
        except InvalidSignature:
            return False
        return True
    return False


def _signed(name: str, at: str, body: bytes) -> bytes:
    return f"{name}.{at}.".encode() + body


def _hmac(secret: str, content: bytes) -> bytes:
    key = _bytes(secret, _SHARED)
    if not 24 <= len(key) <= 64:
        raise BadSecret
    return hmac.digest(key, content, hashlib.sha256)


def _private(secret: str) -> Ed25519PrivateKey:
    """A seed alone, or seed and public key one after the other, as others write it."""
    content = _bytes(secret, _PRIVATE)
    if len(content) not in (32, 64):
        raise BadSecret
    return Ed25519PrivateKey.from_private_bytes(content[:32])


def _bytes(secret: str, prefix: str) -> bytes:
    if not secret.startswith(prefix):
        raise BadSecret
    try:
        return base64.b64decode(secret[len(prefix) :], validate=True)
    except binascii.Error as bad:
        raise BadSecret from bad

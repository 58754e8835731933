"""Signed tokens (RFC 7515, 7519), read strictly: one algorithm a key, known headers, no doubles.

joserfc does the cryptography. What is refused here before it sees the token are the forms that
libraries have been wrong about: other headers (`crit`, `jwk`, `jku`, `x5c`, `b64`), repeated JSON
names, base64 that is not canonical, and anything that is not three parts.
"""

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.registry import Header
from joserfc.util import urlsafe_b64decode

from polyclinic.foundation.errors import Problem

PublicKey = OKPKey | ECKey | RSAKey

TOKEN_BYTES_MAX = 8192
HEADERS = frozenset({"alg", "typ", "kid"})
KID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
PART = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
# Claims hold numbers of seconds; the year 9999 is far enough and stays an exact JSON number.
SECONDS_MAX = 253_402_300_799


class BadToken(Problem):
    """The signed token is not acceptable."""

    code = "login"


@dataclass(frozen=True, slots=True)
class Unverified:
    """A token's header and text before anybody has checked its signature; it holds no claims."""

    text: str
    alg: str
    typ: str | None
    kid: str | None
    jku: str | None = None


class _Registry(jws.JWSRegistry):
    # RFC 9864 renames "EdDSA" to "Ed25519"; our peers and SMART clients still say "EdDSA", and
    # the curve is pinned by the key. The library's own version warns at each call.
    def get_alg(self, name: str) -> Any:
        if not self.allowed or name not in self.allowed:
            raise JoseError(f"Algorithm {name} is not allowed")
        return self.algorithms[name]


def peek(text: str, *, more: frozenset[str] = frozenset()) -> Unverified:
    """The header of a compact token; refuses every form but the plain one.

    `more` names headers that this caller knows what to do with; a `jku` is a claim like any other,
    and whoever allows it compares it with an address of their own list.
    """
    if len(text) > TOKEN_BYTES_MAX:
        raise BadToken("The token is longer than 8 KB.")
    parts = text.split(".")
    if len(parts) != 3 or not all(PART.fullmatch(part) for part in parts):
        raise BadToken("The token does not have the three parts of a signed token.")
    header = _object(parts[0])
    if not header.keys() <= HEADERS | more:
        raise BadToken("The token has a header that is not understood.")
    alg, typ, kid = header.get("alg"), header.get("typ"), header.get("kid")
    if not isinstance(alg, str) or not isinstance(typ, str | None):
        raise BadToken("The token's header is not valid.")
    if kid is not None and not (isinstance(kid, str) and KID.fullmatch(kid)):
        raise BadToken("The token's key id is not valid.")
    jku = header.get("jku")
    if not isinstance(jku, str | None):
        raise BadToken("The token's header is not valid.")
    return Unverified(text, alg, typ, kid, jku)


def claimed_issuer(token: Unverified) -> str:
    """Who a token says it is from, unproven: good only to find the key that would prove it."""
    return text(_object(token.text.split(".")[1]), "iss", 255)


def verify(token: Unverified, key: PublicKey, alg: str) -> dict[str, Any]:
    """The claims, once the signature by this key with exactly this algorithm is right."""
    if token.alg != alg:
        raise BadToken("The token is not signed with the algorithm of its key.")
    try:
        jws.deserialize_compact(token.text, key, registry=_Registry(algorithms=[alg]))
    except (JoseError, ValueError, TypeError) as wrong:
        raise BadToken("The token's signature is wrong.") from wrong
    return _object(token.text.split(".")[1])


def sign(claims: Mapping[str, Any], key: OKPKey, *, typ: str, kid: str | None = None) -> str:
    """A compact token signed with an Ed25519 key."""
    header: Header = {"alg": "EdDSA", "typ": typ} | ({"kid": kid} if kid else {})
    body = json.dumps(claims, separators=(",", ":"), ensure_ascii=False).encode()
    return jws.serialize_compact(header, body, key, registry=_Registry(algorithms=["EdDSA"]))


def ed25519(seed: bytes) -> OKPKey:
    """The private key that grows from a seed of 32 bytes."""
    return OKPKey.import_key(Ed25519PrivateKey.from_private_bytes(seed))


def public_ed25519(x: str) -> OKPKey:
    """The public key with this coordinate (RFC 8037)."""
    return OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": x})


def assertion(seed: bytes, *, issuer: str, audience: str, now: int, seconds: int = 60) -> str:
    """Proof of who is asking (RFC 7523): issuer = subject, once only, for a short while."""
    claims = {
        "iss": issuer,
        "sub": issuer,
        "aud": audience,
        "iat": now,
        "exp": now + seconds,
        "jti": secrets.token_urlsafe(16),
    }
    return sign(claims, ed25519(seed), typ="JWT")


def seconds(claims: Mapping[str, Any], name: str) -> int | None:
    """A time claim as a whole number of seconds; strings, floats and booleans are refused."""
    value = claims.get(name)
    if value is None and name not in claims:
        return None
    if type(value) is not int or not 0 <= value <= SECONDS_MAX:
        raise BadToken(f"The token's {name} is not a whole number of seconds.")
    return value


def text(claims: Mapping[str, Any], name: str, longest: int = 4096) -> str:
    """A claim that must be there as text."""
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        raise BadToken(f"The token's {name} is missing or not a text.")
    return value


def _object(part: str) -> dict[str, Any]:
    try:
        # joserfc's decoder also refuses left-over bits, so one token has one spelling.
        value = json.loads(
            urlsafe_b64decode(part.encode()).decode("utf-8"),
            object_pairs_hook=_once,
            parse_constant=_refuse,
        )
    except (ValueError, RecursionError) as wrong:
        raise BadToken("The token is not made of JSON.") from wrong
    if not isinstance(value, dict):
        raise BadToken("The token is not made of JSON objects.")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadToken("The token names something twice.")
    return found


def _refuse(constant: str) -> float:
    raise BadToken(f"The token holds {constant}.")

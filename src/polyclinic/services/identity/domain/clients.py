"""Clients: programs that ask for tokens, and how each proves itself."""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from polyclinic.foundation import jose
from polyclinic.foundation.errors import Invalid
from polyclinic.services.identity.domain.problems import InvalidClient

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_SECONDS_MAX = 300
OPERATOR = "operator"
OPERATOR_AUDIENCE = "polyclinic-operator"
OPERATOR_SECONDS_MAX = 60
PORTAL = "portal"
# Services that read the others' feeds by themselves; each derives its key from the root key.
READERS = frozenset(
    ("records", "appointments", "billing", "integration", "insights", "audit", "migration")
)
PORTAL_RETURN = "/signed-in"
# Clocks differ by a little; a proof made "in the future" by more than this is refused.
SKEW_SECONDS = 10

CLIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}", re.ASCII)
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Client:
    """A program known to us: our own (`first-party`) or one that acts for itself (`system`)."""

    id: str
    kind: str
    scopes: tuple[str, ...]
    keys: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """A verified assertion: whose it is, and what must not be seen twice."""

    client_id: str
    token_id: str
    expires: int


def portal(public_key: Mapping[str, Any]) -> Client:
    """The portal needs no registration: both sides derive its key from the root key."""
    return Client(PORTAL, "first-party", (), (public_key,))


def service(name: str, documents: tuple[str, ...], public_key: Mapping[str, Any]) -> Client:
    """A service of ours acting for itself: the others' feeds, and the documents it declares."""
    return Client(name, "system", ("system/events.read", *documents), (public_key,))


def base_url(public_url: str | None, scheme: str, headers: Mapping[str, str]) -> str | None:
    """The address under which people reach us, or None when nobody trustworthy says so.

    The configured public URL always wins. Without one the request's own Host counts only when it
    is a loopback name (that is `make up` on one's own machine): a Host header is the sender's
    word, and on the network an attacker would choose where codes are sent.
    """
    if public_url:
        return public_url.rstrip("/")
    # Our own front door forwards the Host it was asked for when identity is another process.
    host = headers.get("x-forwarded-host") or headers.get("host", "")
    try:
        parts = urlsplit(f"{scheme}://{host}")
        is_loopback = parts.hostname in LOOPBACK and parts.port != 0
    except ValueError:
        return None
    plain = is_loopback and scheme in {"http", "https"} and parts.netloc == host.lower()
    return f"{scheme}://{host}" if plain and "@" not in host and not parts.path else None


def is_return_address(client: Client, given: str, base: str | None) -> bool:
    """Whether codes may be sent there: one address a client, compared character by character."""
    if client.id != PORTAL or base is None:
        return False
    return hmac.compare_digest(given.encode(), f"{base}{PORTAL_RETURN}".encode())


def claimed_client(assertion: str) -> str:
    """Whom an assertion says it is from: only to find the key that checks it."""
    try:
        return jose.claimed_issuer(jose.peek(assertion))
    except jose.BadToken as bad:
        raise InvalidClient(bad.message) from bad


def check_assertion(client: Client, assertion: str, audiences: tuple[str, ...], now: int) -> Proof:
    """RFC 7523 and SMART asymmetric authentication; raises InvalidClient."""
    try:
        seen = jose.peek(assertion)
        key, alg = _key_for(client.keys, seen)
        claims = jose.verify(seen, key, alg)
        return _proof(claims, client.id, audiences, now, ASSERTION_SECONDS_MAX)
    except jose.BadToken as bad:
        raise InvalidClient(bad.message) from bad


def check_operator(assertion: str, key: OKPKey, now: int) -> Proof:
    """The operator's proof, made with the key file of the data folder; raises InvalidClient."""
    try:
        claims = jose.verify(jose.peek(assertion), key, "EdDSA")
        return _proof(claims, OPERATOR, (OPERATOR_AUDIENCE,), now, OPERATOR_SECONDS_MAX)
    except jose.BadToken as bad:
        raise InvalidClient(bad.message) from bad


def read_keys(keys: tuple[Mapping[str, Any], ...]) -> tuple[dict[str, Any], ...]:
    """The public half of a client's keys as they are registered; other members are dropped."""
    if not 1 <= len(keys) <= 8:
        raise Invalid("A client has 1 to 8 keys.", place="jwks.keys")
    found: list[dict[str, Any]] = []
    for number, key in enumerate(keys):
        if "d" in key or key.get("kty") == "oct":
            raise Invalid("Never send a private key.", place=f"jwks.keys[{number}]")
        try:
            opened, _ = _open(key)
        except jose.BadToken as bad:
            raise Invalid(bad.message, place=f"jwks.keys[{number}]") from bad
        kid = key.get("kid") or opened.thumbprint()
        if not isinstance(kid, str) or not jose.KID.fullmatch(kid):
            raise Invalid("A key id is plain text.", place=f"jwks.keys[{number}].kid")
        found.append({**opened.as_dict(private=False), "kid": kid})
    if len({key["kid"] for key in found}) != len(found):
        raise Invalid("Two keys have the same id.", place="jwks.keys")
    return tuple(found)


def _proof(
    claims: Mapping[str, Any], subject: str, audiences: tuple[str, ...], now: int, longest: int
) -> Proof:
    issuer, about = jose.text(claims, "iss", 255), jose.text(claims, "sub", 255)
    if issuer != subject or about != subject:
        raise jose.BadToken("The assertion is from or about somebody else.")
    if claims.get("aud") not in audiences:
        raise jose.BadToken("The assertion is meant for somebody else.")
    expires, token_id = jose.seconds(claims, "exp"), jose.text(claims, "jti", 255)
    if expires is None or now >= expires:
        raise jose.BadToken("The assertion has expired.")
    if expires > now + longest + SKEW_SECONDS:
        raise jose.BadToken(f"The assertion lives longer than {longest} seconds.")
    begins = max(jose.seconds(claims, "iat") or 0, jose.seconds(claims, "nbf") or 0)
    if begins > now + SKEW_SECONDS:
        raise jose.BadToken("The assertion is not valid yet.")
    return Proof(subject, token_id, expires)


def _key_for(
    keys: tuple[Mapping[str, Any], ...], seen: jose.Unverified
) -> tuple[jose.PublicKey, str]:
    """A key id picks its key; without one the client must have a single key."""
    fitting = [key for key in keys if seen.kid is None or key.get("kid") == seen.kid]
    if len(fitting) != 1:
        raise jose.BadToken("The assertion's key is not registered.")
    return _open(fitting[0])


def _open(key: Mapping[str, Any]) -> tuple[jose.PublicKey, str]:
    """A key decides its algorithm, never the token: Ed25519, P-384 and RSA of 2048 bits or more."""
    try:
        match (key.get("kty"), key.get("crv")):
            case ("OKP", "Ed25519"):
                return OKPKey.import_key({n: key[n] for n in ("kty", "crv", "x")}), "EdDSA"
            case ("EC", "P-384"):
                return ECKey.import_key({n: key[n] for n in ("kty", "crv", "x", "y")}), "ES384"
            case ("RSA", _):
                return _open_rsa(key), "RS384"
            case _:
                raise jose.BadToken("Keys are Ed25519, P-384 or RSA.")
    except (JoseError, ValueError, KeyError, TypeError) as wrong:
        raise jose.BadToken("The key cannot be read.") from wrong


def _open_rsa(key: Mapping[str, Any]) -> RSAKey:
    # The longest number keeps one check well under a millisecond.
    opened = RSAKey.import_key({n: key[n] for n in ("kty", "n", "e")})
    if not 2048 <= opened.public_key.key_size <= 4096 or key["e"] != "AQAB":
        raise jose.BadToken("RSA keys have 2048 to 4096 bits and the exponent 65537.")
    return opened

"""An EHR's proof of who calls: a token for exactly this address, for a short while, used once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from polyclinic.foundation import jose
from polyclinic.foundation.jose import BadToken

ALGORITHMS = frozenset({"ES384", "RS384"})
TYPE = "JWT"
SECONDS_MAX = 300
SKEW_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Proof:
    """Who calls, and what must not be seen twice until when (seconds since 1970)."""

    issuer: str
    token_id: str
    expires: int


def key_id(seen: jose.Unverified) -> str:
    """The id of the key that must have signed; raises BadToken for other kinds of token."""
    if seen.alg not in ALGORITHMS or seen.typ != TYPE or seen.kid is None:
        raise BadToken("A JWT signed with ES384 or RS384, with a key id.")
    return seen.kid


def check(claims: Mapping[str, Any], issuer: str, audience: str, now: int) -> Proof:
    """Raises BadToken; the signature was checked before."""
    if claims.get("iss") != issuer:
        raise BadToken("The token is from somebody else.")
    aimed = claims.get("aud")
    if aimed != audience and not (isinstance(aimed, list) and audience in aimed):
        raise BadToken("The token is meant for another address.")
    expires, issued = jose.seconds(claims, "exp"), jose.seconds(claims, "iat")
    if expires is None or issued is None:
        raise BadToken("The token does not say when it was made and when it ends.")
    if now >= expires + SKEW_SECONDS:
        raise BadToken("The token has expired.")
    if max(issued, jose.seconds(claims, "nbf") or 0) > now + SKEW_SECONDS:
        raise BadToken("The token is not valid yet.")
    if not 0 < expires - issued <= SECONDS_MAX:
        raise BadToken(f"The token lives longer than {SECONDS_MAX} seconds.")
    return Proof(issuer, jose.text(claims, "jti", 255), expires + SKEW_SECONDS)

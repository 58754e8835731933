"""Who is calling: an access token of identity, checked once and remembered for a short while.

RFC 9068 tokens with exactly one shape: EdDSA, `typ` at+jwt, a key that identity publishes.
"""

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from polyclinic.foundation import jose
from polyclinic.foundation.errors import Problem, Unauthenticated, Unavailable
from polyclinic.foundation.revocations import Revocations, names_of

AUDIENCE = "polyclinic"
TOKEN_TYPE = "at+jwt"  # noqa: S105  a media type of RFC 9068, not a secret
KEYS_PATH = "/identity/jwks"
NO_ISSUER = "urn:polyclinic"
ROLES = frozenset({"patient", "clinician", "front-desk", "billing", "administrator", "system"})

# Claims are read anew after this time. What was withdrawn is felt within a minute (revocations.py);
# a narrowed role when its access token ends (15 minutes for people).
REMEMBERED_SECONDS = 30.0
REMEMBERED_MAX = 4096
# Strangers' key ids must not turn into a storm of requests to identity.
REFETCH_SECONDS = 5.0
# Keys are asked for again now and then, so that a withdrawn one goes out of use.
STALE_SECONDS = 600.0
# Clocks of two machines differ by a little.
SKEW_SECONDS = 30
LIFETIME_MAX = 24 * 3600

PERSON = re.compile(r"(Patient|Practitioner|RelatedPerson|Person)/[A-Za-z0-9.-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, through which client, in which role and scopes, and who that is in FHIR."""

    subject: str
    client: str
    role: str
    scopes: frozenset[str]
    person: str | None
    token_id: str


@dataclass(frozen=True, slots=True)
class _Known:
    """A token that was checked, until when that counts, and the names it may be withdrawn by."""

    caller: Caller
    until: float
    expires: int
    names: frozenset[str]


class Asks(Protocol):
    """What a caller check needs from `Peers`."""

    async def send(self, name: str, method: str, path: str, /) -> Any: ...


class Callers:
    """Turns tokens into callers; holds only what is safe to lose."""

    def __init__(
        self,
        peers: Asks,
        issuer: str | None = None,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        revocations: Revocations | None = None,
    ) -> None:
        self._revocations = revocations
        self._issuer = issuer or NO_ISSUER
        self._wall, self._steady = wall, steady
        self._keys = _Keys(peers, steady)
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def verify(self, token: str) -> Caller:
        """The caller of a token; raises Unauthenticated, or Unavailable while nobody can tell."""
        known = self._known.get(token)
        if known is None or self._steady() >= known.until or self._wall() >= known.expires:
            try:
                known = await self._check(token)
            except jose.BadToken as bad:
                self._known.pop(token, None)
                raise Unauthenticated(bad.message) from bad
            self._remember(token, known)
        if self._revocations is not None and await self._revocations.covers(known.names):
            raise Unauthenticated("The token was withdrawn.")
        return known.caller

    async def _check(self, token: str) -> _Known:
        seen = jose.peek(token)
        if seen.alg != "EdDSA" or seen.typ != TOKEN_TYPE or seen.kid is None:
            raise jose.BadToken("This is not an access token.")
        key = await self._keys.find(seen.kid)
        claims = jose.verify(seen, key, "EdDSA")
        caller, expires = read_claims(claims, issuer=self._issuer, now=self._wall())
        return _Known(caller, self._steady() + REMEMBERED_SECONDS, expires, names_of(claims))

    def _remember(self, token: str, known: _Known) -> None:
        self._known[token] = known
        self._known.move_to_end(token)
        while len(self._known) > REMEMBERED_MAX:
            self._known.popitem(last=False)


def read_claims(claims: Mapping[str, Any], *, issuer: str, now: float) -> tuple[Caller, int]:
    """The caller in the claims of a verified access token, and when it expires."""
    if claims.get("iss") != issuer or claims.get("aud") != AUDIENCE:
        raise jose.BadToken("The token was made by or for somebody else.")
    expires = _still_valid(claims, now)
    role, scope, person = claims.get("role"), claims.get("scope"), claims.get("fhirUser")
    if not isinstance(role, str) or role not in ROLES or not isinstance(scope, str):
        raise jose.BadToken("The token names no role or scope that is known here.")
    if person is not None and not (isinstance(person, str) and PERSON.fullmatch(person)):
        raise jose.BadToken("The token's fhirUser is not a person of FHIR.")
    caller = Caller(
        subject=jose.text(claims, "sub", 255),
        client=jose.text(claims, "client_id", 255),
        role=role,
        scopes=frozenset(scope.split()),
        person=person,
        token_id=jose.text(claims, "jti", 255),
    )
    return caller, expires


def _still_valid(claims: Mapping[str, Any], now: float) -> int:
    expires, issued = jose.seconds(claims, "exp"), jose.seconds(claims, "iat")
    begins = jose.seconds(claims, "nbf")
    if expires is None or issued is None:
        raise jose.BadToken("The token does not say when it was made and when it ends.")
    if now >= expires:
        raise jose.BadToken("The token has expired.")
    if max(issued, begins or 0) > now + SKEW_SECONDS:
        raise jose.BadToken("The token is not valid yet.")
    if expires - issued > LIFETIME_MAX:
        raise jose.BadToken("The token is meant to live longer than tokens do.")
    return expires


class _Keys:
    """Identity's public keys; while identity is down the keys already known keep serving."""

    def __init__(self, peers: Asks, steady: Callable[[], float]) -> None:
        self._peers, self._steady = peers, steady
        self._keys: dict[str, OKPKey] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._last_failed = False
        self._one_at_a_time = asyncio.Lock()

    async def find(self, kid: str) -> OKPKey:
        key = self._keys.get(kid)
        fresh = self._steady() - self._fetched_at < STALE_SECONDS
        # Nobody with a known key waits for a fetch that somebody else has begun.
        if key is not None and (fresh or self._one_at_a_time.locked()):
            return key
        await self._fetch_unless_just_tried()
        key = self._keys.get(kid)
        if key is not None:
            return key
        if self._last_failed:
            raise Unavailable("Sign-ins cannot be checked at the moment; try again shortly.")
        raise jose.BadToken("The token is signed with a key that identity does not have.")

    async def _fetch_unless_just_tried(self) -> None:
        async with self._one_at_a_time:
            if self._steady() - self._tried_at < REFETCH_SECONDS:
                return
            self._tried_at = self._steady()
            try:
                answer = await self._peers.send("identity", "GET", KEYS_PATH)
                keys = _read_keys(answer.status_code, answer.content)
            except Problem:
                # The caller of a known key is served all the same; others hear 503 from `find`.
                self._last_failed = True
                return
            self._keys, self._last_failed, self._fetched_at = keys, False, self._steady()


def _read_keys(status: int, body: bytes) -> dict[str, OKPKey]:
    try:
        found = msgspec.json.decode(body, type=dict[str, list[dict[str, Any]]])
        if status == 200:
            return {
                key["kid"]: OKPKey.import_key({n: key[n] for n in ("kty", "crv", "x")})
                for key in found["keys"]
                if key.get("kty") == "OKP" and key.get("crv") == "Ed25519" and "kid" in key
            }
    except (msgspec.DecodeError, JoseError, ValueError, KeyError) as wrong:
        raise Unavailable("Identity's keys cannot be read.") from wrong
    raise Unavailable("Identity's keys cannot be read.")

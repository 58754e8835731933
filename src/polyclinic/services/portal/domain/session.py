"""A browser's session and the way into it: code + PKCE bound to one browser by a cookie."""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import msgspec

from polyclinic.foundation.errors import Forbidden, Invalid, Unauthenticated

CLIENT = "portal"
SCOPES = "openid profile fhirUser offline_access"
HOMES = {
    "patient": "/home",
    "clinician": "/patients",
    "front-desk": "/desk",
    "administrator": "/admin",
    "billing": "/welcome",
}
THEMES = ("light", "dark", "system")
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_LOCAL = re.compile(r"/[A-Za-z0-9._~/-]{0,200}", re.ASCII)


class SignedOut(Unauthenticated):
    """You are not signed in any more."""


class Foreign(Forbidden):
    """This form was sent from another page than ours."""


class Tokens(msgspec.Struct, frozen=True):
    """What identity gave: never sent to the browser."""

    access: str
    refresh: str
    expires_at: float


class Session(msgspec.Struct, frozen=True):
    """Who is signed in; kept sealed."""

    subject: str
    role: str
    person: str | None
    name: str
    csrf: str
    tokens: Tokens

    @property
    def person_id(self) -> str:
        return (self.person or "").partition("/")[2]

    @property
    def home(self) -> str:
        return HOMES.get(self.role, "/welcome")


@dataclass(frozen=True, slots=True)
class Signed:
    """A session as a request finds it."""

    id: bytes
    secret: str
    session: Session
    theme: str
    seen_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to sign in; everything in it follows from the cookie and a secret of ours."""

    cookie: str
    state: str
    nonce: str
    verifier: str
    next: str

    @property
    def challenge(self) -> str:
        return _text(hashlib.sha256(self.verifier.encode()).digest())


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def is_secret(value: str | None) -> bool:
    return value is not None and _SECRET.fullmatch(value) is not None


def session_id(secret: str) -> bytes:
    """How a session is found: its cookie's hash."""
    return hashlib.sha256(b"session|" + secret.encode()).digest()


def begin(key: bytes, wanted: str) -> Attempt:
    """A new attempt that will lead to a page of ours."""
    return attempt(key, f"{new_secret()}{local(wanted)}")


def attempt(key: bytes, cookie: str) -> Attempt:
    """The attempt of a browser, out of its cookie; raises Invalid for a cookie that is not ours."""
    secret, wanted = cookie[:43], cookie[43:]
    if not is_secret(secret) or local(wanted) != wanted:
        raise Invalid("This browser did not begin to sign in here.")
    state, nonce, verifier = (
        _text(hmac.digest(key, f"{use}|{cookie}".encode(), "sha256"))
        for use in ("state", "nonce", "verifier")
    )
    return Attempt(cookie, state, nonce, verifier, wanted)


def local(wanted: str) -> str:
    """A path of this portal, or "/" for anything else."""
    return wanted if _LOCAL.fullmatch(wanted) and not wanted.startswith("//") else "/"


def authorization_url(attempted: Attempt, base: str) -> str:
    """Where the browser goes to sign in; a portal is used on shared computers, so always anew."""
    values = {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": f"{base}/signed-in",
        "scope": SCOPES,
        "state": attempted.state,
        "nonce": attempted.nonce,
        "code_challenge": attempted.challenge,
        "code_challenge_method": "S256",
        "prompt": "login",
    }
    return f"{base}/identity/authorize?{urlencode(values)}"


def answered_code(attempted: Attempt, given: Mapping[str, str], issuer: str) -> str:
    """The code in identity's answer (RFC 6749 4.1.2, RFC 9207); raises Invalid for any other."""
    if not hmac.compare_digest(given.get("state", "").encode(), attempted.state.encode()):
        raise Invalid("The answer belongs to another try to sign in.")
    if not hmac.compare_digest(given.get("iss", "").encode(), issuer.encode()):
        raise Invalid("The answer does not come from our own sign-in page.")
    if not given.get("code"):
        raise Invalid("The sign-in page did not let you in.")
    return given["code"]


def check_id_token(
    claims: Mapping[str, Any], attempted: Attempt, issuer: str, now: float
) -> tuple[str, str]:
    """Subject and name of an id token whose signature is right; raises Invalid."""
    is_ours = claims.get("iss") == issuer and claims.get("aud") == CLIENT
    nonce, expires = claims.get("nonce"), claims.get("exp")
    is_new = isinstance(nonce, str) and hmac.compare_digest(nonce, attempted.nonce)
    if not is_ours or not is_new or not isinstance(expires, int) or expires <= now:
        raise Invalid("The sign-in cannot be checked.")
    name = claims.get("name")
    return str(claims.get("sub", "")), name if isinstance(name, str) else ""


def check_form(session: Session, token: str, headers: Mapping[str, str], scheme_host: str) -> None:
    """A form of ours carries the session's token and comes from our own origin; raises Foreign."""
    check_own_page(headers, scheme_host)
    if not hmac.compare_digest(token.encode(), session.csrf.encode()):
        raise Foreign


def check_own_page(headers: Mapping[str, str], scheme_host: str) -> None:
    """Whether a form comes from our own origin; raises Foreign."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site != "same-origin":
        raise Foreign
    # Browsers that say where a form comes from send "null" as its origin, as our own pages let
    # no referrer out; older ones must name our host.
    host = scheme_host.partition("://")[2]
    is_vouched = site is not None and origin == "null"
    if origin is not None and not is_vouched and origin.partition("://")[2] != host:
        raise Foreign


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

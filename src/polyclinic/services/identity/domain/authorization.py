"""Authorization requests and codes: RFC 6749 with PKCE (RFC 7636) and nothing else (RFC 9700)."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from polyclinic.services.identity.domain import scopes
from polyclinic.services.identity.domain.problems import (
    InvalidGrant,
    InvalidRequest,
    UnsupportedResponseType,
)

# A challenge is the SHA-256 of the verifier: 32 bytes are 43 characters of base64url.
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)
VISIBLE = re.compile(r"[\x20-\x7e]{1,512}", re.ASCII)

# What travels through the sign-in form and is checked again afterwards.
FIELDS = (
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "nonce",
    "aud",
    "prompt",
)


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A client asks for somebody's consent to act for them."""

    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str
    challenge: str
    nonce: str | None
    must_sign_in: bool


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code as it is kept: everything that its exchange must match."""

    client_id: str
    account_id: UUID
    session_hash: bytes
    redirect_uri: str
    challenge: str
    scopes: tuple[str, ...]
    nonce: str | None
    signed_in_at: datetime
    expires_at: datetime
    used_at: datetime | None
    grant_id: UUID


@dataclass(frozen=True, slots=True)
class Grant:
    """What somebody allowed a client, until it ends or is withdrawn."""

    id: UUID
    account_id: UUID
    client_id: str
    session_hash: bytes
    scopes: tuple[str, ...]
    signed_in_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


def read_form(content: bytes, content_type: str, query: str) -> dict[str, str]:
    """A form's fields, each once; nothing of it is ever read from the address."""
    if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise InvalidRequest("Send a form: application/x-www-form-urlencoded.")
    if query:
        raise InvalidRequest("Parameters belong into the body, not into the address.")
    return read_query(content)


def read_query(content: bytes) -> dict[str, str]:
    """The parameters of a query or form, each once."""
    try:
        pairs = parse_qsl(
            content.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=50
        )
    except ValueError as wrong:
        raise InvalidRequest("The parameters cannot be read.") from wrong
    return once(pairs)


def once(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Parameters by name; a repeated one is refused (RFC 6749, 3.1), an empty one dropped."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidRequest("A parameter is given more than once.")
    return {name: value for name, value in found.items() if value}


def read_request(given: Mapping[str, str]) -> AuthorizationRequest:
    """The rest of an authorization request, once client and return address are known to be good."""
    if given.get("response_type") != "code":
        raise UnsupportedResponseType
    if not CHALLENGE.fullmatch(given.get("code_challenge", "")):
        raise InvalidRequest("A code_challenge (PKCE) is needed.", place="code_challenge")
    if given.get("code_challenge_method") != "S256":
        raise InvalidRequest("The code_challenge_method is S256.", place="code_challenge_method")
    _visible(given, "state", needed=True)
    _visible(given, "nonce", needed=False)
    return AuthorizationRequest(
        given["client_id"],
        given["redirect_uri"],
        scopes.parse(given.get("scope", "")),
        given["state"],
        given["code_challenge"],
        given.get("nonce"),
        must_sign_in=given.get("prompt") == "login",
    )


def answer_url(redirect_uri: str, values: Mapping[str, str | None]) -> str:
    """Where the browser is sent with a code or an error; the address holds no query of its own."""
    return f"{redirect_uri}?{urlencode({n: v for n, v in values.items() if v is not None})}"


def check_exchange(code: Code, redirect_uri: str, verifier: str, now: datetime) -> None:
    """What an exchange must repeat and prove; raises InvalidGrant."""
    if now >= code.expires_at:
        raise InvalidGrant
    if not hmac.compare_digest(code.redirect_uri.encode(), redirect_uri.encode()):
        raise InvalidGrant
    if not VERIFIER.fullmatch(verifier):
        raise InvalidGrant("The code_verifier is missing or not valid.")
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    proven = base64.urlsafe_b64encode(digest).rstrip(b"=")
    if not hmac.compare_digest(proven, code.challenge.encode("ascii")):
        raise InvalidGrant("The code_verifier does not belong to this code.")


def _visible(given: Mapping[str, str], name: str, *, needed: bool) -> None:
    value = given.get(name)
    if value is None and not needed:
        return
    if value is None or not VISIBLE.fullmatch(value):
        raise InvalidRequest(f"A {name} of 1 to 512 visible characters is needed.", place=name)

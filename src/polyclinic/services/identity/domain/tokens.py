"""What our tokens say: access tokens (RFC 9068), id tokens (OpenID Connect Core), their times."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from joserfc.jwk import OKPKey

from polyclinic.foundation import jose
from polyclinic.foundation.caller import AUDIENCE, TOKEN_TYPE

ID_TOKEN_TYPE = "JWT"  # noqa: S105  a media type, not a secret


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The key that signs at the moment, by its id."""

    kid: str
    key: OKPKey
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Holder:
    """For whom a token is made."""

    subject: str
    client_id: str
    role: str
    scopes: tuple[str, ...]
    person: str | None = None
    grant_id: str | None = None


def access_claims(
    holder: Holder, *, issuer: str, token_id: str, now: datetime, minutes: int
) -> dict[str, Any]:
    """The claims of an access token; times are whole seconds."""
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": holder.subject,
        "aud": AUDIENCE,
        "iat": int(now.timestamp()),
        "exp": int((now + timedelta(minutes=minutes)).timestamp()),
        "jti": token_id,
        "client_id": holder.client_id,
        "scope": " ".join(holder.scopes),
        "role": holder.role,
    }
    if holder.person is not None:
        claims["fhirUser"] = holder.person
    if holder.grant_id is not None:
        claims["grant_id"] = holder.grant_id
    return claims


def sign_access(claims: dict[str, Any], key: SigningKey) -> str:
    return jose.sign(claims, key.key, typ=TOKEN_TYPE, kid=key.kid)


def sign_id(claims: dict[str, Any], key: SigningKey) -> str:
    return jose.sign(claims, key.key, typ=ID_TOKEN_TYPE, kid=key.kid)


def id_claims(
    access: dict[str, Any], *, name: str, nonce: str | None, signed_in_at: datetime
) -> dict[str, Any]:
    """The claims of the id token that goes with an access token: who signed in, and when."""
    claims: dict[str, Any] = {
        "iss": access["iss"],
        "sub": access["sub"],
        "aud": access["client_id"],
        "iat": access["iat"],
        "exp": access["exp"],
        "auth_time": int(signed_in_at.timestamp()),
        "role": access["role"],
        "name": name,
    }
    if nonce is not None:
        claims["nonce"] = nonce
    if "fhirUser" in access:
        claims["fhirUser"] = access["fhirUser"]
    return claims


def patient_of(person: str | None) -> str | None:
    """The `patient` of a token answer: the id alone (SMART App Launch)."""
    kind, _, name = (person or "").partition("/")
    return name if kind == "Patient" else None

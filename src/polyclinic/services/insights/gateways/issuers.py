"""The EHRs that may call CDS Hooks, and their public keys: listed by us, never by a caller.

The file is JSON: `{"https://ehr.example": {"jwks": {"keys": […]}}}` or `{"jku": "https://…"}`. An
address is asked only when it is listed; what a token names must be the same, letter by letter.
"""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from polyclinic.foundation.errors import Invalid, Unavailable
from polyclinic.foundation.jose import BadToken, PublicKey

KEPT_SECONDS, AGAIN_SECONDS = 600.0, 5.0
SIZE_MAX = 64 * 1024
PLACE = "POLYCLINIC_INSIGHTS_CDS_ISSUERS"


class Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One EHR: its keys, or where it publishes them."""

    jwks: dict[str, list[dict[str, Any]]] | None = None
    jku: str = ""


@dataclass(slots=True)
class Issuers:
    """Who is listed; fetched keys are remembered for ten minutes."""

    listed: dict[str, Listed] = field(default_factory=dict[str, Listed])
    _fetched: dict[str, tuple[float, list[dict[str, Any]]]] = field(
        default_factory=dict[str, tuple[float, list[dict[str, Any]]]]
    )

    async def key(self, issuer: str, kid: str, jku: str | None) -> tuple[PublicKey, str]:
        """The key and its algorithm; raises BadToken for whoever is not listed."""
        listed = self.listed.get(issuer)
        if listed is None or (jku is not None and jku != listed.jku):
            raise BadToken("The token's issuer is not known here.")
        keys = listed.jwks["keys"] if listed.jwks else await self._keys(listed.jku, kid)
        found = [each for each in keys if each.get("kid") == kid]
        if len(found) != 1:
            raise BadToken("The token's key is not known here.")
        return opened(found[0])

    async def _keys(self, jku: str, kid: str) -> list[dict[str, Any]]:
        """Asked anew for a key that is not known, but not for every stranger's."""
        at, keys = self._fetched.get(jku, (float("-inf"), []))
        known = any(each.get("kid") == kid for each in keys)
        age = time.monotonic() - at
        if age > KEPT_SECONDS or (not known and age > AGAIN_SECONDS):
            keys = await _fetch(jku)
            self._fetched[jku] = (time.monotonic(), keys)
        return keys


def read(path: str) -> Issuers:
    """Of the file in the settings; raises Invalid, naming what is wrong in it."""
    if not path:
        return Issuers()
    try:
        content = Path(path).read_bytes()
        listed = msgspec.json.decode(content, type=dict[str, Listed])
    except (OSError, msgspec.DecodeError) as wrong:
        raise Invalid(f"The file cannot be read: {type(wrong).__name__}.", place=PLACE) from wrong
    for issuer, each in listed.items():
        if (each.jwks is None) is (not each.jku):
            raise Invalid(f"{issuer}: either `jwks` or `jku`.", place=PLACE)
        if each.jku and not _is_safe(each.jku):
            raise Invalid(f"{issuer}: an https address.", place=PLACE)
        for key in (each.jwks or {}).get("keys", ()):
            opened(key)
    return Issuers(listed)


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    loopback = parts.hostname in ("127.0.0.1", "localhost", "::1")
    return parts.scheme == "https" or (loopback and parts.scheme == "http")


def opened(key: dict[str, Any]) -> tuple[PublicKey, str]:
    """A key decides its algorithm, never the token: P-384 or RSA of 2048 bits or more."""
    try:
        if (key.get("kty"), key.get("crv")) == ("EC", "P-384"):
            return ECKey.import_key({n: key[n] for n in ("kty", "crv", "x", "y")}), "ES384"
        if key.get("kty") == "RSA":
            rsa = RSAKey.import_key({n: key[n] for n in ("kty", "n", "e")})
            if 2048 <= rsa.public_key.key_size <= 4096 and key["e"] == "AQAB":
                return rsa, "RS384"
    except (JoseError, ValueError, KeyError, TypeError) as wrong:
        raise BadToken("The key cannot be read.") from wrong
    raise BadToken("Keys are P-384, or RSA of 2048 to 4096 bits.")


async def _fetch(jku: str) -> list[dict[str, Any]]:
    """The keys at an address that we listed ourselves; no redirect leads anywhere else."""
    content = bytearray()
    try:
        async with (
            httpx.AsyncClient(timeout=3, follow_redirects=False, trust_env=False) as client,
            client.stream("GET", jku) as answer,
        ):
            async for part in answer.aiter_bytes():
                content += part
                if len(content) > SIZE_MAX:
                    break
        if answer.status_code == 200 and len(content) <= SIZE_MAX:
            return msgspec.json.decode(content, type=dict[str, list[dict[str, Any]]])["keys"]
    except (httpx.HTTPError, msgspec.DecodeError, KeyError) as lost:
        raise Unavailable("The EHR's keys cannot be read.", place="jku") from lost
    raise Unavailable("The EHR's keys cannot be read.", place="jku")

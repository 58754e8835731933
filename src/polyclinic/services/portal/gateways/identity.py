"""Identity over its OAuth door: the portal proves itself by a key both derive from the root."""

import time
from collections.abc import Mapping
from typing import Any, Protocol

from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from polyclinic.foundation import jose
from polyclinic.foundation.errors import Invalid, Unauthenticated, Unavailable
from polyclinic.foundation.peers import Peers
from polyclinic.services.portal.domain.session import CLIENT, Tokens
from polyclinic.services.portal.gateways.answers import decoded

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Identity(Protocol):
    """Tokens of identity for people who sign in to this portal."""

    async def exchange(self, code: str, verifier: str, back: str) -> tuple[Tokens, dict[str, Any]]:
        """Tokens and the checked claims of the id token."""
        ...

    async def renew(self, refresh: str) -> Tokens: ...

    async def revoke(self, refresh: str) -> None: ...


class HttpIdentity:
    """Tokens for codes, new tokens for old ones, and the end of both."""

    def __init__(self, peers: Peers, seed: bytes, issuer: str) -> None:
        self._peers, self._seed, self._issuer = peers, seed, issuer

    async def exchange(self, code: str, verifier: str, back: str) -> tuple[Tokens, dict[str, Any]]:
        answer = await self._token(
            {
                "grant_type": "authorization_code",
                "code": code,
                "code_verifier": verifier,
                "redirect_uri": back,
            }
        )
        claims = await self._verified(str(answer.get("id_token", "")))
        return _tokens(answer), claims

    async def renew(self, refresh: str) -> Tokens:
        return _tokens(await self._token({"grant_type": "refresh_token", "refresh_token": refresh}))

    async def revoke(self, refresh: str) -> None:
        await self._post("/identity/revoke", {"token": refresh, "token_type_hint": "refresh_token"})

    async def _token(self, form: Mapping[str, str]) -> dict[str, Any]:
        return await self._post("/identity/token", form)

    async def _post(self, path: str, form: Mapping[str, str]) -> dict[str, Any]:
        now = int(time.time())
        proof = jose.assertion(self._seed, issuer=CLIENT, audience=self._issuer, now=now)
        proven = {
            **form,
            "client_id": CLIENT,
            "client_assertion_type": ASSERTION,
            "client_assertion": proof,
        }
        answer = await self._peers.send("identity", "POST", path, data=proven)
        if answer.status_code >= 500 or answer.status_code == 429:
            raise Unavailable("The identity service does not answer.", place="identity")
        if answer.status_code != 200:
            raise Unauthenticated("Identity did not accept this sign-in.")
        return decoded(answer.content, "identity") if answer.content else {}

    async def _verified(self, token: str) -> dict[str, Any]:
        try:
            seen = jose.peek(token)
            answer = await self._peers.send("identity", "GET", "/identity/jwks")
            keys: list[dict[str, Any]] = decoded(answer.content, "identity").get("keys", [])
            key = next(k for k in keys if k.get("kid") == seen.kid and k.get("crv") == "Ed25519")
            opened = OKPKey.import_key({n: key[n] for n in ("kty", "crv", "x")})
            return jose.verify(seen, opened, "EdDSA")
        except (jose.BadToken, JoseError, KeyError, StopIteration, ValueError) as wrong:
            raise Invalid("The sign-in cannot be checked.") from wrong


def _tokens(answer: Mapping[str, Any]) -> Tokens:
    access, refresh = answer.get("access_token"), answer.get("refresh_token")
    seconds = answer.get("expires_in")
    if not isinstance(access, str) or not isinstance(refresh, str) or not isinstance(seconds, int):
        raise Unauthenticated("Identity gave no usable tokens.")
    return Tokens(access, refresh, time.time() + seconds)

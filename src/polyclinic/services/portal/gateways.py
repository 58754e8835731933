"""Whom the portal asks: identity for tokens, records for resources, each service for its health."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from polyclinic.foundation import jose
from polyclinic.foundation.errors import (
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Problem,
    Unauthenticated,
    Unavailable,
)
from polyclinic.foundation.peers import Absent, Peers
from polyclinic.services.portal.domain.reading import Resource
from polyclinic.services.portal.domain.session import CLIENT, Tokens

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
PAGE = 200
Parameters = Sequence[tuple[str, str]]
_FHIR = {"accept": "application/fhir+json"}


class Records(Protocol):
    """Resources, as the person whose token it is may see them."""

    async def read(self, token: str, kind: str, key: str) -> Resource: ...

    async def search(
        self, token: str, kind: str, parameters: Parameters, most: int
    ) -> list[Resource]: ...


class Identity(Protocol):
    """Tokens of identity for people who sign in to this portal."""

    async def exchange(self, code: str, verifier: str, back: str) -> tuple[Tokens, dict[str, Any]]:
        """Tokens and the checked claims of the id token."""
        ...

    async def renew(self, refresh: str) -> Tokens: ...

    async def revoke(self, refresh: str) -> None: ...


class FhirRecords:
    """Records over its FHIR door."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def read(self, token: str, kind: str, key: str) -> Resource:
        return await self._ask(token, "GET", f"/fhir/{kind}/{key}")

    async def search(
        self, token: str, kind: str, parameters: Parameters, most: int
    ) -> list[Resource]:
        """At most so many; what is searched for stands in the body, never in an address."""
        form = [*parameters, ("_count", str(min(most, PAGE)))]
        bundle = await self._ask(token, "POST", f"/fhir/{kind}/_search", data=_form(form))
        found = _resources(bundle)
        while len(found) < most and (following := _following(bundle)):
            bundle = await self._ask(token, "GET", following)
            found += _resources(bundle)
        return found[:most]

    async def _ask(self, token: str, method: str, path: str, **sent: Any) -> dict[str, Any]:
        headers = {**_FHIR, "authorization": f"Bearer {token}"}
        answer = await self._peers.send("records", method, path, headers=headers, **sent)
        if answer.status_code == 200:
            return _decoded(answer.content, "records")
        raise _refusal(answer.status_code)


class HttpIdentity:
    """Identity over its OAuth door; the portal proves itself by a key both derive from the root."""

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
        return _decoded(answer.content, "identity") if answer.content else {}

    async def _verified(self, token: str) -> dict[str, Any]:
        try:
            seen = jose.peek(token)
            answer = await self._peers.send("identity", "GET", "/identity/jwks")
            keys: list[dict[str, Any]] = _decoded(answer.content, "identity").get("keys", [])
            key = next(k for k in keys if k.get("kid") == seen.kid and k.get("crv") == "Ed25519")
            opened = OKPKey.import_key({n: key[n] for n in ("kty", "crv", "x")})
            return jose.verify(seen, opened, "EdDSA")
        except (jose.BadToken, JoseError, KeyError, StopIteration, ValueError) as wrong:
            raise Invalid("The sign-in cannot be checked.") from wrong


class Health:
    """Whether a service says that it is ready."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._peers.names()))

    async def of(self, name: str) -> str:
        """ready, not ready, silent or absent"""
        try:
            answer = await self._peers.send(name, "GET", f"/{name}/health/ready")
        except Absent:
            return "absent"
        except Unavailable:
            return "silent"
        return "ready" if answer.status_code == 200 else "not ready"


def _form(parameters: Parameters) -> dict[str, list[str]]:
    form: dict[str, list[str]] = {}
    for name, value in parameters:
        form.setdefault(name, []).append(value)
    return form


def _tokens(answer: Mapping[str, Any]) -> Tokens:
    access, refresh = answer.get("access_token"), answer.get("refresh_token")
    seconds = answer.get("expires_in")
    if not isinstance(access, str) or not isinstance(refresh, str) or not isinstance(seconds, int):
        raise Unauthenticated("Identity gave no usable tokens.")
    return Tokens(access, refresh, time.time() + seconds)


def _decoded(content: bytes, name: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as broken:
        raise Unavailable(f"The {name} service gave an unreadable answer.", place=name) from broken


def _resources(bundle: Mapping[str, Any]) -> list[Resource]:
    found = [entry.get("resource") for entry in bundle.get("entry") or ()]
    return [r for r in found if r and r.get("resourceType") != "OperationOutcome"]


def _following(bundle: Mapping[str, Any]) -> str | None:
    """The next page as a path: our own client knows the host."""
    for link in bundle.get("link") or ():
        if link.get("relation") == "next":
            parts = urlsplit(link["url"])
            path = parts.path if parts.path.startswith("/fhir") else f"/fhir/{parts.path}"
            return f"{path}?{parts.query}" if parts.query else path
    return None


def _refusal(status: int) -> Problem:
    kinds: dict[int, type[Problem]] = {
        401: Unauthenticated,
        403: Forbidden,
        404: NotFound,
        410: Gone,
        400: Invalid,
        422: Invalid,
    }
    kind = kinds.get(status)
    if kind is None:
        return Unavailable("The records service does not answer.", place="records")
    return kind(place="records")

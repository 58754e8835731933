"""Identity as its users meet it: over HTTP only, as a browser, a client or an operator."""

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from joserfc import jws

from polyclinic.foundation import clock, jose
from polyclinic.foundation.service import Running
from polyclinic.foundation.vault import RootKey
from polyclinic.services.identity.actions.state import Identity
from polyclinic.services.identity.settings import IdentitySettings

PUBLIC_URL = "https://clinic.test"
RETURN = f"{PUBLIC_URL}/signed-in"
VERIFIER = "a-verifier-of-at-least-forty-three-characters-0123"
PASSWORD = "correct horse battery"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# Argon2 at full price would take most of the time of these tests; one of them pins the price.
CHEAP = IdentitySettings(argon2_memory_kib=64, argon2_passes=1)


def challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class Hands:
    """The clock of a test: it stands still until somebody moves it."""

    def __init__(self) -> None:
        self.time = clock.now().replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.time

    def move(self, **amount: float) -> None:
        self.time += timedelta(**amount)


@dataclass
class Door:
    """Identity as its users meet it: over HTTP only."""

    running: Running
    root: RootKey
    hands: Hands
    client: httpx.AsyncClient
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> Identity:
        return self.running.state

    def now(self) -> int:
        return int(self.hands.time.timestamp())

    async def send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """As one browser: cookies are kept by name, as `__Host-` ones would be."""
        headers = dict(request.pop("headers", None) or {})
        if self.cookies:
            headers.setdefault("cookie", "; ".join(f"{n}={v}" for n, v in self.cookies.items()))
        # The client is shared by several browsers; each minds its own cookies.
        self.client.cookies.clear()
        answer = await self.client.request(method, path, headers=headers, **request)
        for line in answer.headers.get_list("set-cookie"):
            name, _, rest = line.partition("=")
            value = rest.partition(";")[0].strip('"')
            if value:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        return answer

    def browser(self) -> "Door":
        """Another browser."""
        return Door(self.running, self.root, self.hands, self.client)

    def operator_assertion(self, **changes: Any) -> str:
        return signed(
            jose.ed25519(self.root.derive("operator")),
            {
                "iss": "operator",
                "sub": "operator",
                "aud": "polyclinic-operator",
                "iat": self.now(),
                "exp": self.now() + 60,
                "jti": hashlib.sha256(str(next(_numbers)).encode()).hexdigest(),
            }
            | changes,
        )

    async def make_account(
        self, user: str, role: str = "clinician", person: str | None = "Practitioner/ana"
    ) -> str:
        account = {
            "user": user,
            "password": PASSWORD,
            "role": role,
            "person": person,
            "name": "Ana Ruiz",
        }
        body = {"assertion": self.operator_assertion(), "accounts": [account]}
        answer = await self.send("POST", "/identity/operator/accounts", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["accounts"][0]["id"]

    async def operator_token(self, scope: str, client: str = "bench") -> dict[str, Any]:
        body = {"client": client, "scope": scope, "assertion": self.operator_assertion()}
        answer = await self.send("POST", "/identity/operator/token", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def portal_proof(self, **changes: Any) -> dict[str, str]:
        key = jose.ed25519(self.root.derive("client|portal"))
        return self.proof("portal", key, **changes)

    def proof(self, client: str, key: Any, **changes: Any) -> dict[str, str]:
        header = changes.pop("header", {})
        claims = {
            "iss": client,
            "sub": client,
            "aud": PUBLIC_URL,
            "iat": self.now(),
            "exp": self.now() + 60,
            "jti": hashlib.sha256(str(next(_numbers)).encode()).hexdigest(),
        } | changes
        return {
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": signed(key, claims, header),
        }

    async def form(self, **changes: str | None) -> dict[str, str]:
        """The hidden fields of the sign-in page."""
        page = await self.send("GET", "/identity/authorize", params=asking(**changes))
        assert page.status_code == 200, page.text
        return hidden(page.text)

    async def sign_in(
        self, user: str, password: str = PASSWORD, **changes: str | None
    ) -> httpx.Response:
        form = await self.form(**changes)
        return await self.send(
            "POST", "/identity/sign-in", data={**form, "user": user, "password": password}
        )

    async def code(self, user: str, **changes: str | None) -> str:
        answer = await self.sign_in(user, **changes)
        assert answer.status_code == 303, answer.text
        return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]

    async def token(self, **form: str) -> httpx.Response:
        if "client_assertion" not in form:
            form |= self.portal_proof()
        return await self.send("POST", "/identity/token", data=form)

    async def exchange(self, code: str, **changes: str) -> httpx.Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": RETURN,
            "code_verifier": VERIFIER,
        }
        return await self.token(**form | changes)

    async def signed_in(self, user: str, **changes: str | None) -> dict[str, Any]:
        """The whole way, from the sign-in page to the tokens."""
        answer = await self.exchange(await self.code(user, **changes))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def refresh(self, refresh_token: str, **changes: str) -> httpx.Response:
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return await self.token(**form | changes)

    async def introspect(self, token: str) -> dict[str, Any]:
        form = {"token": token, **self.portal_proof()}
        return (await self.send("POST", "/identity/introspect", data=form)).json()


def _count() -> Any:
    number = 0
    while True:
        yield (number := number + 1)


_numbers = _count()


def asking(**changes: str | None) -> dict[str, str]:
    """A good authorization request of the portal, with changes; None leaves a parameter out."""
    good = {
        "response_type": "code",
        "client_id": "portal",
        "redirect_uri": RETURN,
        "scope": "openid fhirUser",
        "state": "state-1",
        "nonce": "nonce-1",
        "code_challenge": challenge(VERIFIER),
        "code_challenge_method": "S256",
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def hidden(page: str) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page)
    return {name: unescape(value) for name, value in found}


def signed(key: Any, claims: dict[str, Any] | bytes, header: dict[str, Any] | None = None) -> str:
    """A token as an attacker could make one: any header, any claims, and a right signature.

    `key` is a private key, or bytes for HMAC-SHA-256.
    """
    shared = isinstance(key, bytes)
    kinds = {"OKP": "EdDSA", "EC": "ES384", "RSA": "RS384"}
    full = {"alg": "HS256" if shared else kinds[key.key_type], "typ": "JWT"} | (header or {})
    body = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    text = f"{base64url(json.dumps(full).encode())}.{base64url(body)}"
    if shared:
        mark = hmac.digest(key, text.encode(), "sha256")
    else:
        mark = jws.JWSRegistry.algorithms[kinds[key.key_type]].sign(text.encode(), key)
    return f"{text}.{base64url(mark)}"


def base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

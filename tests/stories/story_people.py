"""Tokens of people: sign-in with a code and PKCE, as the portal does it, for stories over HTTP."""

import hashlib
import time
from base64 import urlsafe_b64encode
from urllib.parse import parse_qs, urlsplit

import httpx
from story_clinic import PEOPLE, Clinic, read_page

from polyclinic.foundation import ids, jose
from polyclinic.foundation.caller import NO_ISSUER
from polyclinic.foundation.vault import RootKey

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
VERIFIER = "a-verifier-of-at-least-forty-three-characters-0123"


def token_of(clinic: Clinic, user: str, password: str | None = None) -> str:
    """An access token of somebody who signs in."""
    back = f"{clinic.url}/signed-in"
    challenge = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
    asked = {
        "response_type": "code", "client_id": "portal", "redirect_uri": back, "state": "s",
        "scope": "openid fhirUser", "nonce": "n", "code_challenge": challenge,
        "code_challenge_method": "S256",
    }  # fmt: skip
    visitor = clinic.visitor()
    page = visitor.http.get("/identity/authorize", params=asked)
    forms, _ = read_page(page.text)
    form = next(form for form in forms if form.action == "/identity/sign-in")
    typed = {"user": user, "password": password or PEOPLE[user].password}
    headers = {"origin": clinic.url, "sec-fetch-site": "same-origin"}
    sent = visitor.http.post(form.action, data={**form.values, **typed}, headers=headers,
                             follow_redirects=False)  # fmt: skip
    assert sent.status_code == 303, sent.text[:500]
    code = parse_qs(urlsplit(sent.headers["location"]).query)["code"][0]
    return _exchanged(clinic, code, back)


def _exchanged(clinic: Clinic, code: str, back: str) -> str:
    assert clinic.key is not None
    seed = RootKey.read(clinic.key).derive("client|portal")
    audience = clinic.surroundings.get("POLYCLINIC_PUBLIC_URL", NO_ISSUER)
    proof = jose.assertion(seed, issuer="portal", audience=audience, now=int(time.time()))
    form = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": back,
        "code_verifier": VERIFIER, "client_assertion_type": ASSERTION, "client_assertion": proof,
    }  # fmt: skip
    answer = httpx.post(f"{clinic.url}/identity/token", data=form, trust_env=False, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


class Person:
    """Somebody at the clinic's doors; every request has a number that the access log keeps."""

    def __init__(self, clinic: Clinic, token: str) -> None:
        self.http = clinic.api(token)
        self.last = ""  # the number of the last request

    def ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        self.last = str(ids.new_uuid())
        headers = {"x-request-id": self.last}
        if method == "POST":
            headers["idempotency-key"] = self.last
        return self.http.request(method, path, json=body, headers=headers)

    def post(self, path: str, body: object) -> dict:
        answer = self.ask("POST", path, body)
        assert answer.is_success, (path, answer.status_code, answer.text[:800])
        return answer.json()

    def get(self, path: str) -> dict:
        answer = self.ask("GET", path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:800])
        return answer.json()

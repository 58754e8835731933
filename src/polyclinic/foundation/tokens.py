"""A service's own token: client credentials at identity, with a key that both sides derive."""

import time

import msgspec

from polyclinic.foundation import jose
from polyclinic.foundation.caller import NO_ISSUER
from polyclinic.foundation.errors import Unavailable
from polyclinic.foundation.peers import Peers
from polyclinic.foundation.vault import RootKey

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCOPE = "system/events.read"
EARLY_SECONDS = 60  # renewed before it ends, so that no request starts with a dying token


class _Answer(msgspec.Struct, frozen=True):
    access_token: str
    expires_in: int


class ServiceTokens:
    """Keeps one token at hand."""

    def __init__(self, peers: Peers, root: RootKey, service: str, issuer: str | None) -> None:
        self._peers, self._service = peers, service
        self._seed = root.derive(f"client|{service}")
        self._issuer = issuer.rstrip("/") if issuer else NO_ISSUER
        self._token, self._until = "", 0.0

    async def get(self) -> str:
        """A token that lives for a while; raises Unavailable when identity gives none."""
        if time.monotonic() < self._until:
            return self._token
        proof = jose.assertion(
            self._seed, issuer=self._service, audience=self._issuer, now=int(time.time())
        )
        form = {
            "grant_type": "client_credentials",
            "scope": SCOPE,
            "client_id": self._service,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": proof,
        }
        answer = await self._peers.send("identity", "POST", "/identity/token", data=form)
        if answer.status_code != 200:
            raise Unavailable("Identity gives this service no token.", place="identity")
        read = msgspec.json.decode(answer.content, type=_Answer)
        self._token = read.access_token
        self._until = time.monotonic() + max(read.expires_in - EARLY_SECONDS, 1)
        return self._token

    def forget(self) -> None:
        """The token was refused: the next one is new."""
        self._until = 0.0

"""A service's own tokens: client credentials at identity, with a key that both sides derive."""

import time

import msgspec

from polyclinic.foundation import jose
from polyclinic.foundation.caller import NO_ISSUER
from polyclinic.foundation.errors import Forbidden, Unavailable
from polyclinic.foundation.peers import Peers
from polyclinic.foundation.vault import RootKey

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCOPE = "system/events.read"
EARLY_SECONDS = 60  # renewed before it ends, so that no request starts with a dying token


class _Answer(msgspec.Struct, frozen=True):
    access_token: str
    expires_in: int


class ServiceTokens:
    """Keeps two tokens at hand: the one shown to every feed never opens a document."""

    def __init__(
        self,
        peers: Peers,
        root: RootKey,
        service: str,
        issuer: str | None,
        document_scopes: tuple[str, ...] = (),
    ) -> None:
        self._peers, self._service = peers, service
        self._seed = root.derive(f"client|{service}")
        self._issuer = issuer.rstrip("/") if issuer else NO_ISSUER
        self._document_scopes = " ".join(document_scopes)
        self._kept: dict[str, tuple[str, float]] = {}

    async def get(self) -> str:
        """A token for the others' feeds; raises Unavailable when identity gives none."""
        return await self._get(SCOPE)

    async def for_documents(self) -> str:
        """A token for what the service declares as `writes` and `reads`; raises Unavailable."""
        if not self._document_scopes:
            raise Forbidden(f"The {self._service} service declares no documents of others.")
        return await self._get(self._document_scopes)

    async def _get(self, scope: str) -> str:
        token, until = self._kept.get(scope, ("", 0.0))
        if time.monotonic() < until:
            return token
        proof = jose.assertion(
            self._seed, issuer=self._service, audience=self._issuer, now=int(time.time())
        )
        form = {
            "grant_type": "client_credentials",
            "scope": scope,
            "client_id": self._service,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": proof,
        }
        answer = await self._peers.send("identity", "POST", "/identity/token", data=form)
        if answer.status_code != 200:
            raise Unavailable("Identity gives this service no token.", place="identity")
        read = msgspec.json.decode(answer.content, type=_Answer)
        until = time.monotonic() + max(read.expires_in - EARLY_SECONDS, 1)
        self._kept[scope] = (read.access_token, until)
        return read.access_token

    def forget(self) -> None:
        """A token was refused: the next ones are new."""
        self._kept.clear()

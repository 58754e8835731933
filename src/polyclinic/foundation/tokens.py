"""A service's own tokens: client credentials at identity, with a key that both sides derive."""

import time

import msgspec

from polyclinic.foundation import jose
from polyclinic.foundation.caller import NO_ISSUER
from polyclinic.foundation.errors import Forbidden, Unavailable
from polyclinic.foundation.peers import Peers
from polyclinic.foundation.vault import RootKey

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TYPE = "urn:ietf:params:oauth:token-type:access_token"
DELEGATION_TYPE = "urn:polyclinic:token-type:delegation"
SCOPE = "system/events.read"
DELEGATED_SECONDS, KEPT_MAX = 30.0, 1000
EARLY_SECONDS = 60  # renewed before it ends, so that no request starts with a dying token


class _Answer(msgspec.Struct, frozen=True):
    access_token: str
    expires_in: int = 0


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

    async def delegation(self, token: str, scope: str) -> str:
        """A handle by which this service may ask, later and for `scope`, as who holds the token.

        Raises Forbidden where the token does not allow it, or is none.
        """
        read = await self._exchange(
            {
                "subject_token": token,
                "subject_token_type": ACCESS_TYPE,
                "requested_token_type": DELEGATION_TYPE,
                "scope": scope,
            }
        )
        return read.access_token

    async def for_delegation(self, handle: str) -> str:
        """A token of whoever gave the handle, as they are today; raises Forbidden when withdrawn.

        It is asked for anew after half a minute: so long what was withdrawn may still count.
        """
        token, until = self._kept.get(handle, ("", 0.0))
        if time.monotonic() < until:
            return token
        read = await self._exchange(
            {"subject_token": handle, "subject_token_type": DELEGATION_TYPE}
        )
        while len(self._kept) >= KEPT_MAX:
            self._kept.pop(next(iter(self._kept)))
        self._kept[handle] = (read.access_token, time.monotonic() + DELEGATED_SECONDS)
        return read.access_token

    async def end_delegation(self, handle: str) -> None:
        """Withdraws it; an unknown one is no error."""
        self._kept.pop(handle, None)
        form = {"token": handle, **self._proof()}
        answer = await self._peers.send("identity", "POST", "/identity/revoke", data=form)
        if answer.status_code != 200:
            raise Unavailable("Identity does not take a delegation back.", place="identity")

    async def _exchange(self, asked: dict[str, str]) -> _Answer:
        form = {"grant_type": EXCHANGE, **asked, **self._proof()}
        answer = await self._peers.send("identity", "POST", "/identity/token", data=form)
        if answer.status_code == 400:
            raise Forbidden("That was not delegated, or it was withdrawn.", place="scope")
        if answer.status_code != 200:
            raise Unavailable("Identity gives this service no token.", place="identity")
        return msgspec.json.decode(answer.content, type=_Answer)

    async def _get(self, scope: str) -> str:
        token, until = self._kept.get(scope, ("", 0.0))
        if time.monotonic() < until:
            return token
        form = {"grant_type": "client_credentials", "scope": scope, **self._proof()}
        answer = await self._peers.send("identity", "POST", "/identity/token", data=form)
        if answer.status_code != 200:
            raise Unavailable("Identity gives this service no token.", place="identity")
        read = msgspec.json.decode(answer.content, type=_Answer)
        until = time.monotonic() + max(read.expires_in - EARLY_SECONDS, 1)
        self._kept[scope] = (read.access_token, until)
        return read.access_token

    def _proof(self) -> dict[str, str]:
        proof = jose.assertion(
            self._seed, issuer=self._service, audience=self._issuer, now=int(time.time())
        )
        return {
            "client_id": self._service,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": proof,
        }

    def forget(self) -> None:
        """A token was refused: the next ones are new."""
        self._kept.clear()

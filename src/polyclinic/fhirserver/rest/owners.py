"""Types that other services keep: an interaction with them is passed to their door, as it came."""

import contextlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.rest.answer import Answer
from polyclinic.foundation.errors import Unauthenticated, Unavailable
from polyclinic.foundation.peers import Peers
from polyclinic.standards.fhir import codec

_PASSED = ("prefer", "if-match", "if-none-match", "if-none-exist", "idempotency-key")
# Of these kinds of content the kind itself says how it is read.
_KEPT = ("application/x-www-form-urlencoded", "application/json-patch+json")
_RETURNED = ("etag", "last-modified", "retry-after")


class Owners:
    """Asks the owner of a type with the caller's own token; nobody's rights grow on the way."""

    def __init__(self, peers: Peers, elsewhere: Mapping[str, str]) -> None:
        self._peers = peers
        self.elsewhere = dict(elsewhere)

    async def carry(self, errand: Errand, ask: Any) -> Answer:
        """The owner's own answer; raises Unavailable, naming the service, when it is silent."""
        if not errand.token:
            raise Unauthenticated("Another service keeps this type and needs your token.")
        headers = {name: ask.headers[name] for name in _PASSED if name in ask.headers}
        headers["authorization"] = f"Bearer {errand.token}"
        content: bytes = ask.body
        if ask.resource is not None:
            content = codec.encode(ask.resource)
        if content:
            sent = ask.headers.get("content-type", "")
            headers["content-type"] = sent if sent.startswith(_KEPT) else "application/fhir+json"
        path = "/fhir/" + "/".join(quote(part, safe="$") for part in ask.path)
        answer = await self._peers.send(
            self.elsewhere[self._kind(ask.path)],
            ask.method,
            path,
            params=list(ask.pairs),
            content=content or None,
            headers=headers,
        )
        kept = {name: answer.headers[name] for name in _RETURNED if name in answer.headers}
        _, _, location = answer.headers.get("location", "").partition("/fhir/")
        return Answer(
            answer.status_code, answer.content or None, location=location or None, headers=kept
        )

    async def statements(self) -> list[bytes]:
        """The CapabilityStatements of the owners that answer."""
        found: list[bytes] = []
        for owner in sorted(set(self.elsewhere.values())):
            with contextlib.suppress(Unavailable):
                answer = await self._peers.send(owner, "GET", f"/{owner}/fhir-metadata")
                if answer.status_code == 200:
                    found.append(answer.content)
        return found

    def keeps(self, path: tuple[str, ...]) -> bool:
        """Whether another service keeps the type that this address is about."""
        return self._kind(path) in self.elsewhere

    def _kind(self, path: tuple[str, ...]) -> str:
        # `Patient/1/Appointment` is a search of appointments.
        if len(path) == 3 and path[0] == "Patient" and path[2] in self.elsewhere:
            return path[2]
        return path[0] if path else ""

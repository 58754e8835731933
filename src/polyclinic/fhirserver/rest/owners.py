"""Types that other services keep: an interaction with them is passed to their door, as it came."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.index import EARLIEST
from polyclinic.fhirserver.rest.answer import Answer
from polyclinic.fhirserver.search.hits import Hit
from polyclinic.fhirserver.store.rows import Document
from polyclinic.foundation.errors import Invalid, Problem, TooCostly, Unauthenticated, Unavailable
from polyclinic.foundation.peers import Peers
from polyclinic.standards.fhir import codec
from polyclinic.standards.fhir.dates import instant
from polyclinic.standards.fhir.search_values import ReferenceValue, extract

_PASSED = ("prefer", "if-match", "if-none-match", "if-none-exist", "idempotency-key")
# Of these kinds of content the kind itself says how it is read.
_KEPT = ("application/x-www-form-urlencoded", "application/json-patch+json")
_RETURNED = ("etag", "last-modified", "retry-after")


class Owners:
    """Asks the owner of a type with the caller's own token; nobody's rights grow on the way."""

    def __init__(self, peers: Peers, elsewhere: Mapping[str, str]) -> None:
        self._peers = peers
        self.elsewhere = dict(elsewhere)

    async def carry(self, errand: Errand, ask: Any, base: str) -> Answer:
        """The owner's own answer; raises Unavailable, naming the service, when it is silent.

        It writes its links with the host that was asked, as it does behind the front door.
        """
        if not errand.token:
            raise Unauthenticated("Another service keeps this type and needs your token.")
        headers = {name: ask.headers[name] for name in _PASSED if name in ask.headers}
        headers["authorization"] = f"Bearer {errand.token}"
        headers["host"] = urlsplit(base).netloc
        content: bytes = ask.body
        if ask.resource is not None:
            content = codec.encode(ask.resource)
        if content:
            sent = ask.headers.get("content-type", "")
            headers["content-type"] = sent if sent.startswith(_KEPT) else "application/fhir+json"
        kind, pairs = self._kind(ask.path), list(ask.pairs)
        parts = ask.path
        if kind != ask.path[0]:
            parts, pairs = (kind,), [("patient", f"Patient/{ask.path[1]}"), *pairs]
        path = "/fhir/" + "/".join(quote(part, safe="$") for part in parts)
        answer = await self._peers.send(
            self.elsewhere[kind],
            ask.method,
            path,
            params=pairs,
            content=content or None,
            headers=headers,
        )
        kept = {name: answer.headers[name] for name in _RETURNED if name in answer.headers}
        _, _, location = answer.headers.get("location", "").partition("/fhir/")
        return Answer(
            answer.status_code, answer.content or None, location=location or None, headers=kept
        )

    async def ids(
        self,
        errand: Errand,
        kind: str,
        pairs: Sequence[tuple[str, str]],
        through: tuple[str, str] | None,
        most: int,
    ) -> Sequence[str]:
        """The inner step of a chain at the owner of `kind`: see `search.resolve.OtherOwner`."""
        found = await self._search(errand, kind, pairs, most)
        if through is None:
            return [resource["id"] for resource in found]
        param, of = through
        values = [v for resource in found for v in extract(resource, frozenset({param}))]
        met = [v.id for v in values if isinstance(v, ReferenceValue) and v.type == of and v.id]
        return list(dict.fromkeys(met))

    async def hits(
        self, errand: Errand, kind: str, pairs: Sequence[tuple[str, str]], most: int
    ) -> list[Hit]:
        """What an include brings from the owner of `kind`; the owner logs what it shows."""
        return [_hit(resource) for resource in await self._search(errand, kind, pairs, most)]

    async def _search(
        self, errand: Errand, kind: str, pairs: Sequence[tuple[str, str]], most: int
    ) -> list[dict[str, Any]]:
        headers = {"authorization": f"Bearer {errand.token}"}
        asked = [*pairs, ("_count", str(most))]
        owner = self.elsewhere[kind]
        answer = await self._peers.send(
            owner, "GET", f"/fhir/{kind}", params=asked, headers=headers
        )
        if answer.status_code in (403, 404):
            return []  # what the caller may not search is no signal
        if answer.status_code != 200:
            raise _refusal(answer, owner)
        bundle = codec.decode_kept(answer.content)
        if any(link.get("relation") == "next" for link in bundle.get("link", ())):
            raise TooCostly(f"The search meets more than {most} resources of {kind}.")
        entries = bundle.get("entry", ())
        # What does not open there stands in the Bundle as an outcome, and has no id.
        return [e["resource"] for e in entries if e.get("search", {}).get("mode") == "match"]

    async def statements(self) -> list[bytes]:
        """The CapabilityStatements of the owners that answer."""
        found: list[bytes] = []
        for owner in sorted(set(self.elsewhere.values())):
            with contextlib.suppress(Unavailable):
                answer = await self._peers.send(owner, "GET", f"/{owner}/fhir-metadata")
                if answer.status_code == 200:
                    found.append(answer.content)
        return found

    def named(self, kinds: Iterable[str]) -> str:
        """Who keeps what, in words: `Appointment by appointments`."""
        there = sorted({kind for kind in kinds if kind in self.elsewhere})
        return ", ".join(f"{kind} by {self.elsewhere[kind]}" for kind in there)

    def keeps(self, path: tuple[str, ...]) -> bool:
        """Whether another service keeps the type that this address is about."""
        return self._kind(path) in self.elsewhere

    def _kind(self, path: tuple[str, ...]) -> str:
        # `Patient/1/Appointment` is a search of appointments.
        if len(path) == 3 and path[0] == "Patient" and path[2] in self.elsewhere:
            return path[2]
        return path[0] if path else ""


def _hit(resource: dict[str, Any]) -> Hit:
    meta = resource.get("meta", {})
    version = meta.get("versionId", "")
    updated = instant(meta["lastUpdated"]) if "lastUpdated" in meta else EARLIEST
    document = Document(
        resource["resourceType"],
        resource["id"],
        int(version) if version.isdecimal() else 0,
        updated,
        codec.encode(resource),
    )
    return Hit(document, resource, (), None)


def _refusal(answer: httpx.Response, owner: str) -> Problem:
    if answer.status_code >= 500 or answer.status_code == 429:
        return Unavailable(f"The {owner} service does not answer.", place=owner)
    return Invalid(f"The {owner} service refuses this part of the chain.", place="chain")

"""Records over its FHIR door."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

from polyclinic.foundation.peers import Peers
from polyclinic.services.portal.domain.reading import Resource
from polyclinic.services.portal.gateways.answers import decoded, refusal

PAGE = 200
Parameters = Sequence[tuple[str, str]]
_FHIR = {"accept": "application/fhir+json"}


class Records(Protocol):
    """Resources, as the person whose token it is may see them."""

    async def read(self, token: str, kind: str, key: str) -> Resource: ...

    async def search(
        self, token: str, kind: str, parameters: Parameters, most: int
    ) -> list[Resource]: ...


class FhirRecords:
    """Resources in pages, followed as far as they are wanted."""

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
            return decoded(answer.content, "records")
        raise refusal(answer.status_code, "records")


def _form(parameters: Parameters) -> dict[str, list[str]]:
    form: dict[str, list[str]] = {}
    for name, value in parameters:
        form.setdefault(name, []).append(value)
    return form


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

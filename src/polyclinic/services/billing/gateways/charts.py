"""Patients' charts, asked of records: who somebody is, how they are insured, what took place."""

from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from polyclinic.foundation.errors import Unavailable
from polyclinic.foundation.peers import Peers
from polyclinic.foundation.tokens import ServiceTokens

COVERAGES_MAX = 50
_FHIR = "application/fhir+json"
Resource = dict[str, Any]


class Charts:
    """Records, if there is one. The caller's own token is asked with first, then billing's own."""

    def __init__(self, peers: Peers, tokens: ServiceTokens) -> None:
        self._peers, self._tokens = peers, tokens

    @property
    def is_installed(self) -> bool:
        return "records" in self._peers.names()

    async def read(self, reference: str, token: str = "") -> Resource | None:
        """`Patient/<id>` or `Encounter/<id>`; none where records has none, or is not installed.

        Raises Unavailable when it cannot be known.
        """
        kind, _, name = reference.partition("/")
        return await self._asked("GET", f"/fhir/{kind}/{quote(name, safe='')}", token)

    async def coverages(self, patient: str, token: str = "") -> list[Resource]:
        """What the chart says of insurance; the patient's id travels in the body."""
        form = {"beneficiary": patient, "_count": str(COVERAGES_MAX)}
        bundle = await self._asked("POST", "/fhir/Coverage/_search", token, data=form)
        found = [entry.get("resource") for entry in (bundle or {}).get("entry") or ()]
        return [each for each in found if each and each.get("resourceType") == "Coverage"]

    async def _asked(self, method: str, path: str, token: str, **sent: Any) -> Resource | None:
        if not self.is_installed:
            return None
        if token:
            answer = await self._ask(method, path, token, sent)
            if answer.status_code == 200:
                return _decoded(answer)
        return await self._ask_in_own_name(method, path, sent)

    async def _ask_in_own_name(
        self, method: str, path: str, sent: dict[str, Any]
    ) -> Resource | None:
        """Billing may read what it declares; none only where records says that there is none."""
        answer = await self._ask(method, path, await self._tokens.for_documents(), sent)
        if answer.status_code == 401:
            self._tokens.forget()
            answer = await self._ask(method, path, await self._tokens.for_documents(), sent)
        if answer.status_code in (404, 410):
            return None
        if answer.status_code != 200:
            raise Unavailable("The records service does not answer.", place="records")
        return _decoded(answer)

    async def _ask(
        self, method: str, path: str, token: str, sent: dict[str, Any]
    ) -> httpx.Response:
        headers = {"accept": _FHIR, "authorization": f"Bearer {token}"}
        return await self._peers.send("records", method, path, headers=headers, **sent)


def _decoded(answer: httpx.Response) -> Resource:
    try:
        return msgspec.json.decode(answer.content, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
        text = "The records service gave an unreadable answer."
        raise Unavailable(text, place="records") from broken

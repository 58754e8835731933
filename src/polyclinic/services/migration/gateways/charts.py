"""Records, where what is moved is kept: batches in migration's own name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from polyclinic.foundation.errors import Unavailable
from polyclinic.foundation.service import Running
from polyclinic.standards.fhir import codec

BATCH_MAX = 100
Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ask:
    """One entry of a batch: a PUT of what `resource` says, a DELETE or a GET without one."""

    method: str
    kind: str
    id: str
    resource: Resource | None = None
    if_match: int | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What records says to it; `place` is the element that was wrong."""

    status: int
    version: int
    resource: Resource | None
    place: str = ""


class Charts:
    """Asks records by batches; raises Unavailable while it does not answer."""

    def __init__(self, running: Running) -> None:
        self._running = running

    async def ask(self, asks: Sequence[Ask]) -> list[Said]:
        found: list[Said] = []
        for start in range(0, len(asks), BATCH_MAX):
            found += await self._batch(asks[start : start + BATCH_MAX])
        return found

    async def _batch(self, asks: Sequence[Ask]) -> list[Said]:
        bundle = {"resourceType": "Bundle", "type": "batch", "entry": [_entry(a) for a in asks]}
        headers = {
            "authorization": f"Bearer {await self._running.tokens.for_documents()}",
            "content-type": "application/fhir+json",
        }
        content = codec.encode(bundle)
        answer = await self._running.peers.send(
            "records", "POST", "/fhir", headers=headers, content=content
        )
        if answer.status_code == 401:
            self._running.tokens.forget()
        if answer.status_code != 200:
            raise Unavailable("Records does not answer.", place="records")
        entries = codec.decode_kept(answer.content).get("entry", [])
        return [_said(entry) for entry in entries]


def _entry(ask: Ask) -> Resource:
    request: Resource = {"method": ask.method, "url": f"{ask.kind}/{ask.id}"}
    if ask.if_match is not None:
        request["ifMatch"] = f'W/"{ask.if_match}"'
    found: Resource = {"request": request}
    if ask.resource is not None:
        found["resource"] = {**ask.resource, "id": ask.id}
    return found


def _said(entry: Resource) -> Said:
    response = entry.get("response", {})
    status = int(str(response.get("status", "500"))[:3])
    if status in (429, 503):
        raise Unavailable("Records has too much to do.", place="records")
    outcome = response.get("outcome") or {}
    issues = outcome.get("issue") or [{}]
    places = issues[0].get("expression") or [""]
    return Said(status, _version(response.get("etag", "")), entry.get("resource"), places[0])


def _version(etag: str) -> int:
    text = etag.removeprefix("W/").strip('"')
    return int(text) if text.isdecimal() else 0

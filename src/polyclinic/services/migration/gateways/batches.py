"""What is asked of the owners of resources, many things at once, in migration's own name."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from polyclinic.foundation.errors import Unavailable
from polyclinic.foundation.service import Running
from polyclinic.standards.fhir import codec

BATCH_MAX = 100
Resource = dict[str, Any]
Headers = dict[str, str]
Send = Callable[[Headers, bytes], Awaitable[httpx.Response]]


@dataclass(frozen=True, slots=True)
class Ask:
    """A PUT of what `resource` says, a DELETE or a GET without one.

    `row`: system and key of the row that the resource stands for.
    """

    method: str
    kind: str
    id: str
    resource: Resource | None = None
    if_match: int | None = None
    row: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class Said:
    """What the owner says to it; `place` is the element that was wrong, `reason` why it was."""

    status: int
    version: int
    resource: Resource | None
    place: str = ""
    reason: str = "refused by records"


async def token_of(running: Running) -> Headers:
    return {"authorization": f"Bearer {await running.tokens.for_documents()}"}


async def by_batches(
    running: Running, send: Send, asks: Sequence[Ask]
) -> AsyncIterator[tuple[int, Said]]:
    """Asks a FHIR door; each answer has its ask's number.

    Raises Unavailable where the door does not answer any more.
    """
    for start in range(0, len(asks), BATCH_MAX):
        entries = [_entry(ask) for ask in asks[start : start + BATCH_MAX]]
        bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries}
        headers = {**await token_of(running), "content-type": "application/fhir+json"}
        answer = await send(headers, codec.encode(bundle))
        if answer.status_code == 401:
            running.tokens.forget()
        if answer.status_code != 200:
            raise Unavailable("An owner does not answer.", place="owner")
        answers = codec.decode_kept(answer.content).get("entry", [])
        for n, (_, entry) in enumerate(zip(entries, answers, strict=True), start):
            yield n, _said(entry)


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
        raise Unavailable("An owner has too much to do.", place="owner")
    outcome = response.get("outcome") or {}
    issues = outcome.get("issue") or [{}]
    places = issues[0].get("expression") or [""]
    return Said(status, _version(response.get("etag", "")), entry.get("resource"), places[0])


def _version(etag: str) -> int:
    text = etag.removeprefix("W/").strip('"')
    return int(text) if text.isdecimal() else 0

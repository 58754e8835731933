"""Records: charts read and assessments written, in insights' own name or as whoever asks.

What another service keeps, as appointments do bookings, is read there in the same way.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec

from polyclinic.foundation.errors import (
    Conflict,
    Forbidden,
    Problem,
    Unauthenticated,
    Unavailable,
)
from polyclinic.foundation.service import Running
from polyclinic.standards.fhir import codec

NAME, VISITS = "records", "appointments"
# A chart is read in one request; what a very long list has beyond this is older still.
FOUND_MAX = 1000
_KIND = re.compile(r"[/?]")
_HEADERS = {"content-type": "application/fhir+json", "accept": "application/fhir+json"}
Json = dict[str, Any]


class Changed(Conflict):
    """Somebody changed what was read; read it again."""


class Refused(Problem):
    """Records does not take this."""


@dataclass(frozen=True, slots=True)
class Put:
    """A resource for its place: over the version that was read, or where there is none (0)."""

    resource: Json
    version: int = 0


def version_of(resource: Json) -> int:
    return int(resource["meta"]["versionId"])


async def look(running: Running, urls: Sequence[str], token: str = "") -> list[Json | None]:
    """Reads and searches in one request; none where there is nothing (any more), or nothing that
    the holder of the token may see. Without a token: in insights' own name. What another service
    keeps (appointments) is asked of that one; raises Unavailable where one does not answer."""
    found: dict[str, Json | None] = {}
    for owner in dict.fromkeys(owner_of(running, url) for url in urls):
        asked = [url for url in urls if owner_of(running, url) == owner]
        entries = [{"request": {"method": "GET", "url": url}} for url in asked]
        answer = await _post(running, owner, {"type": "batch", "entry": entries}, token)
        found |= zip(asked, map(_seen, answer.get("entry") or []), strict=True)
    return [found[url] for url in urls]


def owner_of(running: Running, url: str) -> str:
    """The service that keeps the type with which an address begins; else records."""
    return VISITS if running.elsewhere.get(_KIND.split(url, 1)[0]) == VISITS else NAME


async def search(running: Running, kind: str, form: dict[str, str], token: str) -> list[Json]:
    """What a search by POST finds: ids travel in the body."""

    async def ask(headers: dict[str, str]) -> httpx.Response:
        path = f"/fhir/{kind}/_search"
        return await running.peers.send("records", "POST", path, data=form, headers=headers)

    answer = await _asked(running, ask, token, {"accept": _HEADERS["accept"]})
    if answer.status_code != 200:
        raise _refusal(answer)
    return matches(_decoded(answer))


async def keep(running: Running, puts: Sequence[Put]) -> None:
    """All of them or none, in insights' own name; raises Changed, or Refused for what records
    does not take."""
    if puts:
        bundle = {"type": "transaction", "entry": [_entry(each) for each in puts]}
        await _post(running, NAME, bundle, "")


def matches(bundle: Json | None) -> list[Json]:
    """What a search found."""
    return [
        each["resource"]
        for each in (bundle or {}).get("entry") or ()
        if (each.get("search") or {}).get("mode") == "match"
    ]


def _entry(put: Put) -> Json:
    resource = put.resource
    request = {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}
    request |= {"ifMatch": f'W/"{put.version}"'} if put.version else {}
    return {"resource": resource, "request": request}


def _seen(entry: Json) -> Json | None:
    status = int(str(entry["response"]["status"])[:3])
    if status == 200:
        return entry["resource"]
    if status in (403, 404, 410):
        return None
    raise Unavailable("A chart could not be read.", place=NAME)


async def _post(running: Running, owner: str, bundle: Json, token: str) -> Json:
    content = codec.encode({"resourceType": "Bundle", **bundle})

    async def ask(headers: dict[str, str]) -> httpx.Response:
        if owner == VISITS:
            return await running.peers.send(
                "appointments", "POST", "/fhir", content=content, headers=headers
            )
        return await running.peers.send(
            "records", "POST", "/fhir", content=content, headers=headers
        )

    answer = await _asked(running, ask, token, _HEADERS)
    if answer.is_success:
        return _decoded(answer)
    if answer.status_code in (409, 412):
        raise Changed(place=owner)
    raise _refusal(answer)


async def _asked(running: Running, ask: Any, token: str, headers: dict[str, str]) -> httpx.Response:
    given = token or await running.tokens.for_documents()
    answer: httpx.Response = await ask({**headers, "authorization": f"Bearer {given}"})
    if answer.status_code == 401 and not token:
        running.tokens.forget()
        given = await running.tokens.for_documents()
        answer = await ask({**headers, "authorization": f"Bearer {given}"})
    if answer.status_code == 401 and token:
        raise Unauthenticated
    if answer.status_code in (401, 429) or answer.status_code >= 500:
        raise Unavailable("Records does not answer at the moment.", place=NAME)
    return answer


def _refusal(answer: httpx.Response) -> Problem:
    """Its sentence may quote what was sent, so it stays behind."""
    if answer.status_code == 403:
        return Forbidden("Your access does not include this chart.", place="scope")
    return Refused(f"Records answers {answer.status_code}.", place=NAME)


def _decoded(answer: httpx.Response) -> Json:
    try:
        return msgspec.json.decode(answer.content or b"{}", type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
        raise Unavailable("Records gave an unreadable answer.", place=NAME) from broken

"""Records: charts read and written in integration's own name, a message's documents in one go."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

from polyclinic.foundation.errors import Conflict, Unavailable
from polyclinic.foundation.service import Running
from polyclinic.services.integration.gateways.asking import (
    Json,
    decoded,
    is_there,
    refusal,
    send,
)
from polyclinic.standards.fhir import codec

NAME = "records"
FOUND_MAX = 50
_HEADERS = {"content-type": "application/fhir+json", "accept": "application/fhir+json"}


class Changed(Conflict):
    """Somebody changed what was read; read it again."""


@dataclass(frozen=True, slots=True)
class Put:
    """A resource for its place: over the version that was read, or where there is none (0)."""

    resource: Json
    version: int

    @property
    def name(self) -> str:
        return f"{self.resource['resourceType']}/{self.resource['id']}"

    @property
    def next(self) -> str:
        """The version that it will be."""
        return str(self.version + 1)


def is_installed(running: Running) -> bool:
    return is_there(running, NAME)


def version_of(resource: Json) -> int:
    return int(resource["meta"]["versionId"])


def escaped(value: str) -> str:
    """A value in a search: what parts values is escaped (R4 3.1.1.5.7.1)."""
    for sign in "\\,|$":
        value = value.replace(sign, f"\\{sign}")
    return quote(value, safe="")


async def look(running: Running, urls: Sequence[str]) -> list[Json | None]:
    """Reads and searches in one request; none where there is nothing (any more)."""
    if not urls:
        return []
    entries = [{"request": {"method": "GET", "url": url}} for url in urls]
    answer = await _post(running, {"type": "batch", "entry": entries}, {})
    listed = answer.get("entry") or []
    return [_seen(each) for each in listed]


async def read_as(running: Running, token: str, names: Sequence[str]) -> list[Json | None]:
    """Charts as whoever asks may see them, and in their name; none of what they may not."""
    found: list[Json | None] = []
    for name in names:
        headers = {**_HEADERS, "authorization": f"Bearer {token}"}
        answer = await running.peers.send("records", "GET", f"/fhir/{name}", headers=headers)
        found.append(decoded(answer) if answer.status_code == 200 else None)
    return found


def _seen(entry: Json) -> Json | None:
    status = int(str(entry["response"]["status"])[:3])
    if status == 200:
        return entry["resource"]
    if status in (404, 410):
        return None
    raise Unavailable("Records could not be read.", place=NAME)


def matches(bundle: Json | None) -> list[Json]:
    """What a search found."""
    return [
        each["resource"]
        for each in (bundle or {}).get("entry") or ()
        if (each.get("search") or {}).get("mode") == "match"
    ]


async def keep(running: Running, puts: Sequence[Put], key: str) -> None:
    """All of them or none; raises Changed, or Refused for what records does not take.

    The same documents under the same key are kept once, however often they are sent.
    """
    entries = [_entry(each) for each in puts]
    digest = blake2b(codec.encode({"entry": entries}), digest_size=16).hexdigest()
    headers = {"idempotency-key": f"{key}/{digest}"}
    await _post(running, {"type": "transaction", "entry": entries}, headers)


def _entry(put: Put) -> Json:
    request = {"method": "PUT", "url": put.name}
    request |= {"ifMatch": f'W/"{put.version}"'} if put.version else {"ifNoneMatch": "*"}
    return {"resource": put.resource, "request": request}


async def merge(running: Running, winner: str, loser: str, key: str, *, apart: bool) -> None:
    """One person's two charts become one, or (`apart`) two again; raises Refused."""
    names = (("source-patient", loser), ("target-patient", winner))
    parameters = [{"name": n, "valueReference": {"reference": who}} for n, who in names]
    body = {"resourceType": "Parameters", "parameter": parameters}
    operation = "$unmerge" if apart else "$merge"
    await _send(running, f"/fhir/Patient/{operation}", body, {"idempotency-key": key})


async def _post(running: Running, bundle: Json, headers: dict[str, str]) -> Json:
    return await _send(running, "/fhir", {"resourceType": "Bundle", **bundle}, headers)


async def _send(running: Running, path: str, body: Json, headers: dict[str, str]) -> Json:
    async def ask(sent: dict[str, str], content: bytes | None) -> Any:
        return await running.peers.send("records", "POST", path, headers=sent, content=content)

    answer = await send(running, ask, {**_HEADERS, **headers}, codec.encode(body))
    if answer.is_success:
        return decoded(answer)
    if answer.status_code in (409, 412):
        refused = refusal(answer)
        if path == "/fhir":
            raise Changed(place=refused.place)
        raise refused
    raise refusal(answer)

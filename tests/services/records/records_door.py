"""Records as its clients meet it: over HTTP only, with tokens that identity really signs."""

import hashlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from polyclinic.assembly.process import Process, assemble
from polyclinic.foundation import jose
from polyclinic.foundation.settings import Platform
from polyclinic.foundation.vault import RootKey

FHIR = "application/fhir+json"
SERVICES = ("identity", "records")
BASE = "http://clinic.test"
EVERYTHING = "system/*.cruds"


@dataclass
class Door:
    """Records and identity at work on a database of their own, behind the front door."""

    process: Process
    client: httpx.AsyncClient
    url: str  # of the database, as its owner
    root: RootKey
    tokens: dict[tuple[str, str], str] = field(default_factory=dict)

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        printer.text("Door()")  # hypothesis shows all of its arguments when a test fails

    @property
    def server(self) -> Any:
        return self.process.running["records"].state

    async def token(self, client: str = "tester", scope: str = EVERYTHING) -> str:
        if (client, scope) not in self.tokens:
            statement = jose.assertion(
                self.root.derive("operator"),
                issuer="operator",
                audience="polyclinic-operator",
                now=int(time.time()),
            )
            body = {"client": client, "scope": scope, "assertion": statement}
            answer = await self.client.post("/identity/operator/token", json=body)
            assert answer.status_code == 200, answer.text
            self.tokens[client, scope] = answer.json()["access_token"]
        return self.tokens[client, scope]

    async def send(
        self, method: str, path: str, *, client: str = "tester", **request: Any
    ) -> httpx.Response:
        """As a system client; a `resource` is sent as FHIR JSON."""
        headers = {"authorization": f"Bearer {await self.token(client)}"}
        if "resource" in request:
            request["content"] = json.dumps(request.pop("resource"))
        if "content" in request:
            headers["content-type"] = FHIR
        headers |= request.pop("headers", {})
        return await self.client.request(method, path, headers=headers, **request)

    async def make(self, resource: dict[str, Any]) -> dict[str, Any]:
        answer = await self.send("POST", f"/fhir/{resource['resourceType']}", resource=resource)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def unit(
        self, content: bytes, *, lines: bool = False, source: str = "a file", hashed: str = ""
    ) -> httpx.Response:
        """One unit of an import."""
        headers = {
            "content-type": "application/fhir+ndjson" if lines else FHIR,
            "x-content-hash": hashed or hashlib.sha256(content).hexdigest(),
            "x-source": source,
        }
        return await self.send("POST", "/records/import", content=content, headers=headers)

    async def sql(self, query: str, *values: Any) -> list[Any]:
        """As an operator of the database, or as whoever got hold of it."""
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetch(query, *values)
        finally:
            await connection.close()


@asynccontextmanager
async def opened(
    url: str, key_file: Path, *, settings: dict[str, str] | None = None
) -> AsyncIterator[Door]:
    """Starts both services on a database."""
    platform = Platform(database_url=url, key_file=str(key_file))
    async with assemble(platform, SERVICES, settings or {}) as process:
        transport = httpx.ASGITransport(process.edge)  # pyright: ignore
        async with httpx.AsyncClient(transport=transport, base_url=BASE, timeout=60) as client:
            yield Door(process, client, url, RootKey.read(key_file))


def issues_of(answer: httpx.Response) -> list[dict[str, Any]]:
    """The issues of a refusal; fails when it is no OperationOutcome."""
    assert answer.headers["content-type"].startswith(FHIR), answer.headers
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome", outcome
    assert outcome["issue"], outcome
    for issue in outcome["issue"]:
        assert issue["severity"] in ("error", "fatal"), issue
        assert issue["code"], issue
        assert issue.get("diagnostics") or issue.get("details"), issue
    return outcome["issue"]


def places_of(answer: httpx.Response) -> list[str]:
    return [place for issue in issues_of(answer) for place in issue.get("expression", [])]


def patient(**changes: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "name": [{"family": "Ruiz", "given": ["Ana"]}], **changes}


def observation(subject: str, **changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": subject},
        "effectiveDateTime": "2026-11-20T08:30:00Z",
        "valueQuantity": {
            "value": 7.4,
            "unit": "g/dL",
            "system": "http://unitsofmeasure.org",
            "code": "g/dL",
        },
        **changes,
    }


def bundle(kind: str, *entries: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"resourceType": "Bundle", "type": kind}
    return made | ({"entry": list(entries)} if entries else {})


def put(resource: dict[str, Any], **request: str) -> dict[str, Any]:
    url = f"{resource['resourceType']}/{resource['id']}"
    return {
        "fullUrl": f"{BASE}/fhir/{url}",
        "resource": resource,
        "request": {"method": "PUT", "url": url, **request},
    }

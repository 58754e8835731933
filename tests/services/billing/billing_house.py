"""Billing in a house with identity, records and appointments: one process, real tokens."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from databases import database
from polyclinic.assembly.process import Process, assemble
from polyclinic.foundation import ids, jose
from polyclinic.foundation.settings import Platform
from polyclinic.foundation.vault import RootKey

FHIR = "application/fhir+json"
EVERYTHING = "system/*.cruds"


@dataclass(repr=False)
class House:
    """Several services at work behind the front door, asked as a system client."""

    process: Process
    client: httpx.AsyncClient
    url: str
    token: str

    async def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.token}"}
        if path.startswith("/fhir"):
            headers["content-type"] = FHIR
        elif method == "POST":
            headers["idempotency-key"] = ids.new_id()
        return await self.client.request(
            method, path, content=None if body is None else json.dumps(body), headers=headers
        )

    async def done(self, path: str, body: Any, method: str = "POST") -> Any:
        answer = await self.ask(method, path, body)
        assert answer.is_success, answer.text
        return answer.json()

    async def make(self, resource: dict[str, Any]) -> str:
        """A resource of records; its id."""
        return (await self.done(f"/fhir/{resource['resourceType']}", resource))["id"]

    async def sql(self, query: str, *values: Any) -> list[Any]:
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetch(query, *values)
        finally:
            await connection.close()


@asynccontextmanager
async def house(
    postgres_url: str, key_file: Path, services: tuple[str, ...] = ("identity", "records")
) -> AsyncIterator[House]:
    wanted = (*services, "billing")
    async with database(postgres_url, key_file, wanted) as url:
        platform = Platform(database_url=url, key_file=str(key_file))
        async with assemble(platform, wanted, {}) as process:
            transport = httpx.ASGITransport(process.edge)  # pyright: ignore
            async with httpx.AsyncClient(
                transport=transport, base_url="http://clinic.test", timeout=60
            ) as client:
                token = await _token(client, RootKey.read(key_file))
                yield House(process, client, url, token)


async def _token(client: httpx.AsyncClient, root: RootKey) -> str:
    proof = jose.assertion(
        root.derive("operator"),
        issuer="operator",
        audience="polyclinic-operator",
        now=int(time.time()),
    )
    body = {"client": "tester", "scope": EVERYTHING, "assertion": proof}
    answer = await client.post("/identity/operator/token", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


async def until(look: Callable[[], Awaitable[Any]], seconds: float = 30) -> Any:
    """What `look` finds, as soon as it finds something: events take a moment."""
    end = time.monotonic() + seconds
    while not (found := await look()):
        assert time.monotonic() < end, "it never came"
        await asyncio.sleep(0.05)
    return found

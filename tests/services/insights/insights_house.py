"""Insights with the real records and identity in one process, behind the front door."""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import asyncpg
import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))
from service_door import EVERYTHING, operator_token

from databases import database
from polyclinic.assembly.process import Process, assemble
from polyclinic.foundation import clock
from polyclinic.foundation.settings import Platform
from polyclinic.foundation.vault import RootKey
from polyclinic.services.identity.domain.tokens import Holder, access_claims, sign_access
from polyclinic.services.insights.reactions import TYPES, VISIT

LAST_HEARD = """
    SELECT coalesce(max(seq), 0) AS seq FROM records.feed_entry
    WHERE split_part(subject, '/', 1) = ANY ($1)
"""
_numbers = itertools.count(1)
T = TypeVar("T")


@dataclass(repr=False)
class House:
    """The services at work, and who may ask them."""

    process: Process
    client: httpx.AsyncClient
    url: str
    root: RootKey
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def running(self) -> Any:
        return self.process.running["insights"]

    async def token(self, scope: str = EVERYTHING) -> str:
        return await operator_token(self.client, self.root, self.tokens, scope)

    async def person(self, role: str, who: str, scope: str) -> str:
        """A token as identity makes it for somebody who signed in."""
        identity = self.process.running["identity"].state
        await self.token()  # the first one has the key made
        assert identity.signing is not None
        holder = Holder(f"account-{who}", "portal", role, tuple(scope.split()), who)
        claims = access_claims(
            holder, issuer=identity.issuer, token_id=uuid4().hex, now=clock.now(), minutes=15
        )
        return sign_access(claims, identity.signing[0])

    async def clinician(self, name: str, *patients: str, scope: str = "user/*.cruds") -> str:
        """The token of a clinician who cares for these patients."""
        rows = [
            {"practitioner": f"Practitioner/{name}", "patient": f"Patient/{each}",
             "source": f"CareTeam/{name}"}
            for each in patients
        ]  # fmt: skip
        related = await self.send("POST", "/records/relations", {"relations": rows})
        assert related.is_success, related.text
        return await self.person("clinician", f"Practitioner/{name}", scope)

    async def send(
        self, method: str, path: str, body: Any = None, token: str = "", **headers: str
    ) -> httpx.Response:
        sent = {"authorization": f"Bearer {token or await self.token()}"}
        if method == "POST" and not path.startswith("/fhir"):
            sent["idempotency-key"] = f"key-{next(_numbers)}"
        sent["content-type"] = "application/json"
        if path.startswith("/fhir"):
            sent["content-type"] = "application/fhir+json"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        return await self.client.request(method, path, headers=sent, content=content)

    async def get(self, path: str, token: str = "") -> Any:
        answer = await self.send("GET", path, token=token)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def put(self, resource: dict[str, Any]) -> dict[str, Any]:
        """A resource under its own id."""
        path = f"/fhir/{resource['resourceType']}/{resource['id']}"
        answer = await self.send("PUT", path, resource)
        assert answer.is_success, answer.text
        return answer.json()

    async def found(self, search: str) -> list[Any]:
        return [each["resource"] for each in (await self.get(f"/fhir/{search}")).get("entry", ())]

    async def sql(self, query: str, *values: Any) -> list[Any]:
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetch(query, *values)
        finally:
            await connection.close()

    async def rested(self, seconds: float = 30) -> None:
        """Until nothing waits to be scored any more, and what was told has been noted.

        Of what insights does not listen to it hears with the next that it does, or 15 s later.
        """
        await until(self._numbered, seconds)
        last = await self.sql(LAST_HEARD, [*TYPES, VISIT])
        await until(lambda: self._noted(last[0]["seq"]), seconds)
        await until(self._done, seconds)

    async def _numbered(self) -> bool:
        return not await self.sql("SELECT FROM records.outbox LIMIT 1")

    async def _noted(self, seq: int) -> bool:
        rows = await self.sql("SELECT seq FROM insights.reading WHERE source = 'records'")
        return bool(rows) and rows[0]["seq"] >= seq

    async def _done(self) -> bool:
        rows = await self.sql("SELECT count(*) AS n FROM insights.work WHERE parked IS NULL")
        return rows[0]["n"] == 0


async def until(looked: Callable[[], Awaitable[T]], seconds: float = 30) -> T:
    """Waits until it is true, and says what it became."""
    end = time.monotonic() + seconds
    while not (found := await looked()):
        assert time.monotonic() < end, "it never came"
        await asyncio.sleep(0.02)
    return found


@asynccontextmanager
async def open_house(
    postgres_url: str,
    key_file: Path,
    *names: str,
    public_url: str | None = None,
    **environ: str,
) -> AsyncIterator[House]:
    wanted = names or ("identity", "records", "insights")
    async with database(postgres_url, key_file, wanted) as url:
        platform = Platform(database_url=url, key_file=str(key_file), public_url=public_url)
        async with assemble(platform, wanted, environ) as process:
            transport = httpx.ASGITransport(process.edge)  # pyright: ignore
            async with httpx.AsyncClient(
                transport=transport, base_url="http://clinic.test", timeout=60
            ) as client:
                yield House(process, client, url, RootKey.read(key_file))

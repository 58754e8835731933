"""A service as its clients meet it: over HTTP, on a database of its own, each with a token."""

import itertools
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from databases import database
from polyclinic.assembly.process import assemble
from polyclinic.foundation import jose
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.errors import Unauthenticated
from polyclinic.foundation.http import App
from polyclinic.foundation.settings import Platform
from polyclinic.foundation.vault import RootKey

_numbers = itertools.count(1)


def caller(role: str, person: str | None, *scopes: str, client: str = "test") -> Caller:
    name = f"{role}:{person or client}"
    return Caller(name, client, role, frozenset(scopes), person, f"t-{name}-{'-'.join(scopes)}")


def patient(name: str, *scopes: str) -> Caller:
    return caller("patient", f"Patient/{name}", *(scopes or ("patient/*.cruds",)))


def clinician(name: str) -> Caller:
    return caller("clinician", f"Practitioner/{name}", "user/*.cruds")


EVERYTHING = "system/*.cruds"


async def operator_token(
    client: httpx.AsyncClient, root: RootKey, tokens: dict[str, str], scope: str = EVERYTHING
) -> str:
    """What `polyclinic token` gives for a scope; asked for once and kept in `tokens`."""
    if scope not in tokens:
        proof = jose.assertion(
            root.derive("operator"), issuer="operator", audience="polyclinic-operator",
            now=int(time.time()),
        )  # fmt: skip
        name = "tester" if scope == EVERYTHING else f"narrow-{len(tokens)}"
        body = {"client": name, "scope": scope, "assertion": proof}
        answer = await client.post("/identity/operator/token", json=body)
        assert answer.status_code == 200, answer.text
        tokens[scope] = answer.json()["access_token"]
    return tokens[scope]


@dataclass(repr=False)
class ServiceDoor:
    """One service at work on a database of its own."""

    running: Any
    app: App
    url: str
    tokens: dict[str, Caller] = field(default_factory=dict)
    client: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        transport = httpx.ASGITransport(app=self.app)  # pyright: ignore
        self.client = httpx.AsyncClient(transport=transport, base_url="http://clinic.test")

    async def verify(self, token: str) -> Caller:
        if token not in self.tokens:
            raise Unauthenticated
        return self.tokens[token]

    async def ask(
        self, who: Caller, method: str, path: str, body: Any = None, **headers: str
    ) -> httpx.Response:
        """`body` goes as it is when it is bytes, else as JSON."""
        self.tokens[who.token_id] = who
        sent = {"authorization": f"Bearer {who.token_id}"}
        if method == "POST" and not path.startswith("/fhir"):
            sent["idempotency-key"] = f"key-{next(_numbers)}"
        if path.startswith("/fhir") and body is not None:
            sent["content-type"] = "application/fhir+json"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        return await self.client.request(method, path, headers=sent, **content)

    async def done(self, who: Caller, path: str, body: Any = None, **headers: str) -> Any:
        """A POST that must succeed; its answer."""
        answer = await self.ask(who, "POST", path, {} if body is None else body, **headers)
        assert answer.is_success, answer.text
        return answer.json()

    async def sql(self, query: str, *values: Any) -> list[Any]:
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetch(query, *values)
        finally:
            await connection.close()


@asynccontextmanager
async def at_work(
    service: str, cluster: tuple[str, Path], beside: ServiceDoor | None, environ: Mapping[str, str]
) -> AsyncIterator[tuple[Any, str]]:
    """A service on a new database, or a second process on that of another door; and its address."""
    postgres_url, key_file = cluster
    new = database(postgres_url, key_file, (service,))
    async with nullcontext(beside.url) if beside else new as url:
        platform = Platform(
            database_url=url, key_file=str(key_file), public_url="http://clinic.test"
        )
        async with assemble(platform, (service,), environ) as process:
            yield process.running[service], url


@asynccontextmanager
async def opened(door: ServiceDoor) -> AsyncIterator[None]:
    """Tokens are a test's own, until the door is shut."""
    door.running.callers = door
    async with door.client:
        yield

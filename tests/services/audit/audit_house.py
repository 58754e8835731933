"""Audit with real services in one process, behind the front door, and a superuser beside it."""

import asyncio
import base64
import io
import itertools
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from databases import database
from polyclinic.assembly.process import Process, assemble
from polyclinic.cli.auditing import verify
from polyclinic.cli.datafolder import operator_seed
from polyclinic.cli.operator import Operator
from polyclinic.foundation import clock, jose
from polyclinic.foundation.settings import Platform
from polyclinic.foundation.vault import RootKey
from polyclinic.services.audit.actions import gathering, signing
from polyclinic.services.identity.actions.signing import signing_key
from polyclinic.services.identity.domain import tokens
from polyclinic.services.identity.domain.scopes import BY_ROLE
from polyclinic.services.identity.domain.tokens import Holder

EVERYTHING = "system/*.cruds"
TRAILS = "system/audit.trails"
NAMES = ("identity", "records", "appointments", "billing", "integration", "audit")
_numbers = itertools.count(1)


@dataclass(repr=False)
class House:
    """The services at work, and who may ask them."""

    process: Process
    client: httpx.AsyncClient
    url: str
    root: RootKey
    anchors: Path
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def running(self) -> Any:
        return self.process.running["audit"]

    async def token(self, scope: str = EVERYTHING, client: str = "tester") -> str:
        key = f"{client} {scope}"
        if key not in self.tokens:
            proof = jose.assertion(
                self.root.derive("operator"), issuer="operator", audience="polyclinic-operator",
                now=int(time.time()),
            )  # fmt: skip
            body = {"client": client, "scope": scope, "assertion": proof}
            answer = await self.client.post("/identity/operator/token", json=body)
            assert answer.status_code == 200, answer.text
            self.tokens[key] = answer.json()["access_token"]
        return self.tokens[key]

    async def sign_in(self, user: str, role: str, person: str | None, name: str) -> str:
        """Makes an account and a token as identity gives one to whoever signs in by the portal."""
        account = {"user": user, "password": f"{user}-Aa1!-long", "role": role, "name": name}
        body = {"accounts": [{**account, "person": person}]}
        making = await self.token("system/identity.accounts", "accounts")
        answer = await self.client.post(
            "/identity/operator/accounts", json=body, headers={"authorization": f"Bearer {making}"}
        )
        assert answer.status_code == 200, answer.text
        identity: Any = self.process.running["identity"].state
        holder = Holder(
            answer.json()["accounts"][0]["id"], "portal", role, BY_ROLE[role], person
        )  # fmt: skip
        now = clock.now()
        claims = tokens.access_claims(
            holder, issuer=identity.issuer, token_id=str(uuid4()), now=now, minutes=15
        )
        return tokens.sign_access(claims, await signing_key(identity, now))

    async def send(
        self, method: str, path: str, body: Any = None, token: str = "", **headers: str
    ) -> httpx.Response:
        sent = {"authorization": f"Bearer {token or await self.token()}"}
        fhir = path.startswith("/fhir")
        if method == "POST" and not fhir:
            sent["idempotency-key"] = f"key-{next(_numbers)}"
        sent["content-type"] = "application/fhir+json" if fhir else "application/json"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        return await self.client.request(method, path, headers=sent, content=content)

    async def get(self, path: str, token: str = "") -> Any:
        answer = await self.send("GET", path, token=token)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def proven(self, path: str) -> Any:
        """What only provers may read."""
        return await self.get(path, await self.token(TRAILS, "prover"))

    async def put(self, resource: dict[str, Any]) -> None:
        path = f"/fhir/{resource['resourceType']}/{resource['id']}"
        answer = await self.send("PUT", path, resource)
        assert answer.is_success, answer.text

    async def look(self, name: str, times: int = 1) -> None:
        """Reads that leave rows in the log of records."""
        for _ in range(times):
            answer = await self.send("GET", f"/fhir/{name}")
            assert answer.status_code in (200, 404), answer.text

    async def gathered(self) -> int:
        """All that is logged is in the tree and signed; how many leaves there are."""
        engine = self.running.state
        # What is logged while others still write is gathered once these have ended.
        (begun,) = await self.sql("SELECT pg_snapshot_xmax(pg_current_snapshot()) AS tx")
        end = time.monotonic() + 30
        over = "SELECT pg_snapshot_xmin(pg_current_snapshot()) >= $1 AS now"
        while not (await self.sql(over, begun["tx"]))[0]["now"]:
            assert time.monotonic() < end, "somebody writes for ever"
            await asyncio.sleep(0.01)
        while await gathering.gather(engine):
            pass
        await signing.sign(engine)
        return (await self.sql("SELECT count(*) AS n FROM audit.entry"))[0]["n"]

    async def entries(self, after: int = -1) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while page := (await self.proven(f"/audit/entries?after={after}"))["entries"]:
            found += page
            after = page[-1]["seq"]
        return found

    @contextmanager
    def unwatched(self) -> Iterator[None]:
        """Nothing is gathered meanwhile, so that what is done to the rows stays as it is."""
        engine = self.running.state
        trails, engine.trails = engine.trails, Nobody()
        try:
            yield
        finally:
            engine.trails, engine.sound_until = trails, 0.0

    async def verified(self, *anchors: Path, key: str | None = None) -> tuple[int, str]:
        """What `polyclinic audit verify` ends with and prints."""
        transport = httpx.ASGITransport(self.process.edge)  # pyright: ignore
        operator = Operator("http://clinic.test", operator_seed(self.root), transport)
        printed = io.StringIO()
        with redirect_stdout(printed):
            code = await verify(operator, anchors or (self.anchors,), key)
        return code, printed.getvalue()

    async def sql(self, query: str, *values: Any) -> list[Any]:
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetch(query, *values)
        finally:
            await connection.close()

    async def tamper(self, statement: str, *values: Any) -> str:
        """As a superuser who gets around triggers."""
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute("SET session_replication_role = replica")
            return await connection.execute(statement, *values)
        finally:
            await connection.close()


class Nobody:
    """No service at all, as gathering sees it."""

    def services(self) -> tuple[str, ...]:
        return ()


def body_of(entry: dict[str, Any]) -> bytes:
    return base64.b64decode(entry["body"])


@asynccontextmanager
async def open_house(
    postgres_url: str, key_file: Path, anchors: Path, *names: str, **environ: str
) -> AsyncIterator[House]:
    wanted = names or NAMES
    async with database(postgres_url, key_file, wanted) as url:
        platform = Platform(database_url=url, key_file=str(key_file))
        settings = {"POLYCLINIC_AUDIT_ANCHOR_FILE": str(anchors), **environ}
        async with assemble(platform, wanted, settings) as process:
            transport = httpx.ASGITransport(process.edge)  # pyright: ignore
            async with httpx.AsyncClient(
                transport=transport, base_url="http://clinic.test", timeout=60
            ) as client:
                yield House(process, client, url, RootKey.read(key_file), anchors)

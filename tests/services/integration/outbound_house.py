"""Integration in a house, and a receiver on the loopback that answers as a test tells it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from databases import database
from polyclinic.assembly.process import Process, assemble
from polyclinic.foundation import jose
from polyclinic.foundation.settings import Platform
from polyclinic.foundation.vault import RootKey
from polyclinic.standards.hl7v2 import acknowledge, mllp, parse

FHIR = "application/fhir+json"
SERVICES = ("identity", "records", "integration")


@dataclass(frozen=True)
class Heard:
    """One request as the receiver got it."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """Somebody else's server. `answer` gives a status, and headers if there are any."""

    port: int = 0
    heard: list[Heard] = field(default_factory=list)
    answer: Callable[[Heard], Any] = lambda _: 204

    def url(self, path: str = "/in") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def at(self, path: str) -> list[Heard]:
        return [each for each in self.heard if each.path == path]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            lines = (line.split(": ", 1) for line in head[1:] if ": " in line)
            headers = {name.lower(): value for name, value in lines}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            heard = Heard(head[0].split(" ")[1], headers, body)
            self.heard.append(heard)
            said = self.answer(heard)
            if asyncio.iscoroutine(said):
                said = await said
            status, more = said if isinstance(said, tuple) else (said, {})
            lines = "".join(f"{name}: {value}\r\n" for name, value in more.items())
            writer.write(f"HTTP/1.1 {status} x\r\ncontent-length: 0\r\n{lines}\r\n".encode())
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    async with server:
        yield receiver


class System:
    """Somebody else's MLLP listener."""

    def __init__(self):
        self.port, self.heard, self.code, self.connections = 0, [], "AA", 0

    async def serve(self, reader, writer):
        self.connections += 1
        unframer = mllp.Unframer(1 << 20)
        while piece := await reader.read(65536):
            for each in (*unframer.feed(piece), *unframer.flush()):
                message = parse(each.payload)
                self.heard.append(message)
                if self.code == "silent":
                    writer.close()
                    return
                answer = acknowledge(message, self.code, control_id="1", at="20260101")
                writer.write(mllp.frame(answer.write()))
        writer.close()


@asynccontextmanager
async def listening():
    system = System()
    server = await asyncio.start_server(system.serve, "127.0.0.1", 0)
    system.port = server.sockets[0].getsockname()[1]
    async with server:
        yield system


@dataclass(repr=False)
class House:
    """Services behind the front door, asked as an operator unless told otherwise."""

    process: Process
    client: httpx.AsyncClient
    url: str
    root: RootKey
    token: str
    receiver: Receiver

    @property
    def engine(self) -> Any:
        return self.process.running["integration"].state

    async def ask(
        self, method: str, path: str, body: Any = None, token: str | None = None
    ) -> httpx.Response:
        headers = {"authorization": f"Bearer {token or self.token}", "content-type": FHIR}
        content = None if body is None else json.dumps(body)
        return await self.client.request(method, path, content=content, headers=headers)

    async def done(self, path: str, body: Any = None, method: str = "POST") -> Any:
        answer = await self.ask(method, path, body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def get(self, path: str) -> Any:
        return await self.done(path, method="GET")

    async def webhook(self, path: str, *events: str, **more: Any) -> Any:
        body = {"url": self.receiver.url(path), "events": list(events), **more}
        return await self.done("/integration/webhooks", body)

    async def sql(self, query: str, *values: Any) -> list[Any]:
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetch(query, *values)
        finally:
            await connection.close()

    async def token_for(self, scope: str, client: str = "tester") -> str:
        proof = jose.assertion(
            self.root.derive("operator"),
            issuer="operator",
            audience="polyclinic-operator",
            now=int(time.time()),
        )
        body = {"client": client, "scope": scope, "assertion": proof}
        answer = await self.client.post("/identity/operator/token", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["access_token"]

    async def tell(self, kind: str, *subjects: str, data: bytes = b"null") -> None:
        """Says something in the name of records, as its own statements do."""
        await self.sql(
            "INSERT INTO records.outbox (kind, subject, data) SELECT $1, s, $3"
            " FROM unnest($2::text[]) WITH ORDINALITY AS u(s, n) ORDER BY n",
            kind, list(subjects), data,
        )  # fmt: skip


@asynccontextmanager
async def open_house(
    postgres_url: str, key_file: Path, *services: str, also: str = "", **environ: str
) -> AsyncIterator[House]:
    wanted = services or SERVICES
    async with database(postgres_url, key_file, wanted) as url:
        platform = Platform(database_url=url, key_file=str(key_file))
        async with receiving() as receiver:
            ours = ",".join(filter(None, (receiver.url(""), also)))
            allowed = {"POLYCLINIC_INTEGRATION_OUTWARD_ALLOWED": ours}
            async with assemble(platform, wanted, {**allowed, **environ}) as process:
                transport = httpx.ASGITransport(process.edge)  # pyright: ignore
                async with httpx.AsyncClient(
                    transport=transport, base_url="http://clinic.test", timeout=60
                ) as client:
                    root = RootKey.read(key_file)
                    house = House(process, client, url, root, "", receiver)
                    house.token = await house.token_for("system/*.cruds")
                    yield house


async def until(look: Callable[[], Any], seconds: float = 30) -> Any:
    """What `look` finds, as soon as it finds something: events take a moment."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        assert time.monotonic() < end, "it never came"
        await asyncio.sleep(0.05)

"""Integration as senders and staff meet it, on a database of its own; effects are a test's."""

import asyncio
import itertools
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx

from polyclinic.assembly.process import assemble
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.errors import Unauthenticated
from polyclinic.foundation.http import App
from polyclinic.foundation.settings import Platform
from polyclinic.services.integration.actions.state import Came
from polyclinic.services.integration.domain.outcomes import Effect, Outcome

_numbers = itertools.count(1)
CHANNEL = """
name: adt
source: mllp
about: Admissions of the main house
accepts: [ADT, ORU^R01]
senders:
  - {application: HIS}
systems: {MAIN: "urn:oid:1.2.3"}
"""


def caller(role: str, person: str | None, *scopes: str, client: str = "test") -> Caller:
    name = f"{role}:{person or client}"
    return Caller(name, client, role, frozenset(scopes), person, f"t-{name}-{'-'.join(scopes)}")


ADMIN = caller("administrator", None)
OPERATOR = caller("system", None, "system/*.cruds")
SENDER = caller("system", None, "system/MessageHeader.c", client="his")
CLINICIAN = caller("clinician", "Practitioner/ana", "user/*.cruds")
DESK = caller("front-desk", "Practitioner/tom", "user/*.cruds")
PATIENT = caller("patient", "Patient/p1", "patient/*.cruds")


def message(
    control: str = "", mrn: str = "1001", trigger: str = "ADT^A08", *more: str, **header: str
) -> bytes:
    """A small message of the sender HIS."""
    control = control or f"C{next(_numbers):06}"
    app, facility = header.get("app", "HIS"), header.get("facility", "MAIN")
    modes = header.get("modes", "|")
    msh = (
        f"MSH|^~\\&|{app}|{facility}|POLY|CLINIC|20261128120000||{trigger}|{control}"
        f"|{header.get('processing', 'P')}|2.5.1|||{modes}"
    )
    pid = f"PID|1||{mrn}^^^MAIN^MR||{header.get('family', 'Keller')}^Maria"
    return "".join(f"{line}\r" for line in (msh, "EVN||20261128120000", pid, *more)).encode()


class Owners:
    """Stands for the owners: says what becomes of each message, and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[uuid.UUID, Any]] = []
        self.effects: dict[uuid.UUID, int] = {}
        self.say: Callable[[uuid.UUID, Any], Awaitable[Outcome] | Outcome] = self.agree

    def agree(self, message: uuid.UUID, _: Any) -> Outcome:
        self.effects.setdefault(message, len(self.effects))
        return Outcome("done", effects=(Effect(f"Patient/{message}", "created", "1"),),
                       patients=("Patient/p1",))  # fmt: skip

    async def __call__(self, _: Any, message: uuid.UUID, translation: Any, /) -> Outcome:
        self.asked.append((message, translation))
        said = self.say(message, translation)
        return said if isinstance(said, Outcome) else await said


@dataclass(repr=False)
class Door:
    """Integration at work; its worker asks `owners`."""

    running: Any
    app: App
    url: str
    owners: Owners
    tokens: dict[str, Caller] = field(default_factory=dict)
    client: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        transport = httpx.ASGITransport(app=self.app)  # pyright: ignore
        self.client = httpx.AsyncClient(transport=transport, base_url="http://clinic.test")

    async def verify(self, token: str) -> Caller:
        if token not in self.tokens:
            raise Unauthenticated
        return self.tokens[token]

    @property
    def engine(self) -> Any:
        return self.running.state

    async def ask(
        self, who: Caller, method: str, path: str, body: Any = None, **headers: str
    ) -> httpx.Response:
        """`body` goes as it is when it is bytes, else as JSON."""
        self.tokens[who.token_id] = who
        sent = {"authorization": f"Bearer {who.token_id}"}
        if method == "POST":
            sent["idempotency-key"] = f"key-{next(_numbers)}"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        return await self.client.request(method, path, headers=sent, **content)

    async def done(self, who: Caller, path: str, body: Any = None) -> Any:
        """A POST that must succeed; its answer."""
        answer = await self.ask(who, "POST", path, {} if body is None else body)
        assert answer.is_success, answer.text
        return answer.json()

    async def deploy(self, text: str = CHANNEL, **changes: str) -> Any:
        for name, value in changes.items():
            text += f"{name}: {value}\n"
        return await self.done(ADMIN, "/integration/channels", text.encode())

    async def receive(self, raw: bytes, channel: str = "adt") -> Any:
        return await self.engine.receive(Came(channel, "mllp", raw))

    async def state(self, message: uuid.UUID) -> str:
        rows = await self.sql("SELECT state FROM integration.message WHERE id = $1", message)
        return rows[0]["state"]

    async def until(self, message: uuid.UUID, *states: str, seconds: float = 30) -> str:
        """Waits until the message is in one of these states."""
        end = time.monotonic() + seconds
        while (found := await self.state(message)) not in states:
            assert time.monotonic() < end, f"it is still {found}"
            await asyncio.sleep(0.02)
        return found

    async def sql(self, query: str, *values: Any) -> list[Any]:
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetch(query, *values)
        finally:
            await connection.close()


@asynccontextmanager
async def open_door(
    postgres_url: str, key_file: Path, *, beside: "Door | None" = None, **environ: str
) -> AsyncIterator[Door]:
    """Integration on a new database, or a second process on that of another."""
    name = f"integration_{uuid.uuid4().hex}"
    url = beside.url if beside else urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}"))
    if beside is None:
        await run(postgres_url, f'CREATE DATABASE "{name}" STRATEGY FILE_COPY')
    platform = Platform(database_url=url, key_file=str(key_file), public_url="http://clinic.test")
    try:
        async with assemble(platform, ("integration",), environ) as process:
            running = process.running["integration"]
            door = Door(running, App(running), url, beside.owners if beside else Owners())
            running.callers = door  # pyright: ignore
            running.state.carry_out = door.owners
            async with door.client:
                yield door
    finally:
        if beside is None:
            await run(postgres_url, f'DROP DATABASE "{name}" WITH (FORCE)')


async def run(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()

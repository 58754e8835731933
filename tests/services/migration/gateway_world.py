"""A gateway between two small clinics that can be told to misbehave."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route as WebRoute

from databases import database
from polyclinic.assembly.process import assemble
from polyclinic.foundation import serving
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.errors import Unauthenticated
from polyclinic.foundation.http import App
from polyclinic.foundation.settings import Platform
from polyclinic.services.migration.listeners import open_gateway

SAM = Caller("sam", "test", "administrator", frozenset(), "Practitioner/sam", "t-sam")
ANA = Caller("ana", "test", "clinician", frozenset({"user/*.rs"}), "Practitioner/ana", "t-ana")


@dataclass
class Clinic:
    """A small clinic's web server; `spoil` changes what it would say of a patient."""

    name: str
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    status: int = 0
    delay: float = 0.0
    spoil: Any = None
    written: dict[str, str] = field(default_factory=dict)
    streamed: asyncio.Event = field(default_factory=asyncio.Event)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                WebRoute("/patients/{patient}", self.patient),
                WebRoute("/patients/{patient}/notes", self.note, methods=["POST"]),
                WebRoute("/search", self.search, methods=["POST"]),
                WebRoute("/stream", self.stream),
                WebRoute("/{path:path}", self.other, methods=["GET", "POST"]),
            ]
        )

    async def _begin(self, request: Request) -> Response | None:
        body = await request.body()
        self.seen.append((request.method, request.url.path, dict(request.headers), body))
        if self.delay:
            await asyncio.sleep(self.delay)
        return Response("no", self.status) if self.status else None

    async def patient(self, request: Request) -> Response:
        if (refused := await self._begin(request)) is not None:
            return refused
        name = request.path_params["patient"]
        chart: dict[str, Any] = {
            "id": name,
            "name": f"Lind {name}",
            "glucose": "90 mg/dL" if self.name == "legacy" else "5.0 mmol/L",
            "allergies": [{"substance": "Latex", "reaction": "Rash"}],
            "note": self.written.get(name),
        }
        if self.spoil is not None:
            self.spoil(chart)
        return JSONResponse(chart, headers={"x-clinic": self.name})

    async def note(self, request: Request) -> Response:
        if (refused := await self._begin(request)) is not None:
            return refused
        self.written[request.path_params["patient"]] = (await request.json())["text"]
        return JSONResponse({"kept": True}, 201)

    async def search(self, request: Request) -> Response:
        if (refused := await self._begin(request)) is not None:
            return refused
        return JSONResponse([{"id": (await request.json())["patient"]}])

    async def stream(self, request: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            yield b"first"
            await self.streamed.wait()
            yield b"second"

        return StreamingResponse(parts(), media_type="text/plain")

    async def other(self, request: Request) -> Response:
        if (refused := await self._begin(request)) is not None:
            return refused
        return JSONResponse({"clinic": self.name})


@dataclass
class World:
    """Both clinics, the service, and gateways in front of them."""

    legacy: Clinic
    candidate: Clinic
    running: Any
    app: App
    gateways: list[Any]
    tokens: dict[str, Caller] = field(default_factory=dict)
    count: int = 0

    async def begin(self) -> None:
        """As if nothing had happened yet."""
        for clinic in (self.legacy, self.candidate):
            clinic.seen.clear()
            clinic.written.clear()
            clinic.status, clinic.delay, clinic.spoil = 0, 0.0, None
        await self.compared()
        await self.running.database.execute(
            "TRUNCATE migration.route_rule, migration.promise, migration.sent, migration.tally,"
            " migration.legacy_use, migration.difference_example, migration.difference,"
            " migration.wavering, migration.incident, migration.feedback"
        )
        for gateway in self.gateways:
            gateway.plane.promised.clear()
            gateway.plane.serial = -1
            gateway.shadows._learned.clear()
        await self.look()

    async def verify(self, token: str) -> Caller:
        if token not in self.tokens:
            raise Unauthenticated
        return self.tokens[token]

    async def ask(self, method: str, path: str, at: int = 0, **more: Any) -> httpx.Response:
        """A request of a client of the old system, through a gateway."""
        transport = httpx.ASGITransport(app=self.gateways[at])  # pyright: ignore
        async with httpx.AsyncClient(transport=transport, base_url="http://old.test") as client:
            return await client.request(method, path, **more)

    async def read(self, patient: str, at: int = 0, **headers: str) -> str:
        """Which side answers a read of a patient."""
        answer = await self.ask("GET", f"/patients/{patient}", at, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.headers["x-answered-by"]

    async def lead(
        self, method: str, path: str, body: Any = None, who: Caller = SAM
    ) -> httpx.Response:
        """A request at the service's own door."""
        self.tokens[who.token_id] = who
        self.count += 1
        headers = {"authorization": f"Bearer {who.token_id}", "idempotency-key": f"k{self.count}"}
        transport = httpx.ASGITransport(app=self.app)  # pyright: ignore
        async with httpx.AsyncClient(transport=transport, base_url="http://clinic.test") as client:
            return await client.request(method, f"/migration{path}", json=body, headers=headers)

    async def declare(self, capability: str = "charts", **more: Any) -> None:
        body = {"routes": ROUTES, "reason": "test", "ladder": QUICK, **more}
        answer = await self.lead("PUT", f"/routes/{capability}", body)
        assert answer.status_code == 200, answer.text
        await self.look()

    async def move(self, *modes: str, capability: str = "charts") -> None:
        for mode in modes:
            body = {"mode": mode, "reason": "test"}
            answer = await self.lead("POST", f"/routes/{capability}/mode", body)
            assert answer.status_code == 200, answer.text
        await self.look()

    async def step(self, percent: int | None = None) -> httpx.Response:
        body = {"percent": percent, "reason": "test"}
        answer = await self.lead("POST", "/routes/charts/step", body)
        await self.look()
        return answer

    async def to(self, percent: int) -> None:
        while (await self.rule())["percent"] < percent:
            answer = await self.step()
            assert answer.status_code == 200, answer.text

    async def look(self) -> None:
        for gateway in self.gateways:
            await gateway.plane.look()

    async def compared(self) -> None:
        for gateway in self.gateways:
            await gateway.shadows.idle()
            await gateway.plane.tell()

    async def rule(self, capability: str = "charts") -> dict[str, Any]:
        return (await self.lead("GET", f"/routes/{capability}")).json()["rule"]

    async def differences(self) -> list[dict[str, Any]]:
        return (await self.lead("GET", "/differences")).json()["differences"]


def ladder(minutes: float, *percents: int) -> list[dict[str, Any]]:
    return [{"percent": p, "minutes": minutes if p else 0, "sample": 0} for p in percents]


QUICK = ladder(0, 0, 1, 5, 25, 50, 100)
ROUTES: list[dict[str, Any]] = [
    {
        "name": "chart",
        "method": "GET",
        "path": "/patients/{patient}",
        "unit": ["path:patient"],
        "compare": {
            "status": 1,
            "fields": [
                {"path": "id", "kind": "id", "severity": 1},
                {"path": "name", "kind": "text", "severity": 3},
                {"path": "glucose", "kind": "quantity", "analyte": "glucose", "severity": 1},
                {
                    "path": "allergies", "kind": "list", "severity": 1, "key": ["substance"],
                    "fields": [
                        {"path": "substance", "kind": "text", "severity": 1},
                        {"path": "reaction", "kind": "text", "severity": 1},
                    ],
                },
                {"path": "note", "kind": "text", "severity": 2},
            ],
        },
    },
    {"name": "note", "method": "POST", "path": "/patients/{patient}/notes",
     "unit": ["path:patient"]},
    {"name": "search", "method": "POST", "path": "/search", "reads": True,
     "unit": ["body:patient"]},
]  # fmt: skip


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@asynccontextmanager
async def serving_app(app: Any) -> AsyncIterator[str]:
    port = free_port()
    ready = asyncio.Event()
    task = asyncio.create_task(serving.serve(app, "127.0.0.1", port, ready.set))
    try:
        await ready.wait()
        yield f"http://127.0.0.1:{port}"
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def open_world(
    postgres_url: str, key_file: Any, apps: tuple[Any, Any] | None = None, settle: float = 0.05
) -> AsyncIterator[World]:
    """Two replicas of the gateway on a database of their own, before these two apps."""
    async with (
        database(postgres_url, key_file, ("migration",)) as url,
        _world(url, key_file, apps, settle) as world,
    ):
        yield world


@asynccontextmanager
async def _world(
    url: str, key_file: Any, apps: tuple[Any, Any] | None, settle: float
) -> AsyncIterator[World]:
    legacy, candidate = Clinic("legacy"), Clinic("candidate")
    legacy_app, candidate_app = apps or (legacy.app(), candidate.app())
    async with serving_app(legacy_app) as old, serving_app(candidate_app) as new:
        environ = {
            "POLYCLINIC_MIGRATION_LEGACY_URL": old,
            "POLYCLINIC_MIGRATION_CANDIDATE_URL": new,
            "POLYCLINIC_MIGRATION_SETTLE_SECONDS": str(settle),
            "POLYCLINIC_MIGRATION_CANDIDATE_SECONDS": "2",
        }
        platform = Platform(database_url=url, key_file=str(key_file))
        async with assemble(platform, ("migration",), environ) as process:
            running = process.running["migration"]
            async with contextlib.AsyncExitStack() as stack:
                gateways = [
                    await stack.enter_async_context(open_gateway(running)) for _ in range(2)
                ]
                world = World(legacy, candidate, running, App(running), gateways)
                running.callers.verify = world.verify  # pyright: ignore
                yield world


def decoded(answer: httpx.Response) -> Any:
    return msgspec.json.decode(answer.content)

"""A clinic of real processes: owners that stay, integration that dies and comes back, hospitals
that send messages over MLLP and HTTP, and somebody who is told what came of them.
"""

import asyncio
import itertools
import json
import os
import threading
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from honest_client import Honest
from message_senders import FEES, Mllp, Sender, Web
from nursery import Child, Nursery

from polyclinic.cli.operator import NotRunning, Operator
from polyclinic.standards.hl7v2 import parse

KILLED = -9
OWNERS = ("identity", "records", "appointments", "billing")
SYSTEM = "urn:oid:2.999.1.1"
CHANNEL = """
name: {0}
source: {1}
accepts: [ADT, ORU, ORM, SIU, DFT]
systems: {{WEST: "urn:oid:2.999.1.1", HIS: "urn:oid:2.999.1.3", LAB: "urn:oid:2.999.1.4"}}
"""
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_RULES = [
    {"weekday": day, "from": "09:00", "to": "17:00", "site": "main", "visit_types": ["visit"]}
    for day in _DAYS
]
WEEK = {
    "visit_types": [{"id": "visit", "name": "Visit", "minutes": 20, "every": 20}],
    "sites": [{"id": "main", "name": "Main", "time_zone": "UTC"}],
    "clinicians": [{"practitioner": "Practitioner/adams", "time_zone": "UTC", "rules": _RULES}],
}
DOCTOR = {"resourceType": "Practitioner", "id": "adams",
          "identifier": [{"system": SYSTEM, "value": "D1"}]}  # fmt: skip
_keys = itertools.count(1)


class Receiver:
    """Somebody's program that is told of bookings; it knows a repetition by its id."""

    def __init__(self) -> None:
        self.heard = heard = list[tuple[str, str, str]]()

        class Answers(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                what = body["data"].get("appointment", "").rpartition("/")[2]
                kind = body["type"].split(".")[-2]
                heard.append((self.headers["webhook-id"], kind, what))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def end(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Integration:
    """A process of integration that is going to die, again and again."""

    def __init__(self, begin: Callable[[tuple[int, str]], Child], port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._begin = begin
        self.process: Child | None = None

    def serve(self, number: int = 0, kind: str = "any") -> None:
        """Begins to serve; it dies at that moment of its kind, or never with 0."""
        self.process = self._begin((number, kind))
        end = time.monotonic() + 180
        while time.monotonic() < end:
            if (code := self.process.wait(0.02)) is not None:
                assert code == KILLED
                return
            try:
                if httpx.get(f"{self.url}/integration/health/ready", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                continue  # it does not listen yet, or no more
        raise AssertionError("integration is not ready")

    def dies_within(self, seconds: float) -> bool:
        """Whether it came to its moment; a rare one, such as a delivery, need not come."""
        assert self.process is not None
        code = self.process.wait(seconds)
        self.process.kill()
        assert code in (None, KILLED)
        return code is not None

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()


class World:
    """Owners that stay, integration that does not, senders, and somebody who is told."""

    def __init__(
        self, integration: Integration, receiver: Receiver, owners: str, token: str, mllp: int
    ) -> None:
        self.integration, self.receiver, self._token, self._mllp = (
            integration,
            receiver,
            token,
            mllp,
        )
        self.owners, self.door = Honest(owners, token), Honest(integration.url, token)
        self.stop = threading.Event()
        self.senders: list[Sender] = []

    def done(self, client: Honest, method: str, path: str, body: Any) -> None:
        kind = "application/fhir+json" if path.startswith("/fhir") else "application/json"
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"content-type": kind, "idempotency-key": f"key-{next(_keys)}"}
        answer = client.until_answered(method, path, content=content, headers=headers)
        assert answer.is_success, (path, answer.text)

    def prepare(self) -> None:
        fees = {"name": "List", "from_day": "2020-01-01", "currency": "USD", "csv": FEES}
        hook = {"url": f"{self.receiver.url}/in", "events": ["AppointmentBooked",
                                                             "AppointmentMoved"]}  # fmt: skip
        self.done(self.owners, "PUT", "/fhir/Practitioner/adams", DOCTOR)
        self.done(self.owners, "PUT", "/appointments/setup", WEEK)
        self.done(self.owners, "POST", "/billing/fee-schedules", fees)
        for name, source in (("hospital", "mllp"), ("web", "http")):
            content = CHANNEL.format(name, source).encode()
            self.done(self.door, "POST", "/integration/channels", content)
        self.done(self.door, "POST", "/integration/webhooks", hook)

    def begin(self, senders: int, pause: float) -> None:
        """They tell stories until `finish`; each waits so many seconds between two messages."""
        self.integration.end()
        for number in range(senders):
            way = Web(self.integration.url, self._token) if number == 0 else Mllp(self._mllp)
            self.senders.append(Sender(way, range(number, 10_000, senders), pause, self.stop))
        for each in self.senders:
            each.start()

    @property
    def events(self) -> int:
        return sum(len(each.acknowledged) for each in self.senders)

    def check_senders(self) -> None:
        broken = [each.error for each in self.senders if each.error is not None]
        assert not broken, broken

    def finish(self) -> None:
        """Whoever has begun a story ends it."""
        self.stop.set()
        for each in self.senders:
            each.join(600)
        self.check_senders()

    @property
    def acknowledged(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for each in self.senders:
            found |= {c: parse(raw).control_id for c, raw in each.acknowledged.items()}
        return found

    @property
    def told(self) -> list[int]:
        return [number for each in self.senders for number in each.told]

    def close(self) -> None:
        self.stop.set()
        self.receiver.end()
        self.owners.close()
        self.door.close()


@asynccontextmanager
async def world(
    folder: Path, url: str, key_file: Path, free_port: Callable[[], int]
) -> AsyncGenerator[World, None]:
    """Everything at work; the files of the processes are in the folder."""
    ports = [free_port() for _ in range(3)]
    owners, door = (f"http://127.0.0.1:{port}" for port in ports[:2])
    peers = [f"{name}={owners}" for name in OWNERS]
    kept = {n: v for n, v in os.environ.items() if not n.startswith("POLYCLINIC_")}
    surroundings = {**kept, "POLYCLINIC_DATABASE_URL": url, "POLYCLINIC_KEY_FILE": str(key_file),
                    "POLYCLINIC_PEERS": ",".join([*peers, f"integration={door}"]),
                    "POLYCLINIC_PUBLIC_URL": "http://clinic.test"}  # fmt: skip
    receiver = Receiver()
    nursery = Nursery(Path(__file__).with_name("dying_integration.py"))
    try:
        words = ["serve", *OWNERS, "--port", str(ports[0])]
        nursery.begin(words, surroundings, folder / "owners.txt")
        dies = surroundings | _settings(ports[2], receiver.url)

        def begin(moments: tuple[int, str]) -> Child:
            words = ["serve", "integration", "--port", str(ports[1])]
            return nursery.begin(words, dies, folder / "integration.txt", moments=moments)

        integration = Integration(begin, ports[1])
        integration.serve()
        token = await _token(owners, key_file)
        opened = World(integration, receiver, owners, token, ports[2])
        opened.prepare()
        yield opened
        opened.close()
    finally:
        nursery.end()


def _settings(mllp: int, receiver: str) -> dict[str, str]:
    """What a dead one held is anybody's soon, and nobody waits long to try again."""
    said = {"MLLP_PORT": str(mllp), "LEASE_SECONDS": "2", "RETRY_FIRST_SECONDS": "0.2",
            "OUTWARD_ALLOWED": receiver}  # fmt: skip
    return {f"POLYCLINIC_INTEGRATION_{name}": value for name, value in said.items()}


async def _token(identity: str, key_file: Path) -> str:
    end = time.monotonic() + 180
    async with Operator.of(key_file.parent, identity, key_file) as operator:
        while True:
            try:
                return await operator.token("kills", "system/*.cruds")
            except NotRunning:
                assert time.monotonic() < end, "identity is not there"
                await asyncio.sleep(0.1)

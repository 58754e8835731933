"""Killed at any moment of a message's way, integration loses none that it acknowledged, nor does
it anything twice: patients, bookings, results, charges and what receivers are told.

The messages come over MLLP and HTTP; PostgreSQL, the owners and every process are real.
"""

import asyncio
import itertools
import json
import os
import random
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from honest_client import Honest
from message_effects import House, differences, look
from message_senders import FEES, STORY, Mllp, Sender, Web

from polyclinic.standards.hl7v2 import parse

# Which moments are counted, and to how many; a message's whole way has some twenty.
MOMENTS = {"any": 40, "kept": 8, "owner": 20, "settled": 12, "out": 2}
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
    """A process of integration that is going to die, and the next one that waits for its turn."""

    def __init__(self, folder: Path, port: int, surroundings: dict[str, str]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._words = [sys.executable, str(Path(__file__).with_name("dying_integration.py")),
                       str(port)]  # fmt: skip
        self._surroundings, self._said = surroundings, (folder / "integration.txt").open("a")
        self.process = self._next = self._started()

    def _started(self) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self._words, stdin=subprocess.PIPE, stdout=self._said, stderr=self._said, text=True,
            env=self._surroundings,
        )  # fmt: skip

    def serve(self, moments: str = "0 any") -> None:
        """The one that waits begins to serve; it dies after so many moments, or never with 0."""
        self.process, self._next = self._next, self._started()
        assert self.process.stdin is not None
        self.process.stdin.write(f"{moments}\n")
        self.process.stdin.close()
        end = time.monotonic() + 180
        while time.monotonic() < end:
            if (code := self.process.poll()) is not None:
                assert code == KILLED
                return
            try:
                if httpx.get(f"{self.url}/integration/health/ready", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.02)
        raise AssertionError("integration is not ready")

    def dies_within(self, seconds: float) -> bool:
        """Whether it came to its moment; a rare one, such as a delivery, need not come."""
        try:
            assert self.process.wait(seconds) == KILLED
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(20)
            return False
        return True

    def end(self) -> None:
        for each in (self.process, self._next):
            each.kill()
            each.wait(10)
            if each.stdin and not each.stdin.closed:
                each.stdin.close()
        self._said.close()


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

    def begin(self, count: int) -> None:
        for number in range(count):
            way = Web(self.integration.url, self._token) if number == 0 else Mllp(self._mllp)
            self.senders.append(Sender(way, number, count, self.stop.is_set))
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


@contextmanager
def world(folder: Path, url: str, key_file: Path, free_port: Any):
    ports = [free_port() for _ in range(3)]
    owners, door = (f"http://127.0.0.1:{port}" for port in ports[:2])
    peers = [f"{name}={owners}" for name in OWNERS]
    kept = {n: v for n, v in os.environ.items() if not n.startswith("POLYCLINIC_")}
    surroundings = {**kept, "POLYCLINIC_DATABASE_URL": url, "POLYCLINIC_KEY_FILE": str(key_file),
                    "POLYCLINIC_PEERS": ",".join([*peers, f"integration={door}"]),
                    "POLYCLINIC_PUBLIC_URL": "http://clinic.test"}  # fmt: skip
    with (folder / "owners.txt").open("a") as said:
        words = [sys.executable, "-m", "polyclinic", "serve", *OWNERS, "--port", str(ports[0])]
        stays = subprocess.Popen(words, stdout=said, stderr=said, env=surroundings)
    receiver = Receiver()
    prefix = "POLYCLINIC_INTEGRATION_"
    dies = {f"{prefix}MLLP_PORT": str(ports[2]), f"{prefix}LEASE_SECONDS": "2",
            f"{prefix}OUTWARD_ALLOWED": receiver.url}  # fmt: skip
    integration = Integration(folder, ports[1], surroundings | dies)
    try:
        token = _token(owners, key_file)
        integration.serve()
        opened = World(integration, receiver, owners, token, ports[2])
        opened.prepare()
        yield opened
        opened.close()
    finally:
        integration.end()
        stays.kill()
        stays.wait(20)


def _token(identity: str, key_file: Path) -> str:
    words = ["token", "--url", identity, "--key-file", str(key_file), "--client", "kills",
             "--scope", "system/*.cruds"]  # fmt: skip
    end = time.monotonic() + 60
    while time.monotonic() < end:
        asked = subprocess.run([sys.executable, "-m", "polyclinic", *words],
                               capture_output=True, text=True, check=False)  # fmt: skip
        if asked.returncode == 0:
            return asked.stdout.splitlines()[-1]
        time.sleep(0.2)
    raise AssertionError(asked.stderr)


def killed(at_work: World, kills: int, events: int, senders: int) -> int:
    """At counted moments, and each fourth time by the clock, until there were enough of both;
    answers how many hit a counted moment."""
    chance, integration = random.Random(kills), at_work.integration
    integration.process.kill()
    at_work.begin(senders)
    count = hits = 0
    while count < kills or at_work.events < events:
        hits += integration.dies_within(20)
        at_work.check_senders()
        count += 1
        if count % 4 == 0:
            integration.serve()
            time.sleep(chance.uniform(0.1, 1.5))
            integration.process.kill()
        else:
            kind = chance.choice(list(MOMENTS))
            integration.serve(f"{chance.randint(1, MOMENTS[kind])} {kind}")
    integration.dies_within(20)
    integration.serve()
    at_work.finish()
    return hits


async def settled(at_work: World, url: str, seconds: float = 240) -> list[str]:
    """What is not as it must be, once everything had the time to become so."""
    end = time.monotonic() + seconds
    connection = await asyncpg.connect(url)
    try:
        while await connection.fetchval("SELECT count(*) FROM integration.queue"):
            assert time.monotonic() < end, "there is still something in the queue"
            await asyncio.sleep(0.1)
        waiting = "SELECT count(*) FROM integration.delivery WHERE state = 'waiting'"
        while len(set(at_work.receiver.heard)) < 2 * len(at_work.told) or (
            await connection.fetchval(waiting)
        ):
            assert time.monotonic() < end, "a receiver was not told of everything"
            await asyncio.sleep(0.1)
    finally:
        await connection.close()
    return await found(at_work, url)


async def found(at_work: World, url: str) -> list[str]:
    house: House = await look(url, at_work.owners, at_work.receiver.heard)
    return differences(house, at_work.acknowledged, at_work.told)


async def broken_on_purpose(at_work: World, url: str) -> None:
    """The checker notices a message that is lost, and each effect that is there twice."""
    owners, number = at_work.owners, at_work.told[0]
    mrn = f"K{number}"
    (patient,) = _resources(owners, f"Patient?identifier={mrn}")
    name = f"Patient/{patient['id']}"
    (charge, *_) = _resources(owners, f"ChargeItem?subject={name}&_count=1")
    again = {k: v for k, v in charge.items() if k not in ("id", "meta", "status")}
    at_work.done(owners, "POST", "/fhir/ChargeItem", {**again, "status": "billable"})
    assert _names(await found(at_work, url), f"{mrn} has the charges", f"{mrn} owes")
    (kept,) = _resources(owners, f"Observation?subject={name}")
    twice = {k: v for k, v in kept.items() if k not in ("id", "meta")}
    at_work.done(owners, "POST", "/fhir/Observation", twice)
    assert _names(await found(at_work, url), f"Observation {mrn} has the versions")
    at_work.done(owners, "PUT", f"/fhir/{name}", {**patient, "active": True})
    assert _names(await found(at_work, url), f"Patient {mrn} has the versions ['4']")
    at_work.receiver.heard.append(("another", *at_work.receiver.heard[0][1:]))
    assert _names(await found(at_work, url), "was told 2 times")
    sender = at_work.senders[0]
    control, said = sender.acknowledged.popitem()
    name = parse(said).control_id.encode()
    sender.acknowledged["never kept"] = said.replace(name, b"0" * len(name))
    assert control not in sender.acknowledged
    assert _names(await found(at_work, url), "never kept was acknowledged and is lost",
                  "1 messages are kept that nobody sent")  # fmt: skip


def _resources(owners: Honest, search: str) -> list[Any]:
    return [each["resource"] for each in owners.found(f"/fhir/{search}").get("entry", ())]


def _names(said: list[str], *parts: str) -> bool:
    return all(any(part in each for each in said) for part in parts)


async def test_kills_on_a_messages_way_lose_none_that_was_acknowledged_and_do_none_twice(
    tmp_path, new_database, key_file, free_port
):
    url = await new_database()
    with world(tmp_path, url, key_file, free_port) as at_work:
        assert killed(at_work, 6, 2 * STORY, senders=2) >= 3
        assert await settled(at_work, url) == []
        assert sum(each.unheard for each in at_work.senders) >= 1
        await broken_on_purpose(at_work, url)

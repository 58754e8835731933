"""A demo clinic that hears a hospital and leaves an old system: what its staff have to see to."""

import asyncio
import contextlib
import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import httpx
import yaml
from browser_door import Demo
from rich.console import Console

from polyclinic.cli import migrating, migration_moving, migration_rollout
from polyclinic.cli.migration_stage import Stage, answers, free_port
from polyclinic.cli.operator import Operator
from polyclinic.demo import people
from polyclinic.demo.legacy import kept
from polyclinic.foundation import clock
from polyclinic.standards.hl7v2 import parse

CHANNEL = """
name: harbour-hospital
source: http
about: Admissions, visits and results of the hospital across the harbour
accepts: [ADT, SIU, ORU, DFT]
senders: [{application: HARBOUR, facility: HOSP}]
clients: [browser]
systems: {HOSP: "urn:oid:2.999.5.1", NORTH: "https://northside.example/mrn"}
"""
NIGHT = """
name: night-laboratory
source: http
about: Results of the laboratory that works at night
accepts: [ORU]
clients: [browser]
expect: [{from: "00:00", until: "23:59", minutes: 1}]
"""
REGISTER = "urn:oid:2.999.5.1"
DOCTOR = "D1^Ruiz^Ana^^^Dr.^^^HOSP"
# The old clinic: its replacement shows these things otherwise, from severe to harmless.
ROWS, FAULTS = 1200, ("patient-old-street", "name-in-capitals", "problem-other-code")
START_SECONDS = 120
RESTING = ("done", "waiting", "parked", "ignored", "skipped")


class Hospital:
    """Sends messages over HTTP and waits until nobody works on them any more."""

    def __init__(self, demo: Demo) -> None:
        said = subprocess.run(
            [sys.executable, "-m", "polyclinic", "token", "--data", str(demo.data),
             "--client", "browser", "--scope", "system/*.cruds"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        headers = {"authorization": f"Bearer {said.stdout.split()[-1]}"}
        self.http = httpx.Client(base_url=demo.url, headers=headers, trust_env=False, timeout=60)
        self._controls = itertools.count(1)
        for text in (CHANNEL, NIGHT):
            self._sent("POST", "/integration/channels", content=text.encode())
        self.know("D1")

    def __enter__(self) -> "Hospital":
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def know(self, value: str) -> None:
        """From now on that number is Dr Ruiz's."""
        known = {"kind": "practitioner", "system": REGISTER, "value": value,
                 "target": people.ANA_RUIZ}  # fmt: skip
        self._sent("PUT", "/integration/directory", json=known)

    def raw(self, trigger: str, *lines: str) -> bytes:
        at = f"{clock.now():%Y%m%d%H%M%S}+0000"
        control = f"HH-{next(self._controls):06}"
        head = f"MSH|^~\\&|HARBOUR|HOSP|POLYCLINIC|NORTHSIDE|{at}||{trigger}|{control}|P|2.5.1"
        event = () if trigger[:3] in ("SIU", "ORU") else (f"EVN||{at}",)
        return "\r".join((head, *event, *lines, "")).encode()

    def send(self, content: bytes) -> str:
        """What the message is called afterwards."""
        path = "/integration/channels/harbour-hospital/messages"
        self._sent("POST", path, content=content, headers={"content-type": "application/hl7-v2"})
        control = parse(content).control_id
        for _ in range(300):
            asked = self._sent("GET", "/integration/messages", params={"control": control})
            [message] = asked["messages"]
            if message["state"] in RESTING:
                return message["id"]
            threading.Event().wait(0.1)
        raise AssertionError(f"{control} is still worked on")

    def _sent(self, method: str, path: str, **sent: Any) -> Any:
        answer = self.http.request(method, path, **sent)
        assert answer.is_success, (path, answer.status_code, answer.text)
        return answer.json() if "json" in answer.headers.get("content-type", "") else None

    def day(self) -> dict[str, str]:
        """One of each kind: what went well, what stopped, what waits, and what is not for us."""
        rowan = pid("H-20871^^^HOSP^MR", "Oakes^Rowan^T", "19710423")
        maria = pid("20411877^^^NORTH^MR", "Keller^Maria", "19680314")
        told = {
            "admitted": ("ADT^A04", rowan, pv1("V-1")),
            "result": ("ORU^R01", maria, *result("F-1", "4.1")),
            "no code": ("DFT^P03", maria, pv1("V-2"), charge("NOPE")),
            "no doctor": ("SIU^S12", *booking("D9^Stone^Una^^^Dr.^^^HOSP"), rowan),
            "alike": ("ADT^A04", pid("H-777^^^HOSP^MR", "Keller^Maria", "19680314"), pv1("V-3")),
            "unknown": ("ORU^R01", pid("H-9^^^HOSP^MR", "Nobody^Nora", "19500101"),
                        *result("F-9", "4.0")),
            "not for us": ("ADT^A99", rowan),
            "stopped": ("DFT^P03", rowan, pv1("V-1"), charge("")),
        }  # fmt: skip
        return {name: self.send(self.raw(*lines)) for name, lines in told.items()}


def pid(number: str, name: str, born: str) -> str:
    return f"PID|1||{number}||{name}||{born}|F"


def pv1(visit: str) -> str:
    return f"PV1|1|O|3W^301^A^HOSP||||{DOCTOR}|||MED|||||||||{visit}^^^HOSP^VN"


def result(order: str, value: str) -> tuple[str, str]:
    at = f"{clock.now() - timedelta(hours=2):%Y%m%d%H%M}+0000"
    obr = f"OBR|1||{order}^LAB|2823-3^Potassium^LN|||{at}" + 15 * "|" + f"{at}|||F"
    return obr, f"OBX|1|NM|2823-3^Potassium^LN||{value}|mmol/L|3.5-5.1||||F|||{at}"


def charge(code: str) -> str:
    named = f"{code}^Visit^L" if code else ""
    # Yesterday is over wherever the clinic is; today by our clock may be its tomorrow.
    line = f"FT1|1|T-1||{clock.today() - timedelta(days=1):%Y%m%d}||CG|{named}|||1|190.00"
    return line + 8 * "|" + f"E11.9^Diabetes^I10|{DOCTOR}"


def booking(doctor: str) -> tuple[str, ...]:
    begins = f"{clock.today() + timedelta(days=30):%Y%m%d}150000+0000"
    sch = f"SCH|P-1^HIS|F-1^SCHED|||||ROUTINE^Routine||20|min|^^20^{begins}" + 14 * "|" + "Booked"
    return sch, f"AIP|1||{doctor}|ADM|||{begins}|||20|min"


@contextlib.contextmanager
def old_clinic(folder: Path, port: int, faults: tuple[str, ...] = ()) -> Iterator[str]:
    """The old system in a process of its own."""
    words = ["--port", str(port), "--data", str(folder), "--rows", str(ROWS)]
    for fault in faults:
        words += ["--fault", fault]
    started = subprocess.Popen(
        [sys.executable, "-m", "polyclinic.demo.legacy", *words],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        started.terminate()
        started.wait(30)


def apart(work: Callable[[], Awaitable[Any]]) -> Any:
    """In a thread with a loop of its own: Playwright's fills this one."""
    made: list[Any] = []

    async def whole() -> None:
        made.append(await work())

    thread = threading.Thread(target=lambda: asyncio.run(whole()))
    thread.start()
    thread.join()
    assert made, "the work in the other thread broke off"
    return made[0]


@contextlib.contextmanager
def leaving(
    folder: Path, demo_clinic: Callable[..., contextlib.AbstractContextManager[Demo]]
) -> Iterator[Demo]:
    """The old clinic, its replacement with faults, and the demo clinic in between."""
    legacy, copy, gateway = (free_port() for _ in range(3))
    surroundings = {
        "POLYCLINIC_MIGRATION_GATEWAY_PORT": str(gateway),
        "POLYCLINIC_MIGRATION_LEGACY_URL": f"http://127.0.0.1:{legacy}",
        "POLYCLINIC_MIGRATION_CANDIDATE_URL": f"http://127.0.0.1:{copy}",
        "POLYCLINIC_MIGRATION_SETTLE_SECONDS": "0.5",
    }
    with (
        old_clinic(folder / "harbor", legacy) as old,
        old_clinic(folder / "copy", copy, FAULTS) as new,
        demo_clinic(surroundings=surroundings) as demo,
    ):
        Move(demo, folder, old, new, f"http://127.0.0.1:{gateway}").play()
        yield demo


class Move:
    """The demo clinic leaves Harbor Street: what `polyclinic migration demo` plays, so far."""

    def __init__(self, demo: Demo, folder: Path, legacy: str, copy: str, gateway: str) -> None:
        self._demo, self._folder = demo, folder
        self._legacy, self._copy, self._gateway = legacy, copy, gateway

    def play(self) -> None:
        apart(self._whole)

    async def _whole(self) -> None:
        async with Operator.of(self._demo.data, None, None) as operator:
            stage = Stage(self._folder, Console(quiet=True), self._legacy, self._copy,
                          self._gateway, operator)  # fmt: skip
            until = time.monotonic() + START_SECONDS
            await answers(f"{self._legacy}/", until)
            await answers(f"{self._copy}/", until)
            wanted = migrating.Wanted(
                "harbor-street", "Harbor Street Clinic",
                database=f"sqlite:///{stage.legacy / kept.FILE}",
            )  # fmt: skip
            await migrating.send(operator, wanted, await migrating.read(wanted))
            await _declared(operator)
            await migration_rollout.shadow(stage)
            await migration_rollout.canary(stage)
            await _looked_up(stage)
            await migration_moving.move(stage)
            await migration_moving.compare(stage)


async def _declared(operator: Operator) -> None:
    """Two more capabilities than the story has, compared but not moved."""
    text = (resources.files("polyclinic.demo") / "harbor_street.yaml").read_text()
    known = yaml.safe_load(text)["capabilities"]
    for name in ("patients", "problems", "meds"):
        said = {"reason": "The next slice.", "routes": known[name],
                "ladder": migration_rollout.LADDER}  # fmt: skip
        await migrating.put(operator, f"/migration/routes/{name}", said)
    for name in ("patients", "problems"):
        said = {"mode": "shadow", "reason": "Compare."}
        await migrating.post(operator, f"/migration/routes/{name}/mode", said)


async def _looked_up(stage: Stage) -> None:
    proof = ("skim", "harbor")
    async with httpx.AsyncClient(auth=proof, timeout=30, base_url=stage.gateway_url) as client:
        for number in range(20):
            base = f"/api/patient/HS-{100000 + number * 7}"
            await client.get(base)
            await client.get(f"{base}/problems")
    found: list[Any] = []
    for _ in range(100):
        found = (await migrating.get(stage.leader, "/migration/differences"))["differences"]
        if len(found) >= len(FAULTS):
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"only {len(found)} differences were found")

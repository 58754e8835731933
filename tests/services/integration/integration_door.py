"""Integration as senders and staff meet it, on a database of its own; effects are a test's."""

import asyncio
import itertools
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from service_door import ServiceDoor, at_work, caller, opened

from polyclinic.foundation.http import App
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
class Door(ServiceDoor):
    """Integration at work; its worker asks `owners`."""

    owners: Owners = field(default_factory=Owners)

    @property
    def engine(self) -> Any:
        return self.running.state

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


@asynccontextmanager
async def open_door(
    postgres_url: str, key_file: Path, *, beside: "Door | None" = None, **environ: str
) -> AsyncIterator[Door]:
    """Integration on a new database, or a second process on that of another."""
    cluster = (postgres_url, key_file)
    async with at_work("integration", cluster, beside, environ) as (running, url):
        door = Door(running, App(running), url, owners=beside.owners if beside else Owners())
        running.state.carry_out = door.owners
        async with opened(door):
            yield door

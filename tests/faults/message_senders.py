"""Systems that send messages as hospitals do: again and again until each is acknowledged.

Each patient has a story of twelve messages with known effects. What was acknowledged is written
down, and now and then sent once more: the acknowledgement must be that of the first time.
"""

import random
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from honest_client import Honest

from polyclinic.standards.hl7v2 import parse
from polyclinic.standards.hl7v2.mllp import Unframer, frame

STORY = 12  # messages of one patient
# A process that is to be killed may die several times before it acknowledges anything, and on a
# busy machine each start takes half a minute.
PATIENCE_SECONDS = 600
PRICES = {"Z1001": 120_00, "Z1002": 15_50}
FEES = "code,modifier,title,amount\nZ1001,,Visit,120.00\nZ1002,,Blood drawn,15.50\n"
_DOCTOR = "D1^Adams^Dora^^^Dr.^^^WEST"
_BEGINS = datetime(2027, 1, 4, tzinfo=UTC)


def slot(number: int, *, moved: bool) -> datetime:
    """Half an hour of one patient's own: nobody is in anybody's way."""
    return _BEGINS + timedelta(minutes=60 * number + 30 * moved)


def phone(number: int, change: int) -> str:
    return f"413555{number:04}{change}"


class Person:
    """One patient's messages, in order; `number` is theirs alone."""

    def __init__(self, number: int) -> None:
        self.number, self.mrn = number, f"K{number}"
        self._at = datetime(2026, 11, 1, 8, tzinfo=UTC)
        drawn = sha256(self.mrn.encode()).digest()  # nobody is like anybody else
        letters = "".join(chr(97 + each % 26) for each in drawn)
        born = datetime(1930, 1, 1, tzinfo=UTC) + timedelta(days=drawn[16] * 64 + drawn[17])
        self._name = f"{letters[:9].title()}^{letters[9:16].title()}||{born:%Y%m%d}|F"

    def story(self) -> Iterator[bytes]:
        yield self._message("ADT^A04", self._pid(1), self._visit())
        yield self._message("ADT^A08", self._pid(2), self._visit())
        yield self._message("SIU^S12", *self._booking(moved=False))
        yield self._message("ORM^O01", self._pid(), f"ORC|NW|P{self.mrn}^HIS", self._order())
        yield self._result("P", "4.1")
        yield self._message("SIU^S13", *self._booking(moved=True))
        yield self._charge("a", "Z1001", "CG")
        yield self._result("F", "4.4")
        yield self._charge("b", "Z1002", "CG")
        yield self._charge("c", "Z1001", "CD")
        yield self._message("ADT^A08", self._pid(3), self._visit())
        yield self._message("ADT^A03", self._pid(3), self._visit())

    def _message(self, trigger: str, *lines: str) -> bytes:
        self._at += timedelta(minutes=5)
        at = f"{self._at:%Y%m%d%H%M%S}+0000"
        control = f"{self.mrn}-{self._at:%H%M}"
        head = f"MSH|^~\\&|HIS|WEST|POLY|CLINIC|{at}||{trigger}|{control}|P|2.5.1"
        event = [] if trigger.startswith(("SIU", "ORM", "ORU")) else [f"EVN||{at}"]
        return "".join(f"{line}\r" for line in (head, *event, *lines)).encode()

    def _pid(self, change: int = 0) -> str:
        home = f"||||^PRN^PH^^^^^^^^^{phone(self.number, change)}" if change else ""
        return f"PID|1||{self.mrn}^^^WEST^MR||{self._name}{home and '|' + home}"

    def _visit(self) -> str:
        return f"PV1|1|O|3W^301^A^WEST||||{_DOCTOR}|||MED|||||||||V{self.mrn}^^^WEST^VN"

    def _order(self, status: str = "") -> str:
        told = f"{14 * '|'}20261101|||{status}" if status else ""
        code = "2823-3^Potassium^LN|||20261101090000+0000"
        return f"OBR|1|P{self.mrn}^HIS|F{self.mrn}^LAB|{code}{told}"

    def _result(self, status: str, value: str) -> bytes:
        line = f"OBX|1|NM|2823-3^Potassium^LN||{value}|mmol/L^mmol/L^UCUM|3.5-5.1||||{status}"
        lines = (self._pid(), self._order(status), f"{line}|||20261101091000+0000")
        return self._message("ORU^R01", *lines)

    def _booking(self, *, moved: bool) -> tuple[str, ...]:
        begins = slot(self.number, moved=moved)
        ends = begins + timedelta(minutes=30)
        times = [f"{each:%Y%m%d%H%M%S}+0000" for each in (begins, ends)]
        sch = f"SCH|P{self.mrn}^HIS|F{self.mrn}^SCHED|||||ROUTINE^Routine||30|min|^^30^"
        sch += "^".join(times) + 14 * "|" + "Booked"
        return sch, self._pid(), "RGS|1", f"AIP|1||{_DOCTOR}|ADM|||{times[0]}|||30|min"

    def _charge(self, line: str, code: str, kind: str) -> bytes:
        amount = f"{PRICES[code] / 100:.2f}"
        ft1 = f"FT1|1|{self.mrn}{line}||20261120||{kind}|{code}^Item^L|||1|{amount}"
        ft1 += 8 * "|" + f"E11.9^Diabetes^I10|{_DOCTOR}"
        return self._message("DFT^P03", self._pid(), self._visit(), ft1)


class Mllp:
    """One connection that waits for each acknowledgement; a lost one is made anew."""

    def __init__(self, port: int) -> None:
        self._port, self._plug = port, None

    def send(self, raw: bytes) -> bytes | None:
        """The acknowledgement, or none: it has to be sent again."""
        try:
            if self._plug is None:
                self._plug = socket.create_connection(("127.0.0.1", self._port), timeout=20)
            self._plug.sendall(frame(raw))
            unframer = Unframer()
            while piece := self._plug.recv(65536):
                if found := unframer.feed(piece):
                    return found[0].payload
        except OSError:
            pass  # it was killed: whoever sends tries again
        self.close()
        return None

    def close(self) -> None:
        if self._plug is not None:
            self._plug.close()
        self._plug = None


class Web:
    """The same over HTTP."""

    def __init__(self, url: str, token: str) -> None:
        self._http = Honest(url, token)

    def send(self, raw: bytes) -> bytes | None:
        path = "/integration/channels/web/messages"
        answer = self._http.until_answered("POST", path, seconds=PATIENCE_SECONDS, content=raw)
        assert answer.status_code == 200, answer.text
        return answer.content

    def close(self) -> None:
        self._http.close()


class Sender(threading.Thread):
    """Tells one patient's story after the other until it is told to stop; never half of one."""

    def __init__(self, way: Any, numbers: range, pause: float, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._way, self._numbers, self._pause, self._end = way, numbers, pause, stop
        self._chance = random.Random(numbers.start)
        self.acknowledged: dict[str, bytes] = {}  # control id → the acknowledgement
        self.told: list[int] = []  # whose stories were told
        self.repeated = self.unheard = 0
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            for number in self._numbers:
                if self._end.is_set():
                    break
                for raw in Person(number).story():
                    self._tell(raw)
                    self._end.wait(self._pause)
                self.told.append(number)
        except BaseException as error:  # noqa: BLE001 - told by the test that waits for it
            self.error = error
        finally:
            self._way.close()

    def _tell(self, raw: bytes) -> None:
        control = parse(raw).control_id
        self.acknowledged[control] = said = self._until_acknowledged(raw)
        answer = parse(said)
        assert (answer.get("MSA-1"), answer.get("MSA-2")) == ("AA", control), said
        if self._chance.random() < 0.25:
            self.repeated += 1
            assert self._until_acknowledged(raw) == said, f"{control} got another acknowledgement"

    def _until_acknowledged(self, raw: bytes) -> bytes:
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            if said := self._way.send(raw):
                return said
            self.unheard += 1
            time.sleep(0.04)
        raise AssertionError(f"nothing was acknowledged for {PATIENCE_SECONDS} s")

"""An open-loop generator: each request goes when it is due, however slowly others are answered.

`python -m bench.pace JOB PORT FIRST RATE:SECONDS…` sends at one pace after the other and prints one
JSON line, an object for each pace. A request takes an idle connection or opens a new one; times
count from when it was due, so that a server that stands still is not spared what it holds up.
"""

import asyncio
import contextlib
import json
import sys
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from bench.corpus import MARK
from bench.generator import length_of
from bench.load import read_job

CONNECTIONS_MAX = 1000  # a request beyond waits in the generator, and its time runs
PATIENCE = 10.0  # seconds after the last pace; what is not answered then is lost
TICK = 0.001
SLOW = 1.0  # seconds after which an answer came too late
_MARK = MARK.encode()


@dataclass
class Pace:
    """What became of the requests of one pace; times in seconds from when each was due."""

    rate: float
    seconds: float
    sent: int = 0
    lost: int = 0
    bare: int = 0  # sent away without a word of when to come again
    statuses: Counter[str] = field(default_factory=Counter[str])
    times: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    unwell: float = 0.0  # when the last that was not answered as wanted, or late, was due
    began: float = 0.0
    cpu: float = 0.0  # seconds of processor time that the generator itself used
    late: float = 0.0  # how far behind its plan the generator was, at worst

    def report(self) -> dict[str, Any]:
        """`good` are the wanted answers; `unwell` is when, after its begin, the last one was due
        that was sent away or waited longer than a second."""
        times = sorted(took for _, took in self.times) or [0.0]
        at = lambda share: times[min(len(times) - 1, int(len(times) * share))] * 1000  # noqa: E731
        return {
            "rate": self.rate, "seconds": self.seconds, "sent": self.sent, "lost": self.lost,
            "bare": self.bare, "statuses": dict(self.statuses), "good": len(self.times),
            "p50": at(0.5), "p99": at(0.99), "p999": at(0.999), "late": self.late * 1000,
            "cpu": self.cpu,
            "unwell": self.unwell,
        }  # fmt: skip


class Line(asyncio.Protocol):
    """One kept-alive connection; at most one request in flight."""

    def __init__(self, crowd: "Crowd") -> None:
        self._crowd = crowd
        self._buffer = bytearray()
        self._whole = 0
        self._asked: tuple[Pace, float] | None = None
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def ask(self, pace: Pace, due: float, content: bytes) -> None:
        self._asked = (pace, due)
        self._transport.write(content)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        if not self._whole and (end := buffer.find(b"\r\n\r\n")) >= 0:
            self._whole = length_of(bytes(buffer[:end]).lower(), end)
        if self._whole < 0 and buffer.endswith(b"\r\n0\r\n\r\n"):
            self._whole = len(buffer)
        if 0 < self._whole <= len(buffer):
            answer, self._buffer, self._whole = bytes(buffer), bytearray(), 0
            if self._asked is not None:
                asked, self._asked = self._asked, None
                self._crowd.answered(*asked, answer)
            self._crowd.idle(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._crowd.ended(self, self._asked[0] if self._asked else None)


class Crowd:
    """All who ask: they come when they come, and do not wait for each other."""

    def __init__(self, job: Path, port: int, first: int) -> None:
        expected, requests = read_job(job)
        self._expected = tuple(each.encode() for each in expected.split(","))
        self._parts = [each.split(_MARK, 1) for each in requests]
        self._port, self._number = port, first
        self._idle: list[Line] = []
        self._waiting: deque[tuple[Pace, float, bytes]] = deque()
        self._lines = 0
        self._open = 0  # asked and not answered
        self._ends = asyncio.Event()

    async def come(self, paces: list[Pace]) -> None:
        begins = time.perf_counter()
        for pace in paces:
            pace.began = begins
            await self._keep(pace)
            begins += pace.seconds
        self._ends.clear()
        if self._open:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ends.wait(), PATIENCE)
        for pace in paces:
            pace.lost = pace.sent - sum(pace.statuses.values())

    async def _keep(self, pace: Pace) -> None:
        until, used = pace.began + pace.seconds, time.process_time()
        while (now := time.perf_counter()) < until:
            self._send_due(pace, now)
            await asyncio.sleep(TICK)
        self._send_due(pace, until)  # what fell due while the machine stood still
        pace.cpu = time.process_time() - used

    def _send_due(self, pace: Pace, now: float) -> None:
        while (due := pace.began + pace.sent / pace.rate) < now:
            pace.late = max(pace.late, time.perf_counter() - due)
            pace.sent += 1
            self._send(pace, due)

    def _send(self, pace: Pace, due: float) -> None:
        self._number += 1
        content = (b"%012d" % self._number).join(self._parts[self._number % len(self._parts)])
        self._open += 1
        if self._idle:
            self._idle.pop().ask(pace, due, content)
            return
        self._waiting.append((pace, due, content))
        if self._lines < CONNECTIONS_MAX:
            self._lines += 1
            task = asyncio.ensure_future(self._connect())
            task.add_done_callback(lambda done: done.exception())

    async def _connect(self) -> None:
        try:
            loop = asyncio.get_running_loop()
            _, line = await loop.create_connection(lambda: Line(self), "127.0.0.1", self._port)
        except OSError:
            self._lines -= 1
            raise
        self.idle(line)

    def idle(self, line: Line) -> None:
        if self._waiting:
            line.ask(*self._waiting.popleft())
        else:
            self._idle.append(line)

    def _one_less(self) -> None:
        self._open -= 1
        if not self._open:
            self._ends.set()

    def answered(self, pace: Pace, due: float, answer: bytes) -> None:
        self._one_less()
        status = answer[9:12].decode()
        pace.statuses[status] += 1
        took = time.perf_counter() - due
        is_good = answer[9:].startswith(self._expected)
        if is_good:
            pace.times.append((due - pace.began, took))
        elif status == "503" and b"\r\nretry-after:" not in answer.lower():
            pace.bare += 1
        if not is_good or took > SLOW:
            pace.unwell = max(pace.unwell, due - pace.began)

    def ended(self, line: Line, pace: Pace | None) -> None:
        self._lines -= 1
        if pace is not None:
            self._one_less()
            pace.statuses["cut"] += 1
        elif line in self._idle:
            self._idle.remove(line)


async def run(job: Path, port: int, first: int, paces: list[Pace]) -> None:
    await Crowd(job, port, first).come(paces)
    print(json.dumps([pace.report() for pace in paces]))


if __name__ == "__main__":
    file, to, since, *words = sys.argv[1:]
    plan = [Pace(*map(float, word.split(":"))) for word in words]
    uvloop.run(run(Path(file), int(to), int(since), plan))

"""Our own load generator: a process that only sends bytes made before and counts the answers.

`python -m bench.generator JOB PORT CONNECTIONS SECONDS FIRST RATE` prints one line of JSON.
"""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvloop

from bench.corpus import MARK
from bench.load import Pressure, read_job

_MARK = MARK.encode()


class Tally:
    """All answers of all connections; nothing is sent any more once the time is over."""

    def __init__(self, job: Path, first: int, pressure: Pressure) -> None:
        expected, requests = read_job(job)
        self.expected = expected.encode()
        self.parts = [each.split(_MARK, 1) for each in requests]
        self.numbers: Iterator[int] = itertools.count(first + 1)
        self.first, self.rate = first, pressure.rate
        self.began = time.perf_counter()
        self.until = self.began + pressure.seconds
        self.times: list[float] = []
        self.failed = 0
        self.last = 0.0

    def next(self) -> tuple[bytes, float]:
        """A request and when it is due, which is long past when no pace is kept."""
        number = next(self.numbers)
        due = self.began + (number - self.first - 1) / self.rate if self.rate else 0.0
        return (b"%012d" % number).join(self.parts[number % len(self.parts)]), due

    def report(self) -> dict[str, float]:
        seconds = max(self.last - self.began, 1e-9)
        times = sorted(self.times) or [0.0]
        return {
            "rate": len(self.times) / seconds,
            "p50": times[len(times) // 2] * 1000,
            "p99": times[min(len(times) - 1, len(times) * 99 // 100)] * 1000,
            "answered": len(self.times),
            "failed": self.failed,
            "seconds": seconds,
        }


class Line(asyncio.Protocol):
    """One kept-alive connection with one request in flight."""

    def __init__(self, tally: Tally, ended: asyncio.Future[None]) -> None:
        self._tally, self._ended = tally, ended
        self._buffer = bytearray()
        self._whole = 0  # length of the answer in the buffer; 0 while its head is incomplete
        self._sent = 0.0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        if not self._whole and (end := buffer.find(b"\r\n\r\n")) >= 0:
            self._whole = length_of(bytes(buffer[:end]).lower(), end)
        if self._whole < 0 and buffer.endswith(b"\r\n0\r\n\r\n"):
            self._whole = len(buffer)
        if 0 < self._whole <= len(buffer):
            self._answered()

    def connection_lost(self, _: Exception | None) -> None:
        if not self._ended.done():
            self._tally.failed += 1
            self._ended.set_result(None)

    def _answered(self) -> None:
        now = time.perf_counter()
        if self._buffer[9:].startswith(self._tally.expected):
            self._tally.times.append(now - self._sent)
        else:
            self._tally.failed += 1
        self._tally.last = now
        self._buffer.clear()
        self._whole = 0
        self._send()

    def _send(self) -> None:
        content, due = self._tally.next()
        now = time.perf_counter()
        if max(now, due) >= self._tally.until:
            self._ended.set_result(None)
            self._transport.close()
        elif due > now:
            asyncio.get_running_loop().call_later(due - now, self._write, content, due)
        else:
            # Who keeps a pace and comes late has waited since it was due.
            self._write(content, due or now)

    def _write(self, content: bytes, since: float) -> None:
        self._sent = since
        self._transport.write(content)


def length_of(head: bytes, end: int) -> int:
    """Bytes of the whole answer; -1 when it comes in chunks."""
    for line in head.split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return end + 4 + int(line[15:])
        if line.startswith(b"transfer-encoding:"):
            return -1
    return end + 4


async def press(job: Path, port: int, first: int, pressure: Pressure) -> None:
    loop = asyncio.get_running_loop()
    tally = Tally(job, first, pressure)
    ends = [loop.create_future() for _ in range(pressure.connections)]
    for ended in ends:
        await loop.create_connection(lambda e=ended: Line(tally, e), "127.0.0.1", port)
    await asyncio.wait_for(asyncio.gather(*ends), pressure.seconds + 120)
    print(json.dumps(tally.report()))


if __name__ == "__main__":
    file, port, connections, seconds, first, rate = sys.argv[1:]
    asked = Pressure(int(connections), int(seconds), int(rate))
    uvloop.run(press(Path(file), int(port), int(first), asked))

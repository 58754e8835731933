"""Our own load generator: a process that only sends bytes made before and counts the answers.

`python -m bench.generator JOB PORT CONNECTIONS SECONDS FIRST` prints one line of JSON.
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
from bench.load import read_job

_MARK = MARK.encode()


class Tally:
    """All answers of all connections; nothing is sent any more once the time is over."""

    def __init__(self, requests: list[bytes], first: int, until: float) -> None:
        self.parts = [each.split(_MARK, 1) for each in requests]
        self.numbers: Iterator[int] = itertools.count(first + 1)
        self.until = until
        self.times: list[float] = []
        self.failed = 0
        self.last = 0.0

    def next(self) -> bytes:
        number = next(self.numbers)
        return (b"%012d" % number).join(self.parts[number % len(self.parts)])

    def report(self, began: float) -> dict[str, float]:
        seconds = max(self.last - began, 1e-9)
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
            self._whole = _length(bytes(buffer[:end]).lower(), end)
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
        if self._buffer[9:10] == b"2":
            self._tally.times.append(now - self._sent)
        else:
            self._tally.failed += 1
        self._tally.last = now
        self._buffer.clear()
        self._whole = 0
        if now < self._tally.until:
            self._send()
        else:
            self._ended.set_result(None)
            self._transport.close()

    def _send(self) -> None:
        content = self._tally.next()
        self._sent = time.perf_counter()
        self._transport.write(content)


def _length(head: bytes, end: int) -> int:
    """Bytes of the whole answer; -1 when it comes in chunks."""
    for line in head.split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return end + 4 + int(line[15:])
        if line.startswith(b"transfer-encoding:"):
            return -1
    return end + 4


async def press(job: Path, port: int, connections: int, seconds: float, first: int) -> None:
    loop = asyncio.get_running_loop()
    requests = read_job(job)
    began = time.perf_counter()
    tally = Tally(requests, first, began + seconds)
    ends = [loop.create_future() for _ in range(connections)]
    for ended in ends:
        await loop.create_connection(lambda e=ended: Line(tally, e), "127.0.0.1", port)
    await asyncio.wait_for(asyncio.gather(*ends), seconds + 120)
    print(json.dumps(tally.report(began)))


if __name__ == "__main__":
    words = sys.argv[1:]
    uvloop.run(press(Path(words[0]), int(words[1]), int(words[2]), float(words[3]), int(words[4])))

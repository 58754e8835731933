"""One load generator for every side: `wrk` where it is installed, else our own; never both.

A job is a file of whole HTTP requests, sent round and round over kept-alive connections. Where a
request holds the mark of the corpus, each sending writes a new number there. The first line says
how the status of a wanted answer begins; every other answer has failed.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROUND = Path(__file__).with_name("round.lua")
SUCCESS = "2"


@dataclass(frozen=True)
class Load:
    """What a block of load got; times in milliseconds, `busy` is the generator's CPU share."""

    rate: float
    p50: float
    p99: float
    answered: int
    failed: int
    seconds: float
    busy: float


@dataclass(frozen=True)
class Pressure:
    """How hard a block presses: over how many connections, for how long; at best or steadily."""

    connections: int
    seconds: int
    rate: int = 0  # requests a second, each in its turn; 0 is as many as are answered


def request(
    method: str, target: str, host: str, token: str | None = None, body: bytes = b""
) -> bytes:
    """One whole HTTP/1.1 request."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Accept: application/fhir+json"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if body:
        lines += ["Content-Type: application/fhir+json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def save_job(file: Path, requests: Sequence[bytes], expected: str = SUCCESS) -> Path:
    with file.open("wb") as out:
        out.write(f"{expected}\n".encode())
        for each in requests:
            out.write(b"%d\n" % len(each) + each)
    return file


def read_job(file: Path) -> tuple[str, list[bytes]]:
    """Which statuses are expected, and the requests."""
    requests: list[bytes] = []
    with file.open("rb") as content:
        expected = content.readline().decode().strip()
        while line := content.readline():
            requests.append(content.read(int(line)))
    return expected, requests


def generator_name() -> str:
    return "wrk" if shutil.which("wrk") else "our own generator (wrk is not installed)"


def drive(job: Path, port: int, pressure: Pressure, first: int) -> Load:
    """Presses for some seconds; `first` is where the numbers of marked requests begin."""
    if (wrk := shutil.which("wrk")) and not pressure.rate:  # wrk cannot keep a pace
        words = [wrk, "-t1", f"-c{pressure.connections}", f"-d{pressure.seconds}s"]
        words += ["--timeout", "10s", "-s", str(ROUND), f"http://127.0.0.1:{port}"]
        return _measured([*words, "--", str(job), str(first)])
    return drive_whole(job, port, pressure, first)


def drive_whole(job: Path, port: int, pressure: Pressure, first: int) -> Load:
    """Our own generator: waits for what is in flight at the end, so big requests count whole."""
    words = [sys.executable, "-m", "bench.generator", str(job), str(port)]
    numbers = (pressure.connections, pressure.seconds, first, pressure.rate)
    return _measured([*words, *map(str, numbers)])


def _measured(words: list[str]) -> Load:
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    said, wrong = process.stdout.read(), process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    process.stderr.close()
    lines = [line for line in said.splitlines() if line.startswith('{"rate"')]
    if process.returncode or not lines:
        raise RuntimeError(f"the load generator failed: {wrong or said}")
    got = json.loads(lines[-1])
    return Load(**got, busy=(used.ru_utime + used.ru_stime) / got["seconds"])

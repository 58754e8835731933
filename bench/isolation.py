"""Does a rush on bookings slow the records down? `make bench-isolation` measures and draws it.

Records (70 % reads, 20 % searches, 10 % creates) are asked at 30 % of what they can do, open loop,
while bookings of hot places come at up to eight times what appointments can do. Three ways to run
both: one process; processes and clusters apart; apart with processor weights. The control replaces
the rush by loops that use as much of the processor: what remains is the price of sharing cores.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil
import uvloop

from bench.bookings import Clinic
from bench.corpus import charts
from bench.isolation_table import ARMS, Plan, Step, draw, errors, markdown
from bench.load import Pressure, drive_whole, save_job
from bench.platform import SCOPE, free_port
from bench.server import Server, WrongAnswer
from bench.shares import LESS, MORE, Shares
from polyclinic.foundation.postgres import EmbeddedPostgres
from polyclinic.foundation.vault import RootKey

SHARE = 0.3  # of what records can do alone
RECORDS, BOOKINGS = ("identity", "records"), ("appointments",)


@dataclass
class World:
    """Records and appointments at work, and how to press each."""

    folder: Path
    records: psutil.Process
    appointments: psutil.Process
    ports: tuple[int, int]
    clusters: tuple[int, ...]
    shares: Shares | None = None
    capacity: dict[str, float] = field(default_factory=dict[str, float])

    def job(self, name: str) -> Path:
        return self.folder / f"{name}.job"

    def pressing(self) -> list[psutil.Process]:
        """Who works for bookings, beside their generator."""
        found = [self.appointments]
        if len(self.clusters) > 1:
            postmaster = psutil.Process(self.clusters[1])
            found += [postmaster, *postmaster.children()]
        return found


@contextlib.asynccontextmanager
async def world(folder: Path, *, apart: bool, weighted: bool) -> AsyncIterator[World]:
    """Everything started, loaded and warm; gone afterwards."""
    key = folder / "root.key"
    RootKey.create(key)
    shares = Shares() if weighted else None
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(shares.close if shares else lambda: None)
        urls, clusters = [], []
        for number in range(2 if apart else 1):
            postgres = EmbeddedPostgres(folder / f"data-{number}")
            urls.append(await postgres.start())
            stack.push_async_callback(postgres.stop)
            assert postgres.pid is not None
            clusters.append(postgres.pid)
            if shares:
                family = (postgres.pid, *(p.pid for p in psutil.Process(postgres.pid).children()))
                shares.give(LESS if number else MORE, family)
        ports = (free_port(), free_port()) if apart else (free_port(),) * 2
        base = {"POLYCLINIC_KEY_FILE": str(key)}
        names = RECORDS if apart else (*RECORDS, *BOOKINGS)
        peers = [f"appointments=http://127.0.0.1:{ports[1]}"] if apart else []
        records = _serve(stack, folder, names, ports[0], urls[0], base, peers)
        appointments = records
        await asyncio.to_thread(_await_ready, ports[0])
        if apart:
            peers = [f"{name}=http://127.0.0.1:{ports[0]}" for name in RECORDS]
            appointments = _serve(stack, folder, BOOKINGS, ports[1], urls[1], base, peers)
        if shares:
            shares.give(MORE, [records.pid])
            shares.give(LESS, [appointments.pid])
        made = World(folder, records, appointments, ports, tuple(clusters), shares)
        await asyncio.to_thread(_prepare, made, key)
        yield made


def _serve(stack, folder: Path, names, port: int, url: str, base, peers) -> psutil.Process:
    told = {**base, "POLYCLINIC_DATABASE_URL": url, "POLYCLINIC_PEERS": ",".join(peers)}
    log = stack.enter_context((folder / f"{names[-1]}.log").open("wb"))
    words = [sys.executable, "-m", "polyclinic", "serve", *names, "--port", str(port)]
    process = psutil.Popen(words, stdout=log, stderr=log, env={**os.environ, **told})

    def stop() -> None:
        process.terminate()
        try:
            process.wait(30)
        except psutil.TimeoutExpired:
            process.kill()

    stack.callback(stop)
    return process


def _prepare(made: World, key: Path) -> None:
    """Waits, loads charts and a week, writes the jobs and measures what each side can do alone."""
    _await_ready(made.ports[1])
    front = f"http://127.0.0.1:{made.ports[0]}"
    words = ["token", "--url", front, "--key-file", str(key), "--client", "bench", "--scope", SCOPE]
    said = subprocess.run(
        [sys.executable, "-m", "polyclinic", *words], capture_output=True, text=True, check=True
    )
    token = said.stdout.splitlines()[-1]
    server = Server("records", f"{front}/fhir", token)
    for each in charts(10, 330):
        server.load(each)
    save_job(made.job("records"), mixed(server.jobs()))
    clinic = Clinic(f"http://127.0.0.1:{made.ports[1]}", token)
    _until_known(clinic)
    spread, _ = clinic.job("spread", Pressure(1, 1, 200))
    clinic.check()
    hot, _ = clinic.job("hot", Pressure(1, 1))
    # Mostly refusals, as in a rush; a place that somebody has is asked for again with its key.
    save_job(made.job("bookings"), [*hot[:1800], *spread[:200]], "409,201")
    for name, port in zip(("records", "bookings"), made.ports, strict=True):
        drive_whole(_plain(made, name), port, Pressure(16, 1), 10_000_000)
        load = drive_whole(_plain(made, name), port, Pressure(32, 3), 20_000_000)
        made.capacity[name] = load.rate


def _until_known(clinic: Clinic) -> None:
    """A process that has just begun does not know yet whose tokens were taken back."""
    until = time.monotonic() + 60
    while True:
        try:
            return clinic.open()
        except WrongAnswer:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def _plain(made: World, name: str) -> Path:
    """What a side can do is told by its usual answer."""
    if name == "records":
        return made.job(name)
    content = made.job(name).read_bytes().split(b"\n", 1)[1]
    file = made.folder / "hot.job"
    # A booking is as good as a refusal here: both begin with the digits 4 or 2 alone.
    file.write_bytes(b"\n" + content)
    return file


def mixed(jobs: dict[str, list[bytes]]) -> list[bytes]:
    """Of ten requests seven are reads, two searches and one a create; the same in every run."""
    dice = random.Random("mixed")
    found = [
        *(dice.choice(jobs["reads"]) for _ in range(1400)),
        *(dice.choice(jobs["searches"]) for _ in range(400)),
        *(dice.choice(jobs["creates"]) for _ in range(200)),
    ]
    dice.shuffle(found)
    return found


def _await_ready(port: int) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        with contextlib.suppress(OSError, Exception):
            server = Server("any", f"http://127.0.0.1:{port}", None)
            if server.ask("GET", "/health/ready")[0] == 200:
                return
        time.sleep(0.1)
    raise RuntimeError(f"no service came up on port {port}")


def press(made: World, name: str, port: int, rate: float, seconds: int, first: int):
    words = [sys.executable, "-m", "bench.pace", str(made.job(name)), str(port), str(first)]
    process = subprocess.Popen(
        [*words, f"{max(rate, 1)}:{seconds}"], stdout=subprocess.PIPE, text=True
    )
    if made.shares:
        made.shares.give(MORE if name == "records" else LESS, [process.pid])
    return process


def result(process: "subprocess.Popen[str]") -> dict[str, Any]:
    said, _ = process.communicate()
    if process.returncode:
        raise RuntimeError("a load generator failed")
    [found] = json.loads(said)
    return found


def used(processes: list[psutil.Process]) -> float:
    total = 0.0
    for each in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            total += times.user + times.system
    return total


def step(made: World, arm: str, level: float, repeat: int, plan: Plan, cores: float = 0.0) -> Step:
    """One level; with `cores`, loops that use so many stand for the rush."""
    first = random.Random(f"{arm}{level}{repeat}").randrange(1, 90_000) * 1_000_000
    before, began = used(made.pressing()), time.monotonic()
    rush: subprocess.Popen[str] | None = None
    hog: subprocess.Popen[bytes] | None = None
    if cores > 0.01:
        hog = subprocess.Popen([sys.executable, "-m", "bench.hog", f"{cores:.3f}"])
        if made.shares:
            made.shares.give(LESS, [hog.pid])
    elif level:
        rate = level * made.capacity["bookings"]
        rush = press(made, "bookings", made.ports[1], rate, plan.seconds, first)
    try:
        rate = SHARE * made.capacity["records"]
        asked = press(made, "records", made.ports[0], rate, plan.seconds, first)
        records, bookings = result(asked), result(rush) if rush else None
    finally:
        if hog is not None:
            for each in (*psutil.Process(hog.pid).children(), psutil.Process(hog.pid)):
                each.kill()
            hog.wait()
    took = time.monotonic() - began
    busy = (used(made.pressing()) - before + (bookings["cpu"] if bookings else 0.0)) / took
    return Step(arm, level, repeat, records, bookings, busy if made.appointments else 0.0)


async def arm_steps(
    name: str, plan: Plan, folder: Path
) -> tuple[list[Step], str, dict[str, float]]:
    """All levels of one arm, in a new order each time; of the weighted arm its control, too."""
    weighted = name.endswith("weighted")
    steps: list[Step] = []
    async with world(folder, apart=name != ARMS[0], weighted=weighted) as made:
        for repeat in range(plan.repeats):
            levels = list(plan.levels)
            random.Random(f"{name}{repeat}").shuffle(levels)
            for level in levels:
                found = await asyncio.to_thread(step, made, name, level, repeat, plan)
                steps.append(found)
                told(found)
                await asyncio.sleep(2)
                if weighted:
                    cores = found.cores if level else 0.0
                    control = await asyncio.to_thread(
                        step, made, ARMS[3], level, repeat, plan, cores
                    )
                    steps.append(control)
                    told(control)
        return steps, made.shares.said if made.shares else "", made.capacity


def told(found: Step) -> None:
    print(
        f"{found.arm} {found.level:g}x: records p50 {found.records['p50']:.1f} p99 "
        f"{found.records['p99']:.1f} ms {found.records['statuses']}; rush: {found.cores:.2f} cores",
        file=sys.stderr,
    )


@contextlib.contextmanager
def own_folder() -> Iterator[Path]:
    """A folder through which PostgreSQL's own user can pass."""
    with tempfile.TemporaryDirectory(prefix="polyclinic-isolation-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder


async def run(plan: Plan) -> tuple[list[Step], str, dict[str, dict[str, float]]]:
    steps: list[Step] = []
    shares, capacity = "", {}
    for name in ARMS[:3]:
        with own_folder() as folder:
            found, said, able = await arm_steps(name, plan, folder)
        steps += found
        shares, capacity[name] = said or shares, able
    return steps, shares, capacity


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-isolation", description=__doc__)
    parser.add_argument("--seconds", type=int, default=15, help="of each level")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--levels", default="0,0.5,1,2,4,8")
    parser.add_argument("--svg", type=Path, help="where the drawing goes")
    parser.add_argument("--json", type=Path, help="all figures")
    wanted = parser.parse_args()
    levels = tuple(float(word) for word in wanted.levels.split(","))
    plan = Plan(wanted.seconds, wanted.repeats, levels)
    load = os.getloadavg()[0]
    steps, shares, capacity = uvloop.run(run(plan))
    print(f"Load average before: {load:.2f}\n")
    print(markdown(steps, plan, shares, capacity))
    if wanted.svg:
        wanted.svg.write_text(draw(steps, plan))
    if wanted.json:
        wanted.json.write_text(json.dumps([asdict(each) for each in steps], indent=1) + "\n")
    return 1 if any(errors(steps, arm) for arm in ARMS[1:3]) else 0


if __name__ == "__main__":
    raise SystemExit(main())

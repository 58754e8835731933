"""Blocks of load, the sides in turn, so that a slow minute hits all of them alike."""

import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import bookings, storage
from bench.bookings import Clinic
from bench.corpus import chart
from bench.floors import Rows
from bench.load import Load, Pressure, drive, drive_whole, save_job
from bench.platform import Platform
from bench.server import Server

KINDS = ("reads", "creates", "searches", "bundles", *bookings.KINDS)
IN_FLIGHT = (1, 4)  # Bundles at a time
# Where a kind of writes is kept: what is acknowledged must be there.
KEPT = {
    "creates": "records.resource",
    "bundles": "records.resource",
    "spread": "appointments.appointment",
    "events": "appointments.appointment",
}


@dataclass(frozen=True)
class Plan:
    """What was asked for on the command line."""

    kinds: tuple[str, ...]
    connections: tuple[int, ...]
    seconds: int
    repeats: int
    resources: int
    entries: int

    def steps(self) -> Iterator[tuple[str, int]]:
        for kind in self.kinds:
            for connections in self.connections_of(kind):
                yield kind, connections

    def connections_of(self, kind: str) -> tuple[int, ...]:
        if kind == "bundles":
            return IN_FLIGHT
        if kind in bookings.KINDS:
            return (bookings.KINDS[kind][0],)
        # The aim of a search is stated at 8 connections.
        return tuple(sorted({*self.connections, 8})) if kind == "searches" else self.connections

    def pressure(self, kind: str, connections: int) -> Pressure:
        return Pressure(connections, self.seconds, bookings.KINDS.get(kind, (0, 0))[1])


@dataclass(frozen=True)
class Block:
    """One side's figures in one block; CPU in seconds and only of our own platform."""

    kind: str
    connections: int
    repeat: int
    side: str
    load: Load
    ours: float = 0.0
    postgres: float = 0.0
    lag: float | None = None  # of the loop, p99
    event_lag: float | None = None  # of what appointments said, in records, p95


@dataclass
class Bench:
    """All sides of a run, and the jobs that each of them gets."""

    platform: Platform
    servers: list[Server]  # our own first
    clinic: Clinic
    rows: Rows
    hello: dict[str, int]  # ports of the floor
    folder: Path
    plan: Plan
    lost: int = 0  # acknowledged creates that are not kept: must stay 0
    _first: int = 0

    def prepare(self) -> None:
        charts = [chart(1_000_000 + n, self.plan.entries) for n in range(8)]
        for server in self.servers:
            for kind, requests in server.jobs().items():
                save_job(self._job(server, kind), requests)
            save_job(self._job(server, "bundles"), server.bundle_job(charts))

    def run(self, told: Callable[[str], None]) -> list[Block]:
        """Warms every side up once, then measures: floors, ours, peer, and again."""
        blocks: list[Block] = []
        for kind in self.plan.kinds:
            told(f"warming {kind} up")
            for server in self._sides(kind):
                self._drive(server, kind, Pressure(4, 1))
        storage.settle(self.platform)
        for repeat in range(self.plan.repeats):
            for kind, connections in self.plan.steps():
                told(f"{kind} at {connections}, {repeat + 1} of {self.plan.repeats}")
                blocks += self._round(kind, connections, repeat)
        return blocks

    def _round(self, kind: str, connections: int, repeat: int) -> Iterator[Block]:
        pressure = self.plan.pressure(kind, connections)
        own = self.servers[0]
        if kind in self.hello:
            load = drive(self._job(own, kind), self.hello[kind], pressure, 0)
            yield Block(kind, connections, repeat, "hello", load)
        load = self.rows.drive(kind, pressure, self.plan.entries)
        yield Block(kind, connections, repeat, "pgbench", load)
        yield self._own(kind, pressure, repeat)
        for peer in self._sides(kind)[1:]:
            load = self._drive(peer, kind, pressure)
            yield Block(kind, connections, repeat, peer.name, load)

    def _own(self, kind: str, pressure: Pressure, repeat: int) -> Block:
        own = self.servers[0]
        table = KEPT.get(kind)
        kept = storage.rows(self.platform, table) if table else 0
        before, used = self._metrics(), storage.busy(self.platform)
        load = self._drive(own, kind, pressure)
        ours, postgres = storage.busy(self.platform).since(used)
        lag = storage.lag(storage.LOOP_LAG, 0.99, before, self._metrics())
        if table:
            each = self.plan.entries if kind == "bundles" else 1
            now = storage.rows(self.platform, table)
            self.lost += max(0, load.answered * each - (now - kept))
        # Events that come late count too, and must not burden the next block.
        storage.settle(self.platform)
        heard = storage.lag(storage.EVENT_LAG, 0.95, before, self._metrics())
        return Block(
            kind, pressure.connections, repeat, own.name, load, ours, postgres, lag, heard
        )  # fmt: skip

    def _drive(self, server: Server, kind: str, pressure: Pressure) -> Load:
        self._first += 10_000_000  # more than a block can send, so every body is a new one
        job = self._job(server, kind)
        if kind == "bundles":
            return drive_whole(job, server.port, pressure, self._first)
        if kind not in bookings.KINDS:
            return drive(job, server.port, pressure, self._first)
        requests, expected = self.clinic.job(kind, pressure)
        save_job(job, requests, expected)
        load = drive(job, server.port, pressure, self._first)
        bookings.check_once(kind, load, pressure, len(requests))
        return load

    def _sides(self, kind: str) -> list[Server]:
        """A peer is a FHIR server; how it books is its own."""
        return self.servers[:1] if kind in bookings.KINDS else self.servers

    def _job(self, server: Server, kind: str) -> Path:
        return self.folder / f"{server.name}-{kind}.job"

    def _metrics(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.platform.port}/metrics") as page:
            return page.read().decode()

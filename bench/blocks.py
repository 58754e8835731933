"""Blocks of load, the sides in turn, so that a slow minute hits all of them alike."""

import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import storage
from bench.corpus import chart
from bench.floors import Rows
from bench.load import Load, Pressure, drive, drive_whole, save_job
from bench.platform import Platform
from bench.server import Server

KINDS = ("reads", "creates", "searches", "bundles")
IN_FLIGHT = (1, 4)  # Bundles at a time


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
        # The aim of a search is stated at 8 connections.
        return tuple(sorted({*self.connections, 8})) if kind == "searches" else self.connections


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
    lag: float | None = None


@dataclass
class Bench:
    """All sides of a run, and the jobs that each of them gets."""

    platform: Platform
    servers: list[Server]  # our own first
    rows: Rows
    hello_port: int
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
            for server in self.servers:
                self._drive(server, kind, Pressure(4, 1))
        for repeat in range(self.plan.repeats):
            for kind, connections in self.plan.steps():
                told(f"{kind} at {connections}, {repeat + 1} of {self.plan.repeats}")
                blocks += self._round(kind, connections, repeat)
        return blocks

    def _round(self, kind: str, connections: int, repeat: int) -> Iterator[Block]:
        pressure = Pressure(connections, self.plan.seconds)
        own = self.servers[0]
        if kind != "bundles":
            load = drive(self._job(own, kind), self.hello_port, pressure, 0)
            yield Block(kind, connections, repeat, "hello", load)
        load = self.rows.drive(kind, pressure, self.plan.entries)
        yield Block(kind, connections, repeat, "pgbench", load)
        yield self._own(kind, pressure, repeat)
        for peer in self.servers[1:]:
            load = self._drive(peer, kind, pressure)
            yield Block(kind, connections, repeat, peer.name, load)

    def _own(self, kind: str, pressure: Pressure, repeat: int) -> Block:
        own = self.servers[0]
        kept = storage.rows(self.platform)
        lag, before = self._lag(), storage.busy(self.platform)
        load = self._drive(own, kind, pressure)
        ours, postgres = storage.busy(self.platform).since(before)
        p99 = storage.lag_p99(lag, self._lag())
        if kind in ("creates", "bundles"):
            each = self.plan.entries if kind == "bundles" else 1
            self.lost += max(0, load.answered * each - (storage.rows(self.platform) - kept))
        return Block(kind, pressure.connections, repeat, own.name, load, ours, postgres, p99)

    def _drive(self, server: Server, kind: str, pressure: Pressure) -> Load:
        self._first += 10_000_000  # more than a block can send, so every body is a new one
        job = self._job(server, kind)
        if kind == "bundles":
            return drive_whole(job, server.port, pressure, self._first)
        return drive(job, server.port, pressure, self._first)

    def _job(self, server: Server, kind: str) -> Path:
        return self.folder / f"{server.name}-{kind}.job"

    def _lag(self) -> dict[float, float]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.platform.port}/metrics") as page:
            return storage.loop_lag(page.read().decode())

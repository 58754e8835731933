"""What the gateway costs a request: `python -m bench.gateway` asks directly and through it.

The old system answers a small JSON at once, so that what is measured is the way, not the work. Both
ways are asked in turns at the same pace, and the difference of their times is the cost.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import uvloop

from bench.platform import free_port
from polyclinic.assembly.process import assemble
from polyclinic.foundation import clock, serving
from polyclinic.foundation.postgres import EmbeddedPostgres
from polyclinic.foundation.settings import Platform
from polyclinic.foundation.vault import RootKey
from polyclinic.services.migration.actions import rolling
from polyclinic.services.migration.domain.routing import Route, RouteRule
from polyclinic.services.migration.listeners import open_gateway

CHART = json.dumps({"id": "1", "allergies": [{"substance": "Latex"}] * 20}).encode()
MODES = ("off", "shadow", "canary")


async def old_system(_scope, _receive, send):
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(CHART))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": CHART})


def serve_old(port: int) -> None:
    uvloop.run(serving.serve(old_system, "127.0.0.1", port))


def serve_gateway(url: str, key: str, ports: tuple[int, int], ready) -> None:
    uvloop.run(_gateway(url, key, ports, ready))


async def _gateway(url: str, key: str, ports: tuple[int, int], ready) -> None:
    old, mine = ports
    environ = {
        "POLYCLINIC_MIGRATION_LEGACY_URL": f"http://127.0.0.1:{old}",
        "POLYCLINIC_MIGRATION_CANDIDATE_URL": f"http://127.0.0.1:{old}",
    }
    platform = Platform(database_url=url, key_file=key)
    async with assemble(platform, ("migration",), environ) as process:
        running = process.running["migration"]
        for mode in MODES:
            await _declare(running, mode)
        async with open_gateway(running) as gateway:
            await serving.serve(gateway, "127.0.0.1", mine, ready.set)


async def _declare(running, mode: str) -> None:
    route = Route(name="chart", method="GET", path=f"/{mode}/{{patient}}", unit=("path:patient",))
    # Of the shadows one in ten is compared: they share the cores with what is measured.
    rule = RouteRule(capability=mode, routes=(route,), mode=mode, percent=50, shadow_percent=10)
    async with running.database.transaction() as tx:
        await rolling.change(tx, mode, lambda _: rule, ("bench", "bench"), clock.now())


async def one(port: int, path: str, at: dict) -> float:
    """One request over a connection that stays open, in milliseconds."""
    if port not in at:
        at[port] = await asyncio.open_connection("127.0.0.1", port)
    reader, writer = at[port]
    began = time.perf_counter()
    writer.write(f"GET {path} HTTP/1.1\r\nhost: old.test\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    if b"transfer-encoding: chunked" in head.lower():
        while (
            size := int((await reader.readline()).strip(), 16)
        ) or await reader.readline() is None:
            await reader.readexactly(size + 2)
    else:
        length = next(x for x in head.lower().split(b"\r\n") if x.startswith(b"content-length"))
        await reader.readexactly(int(length.split(b":")[1]))
    return (time.perf_counter() - began) * 1000


async def measure(ports: tuple[int, int], mode: str, plan) -> dict[str, float]:
    """Clients that ask both ways in turns, at a pace that leaves the machine air."""
    times: dict[int, list[float]] = {port: [] for port in ports}

    async def client(number: int) -> None:
        at: dict = {}
        for n in range(plan.requests // plan.clients):
            for port in ports:
                # Each patient is asked for five times: four of the five know their promise.
                times[port].append(await one(port, f"/{mode}/p{number}-{n // 5}", at))
            await asyncio.sleep(plan.clients / plan.rate)
        for _, writer in at.values():
            writer.close()

    await asyncio.gather(*(client(n) for n in range(plan.clients)))
    direct, through = (sorted(times[port]) for port in ports)
    cut = statistics.quantiles
    return {
        "direct p50": statistics.median(direct),
        "through p50": statistics.median(through),
        "cost p50": statistics.median(through) - statistics.median(direct),
        "cost p95": cut(through, n=20)[18] - cut(direct, n=20)[18],
    }


@contextlib.asynccontextmanager
async def everything(folder: Path) -> AsyncIterator[tuple[int, int]]:
    server = EmbeddedPostgres(folder)
    url = await server.start()
    key = folder / "keys" / "root.key"
    RootKey.create(key)
    ports = (free_port(), free_port())
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Event()
    children = [
        spawn.Process(target=serve_old, args=(ports[0],)),
        spawn.Process(target=serve_gateway, args=(url, str(key), ports, ready)),
    ]
    try:
        for child in children:
            child.start()
        await asyncio.to_thread(ready.wait, 120)
        yield ports
    finally:
        for child in children:
            child.terminate()
            child.join(20)
        await server.stop()


async def run(plan) -> dict[str, dict[str, float]]:
    async with everything(plan.folder) as ports:
        await measure(ports, "off", msgspec.structs.replace(plan, requests=plan.clients * 20))
        return {mode: await measure(ports, mode, plan) for mode in MODES}


class Plan(msgspec.Struct):
    folder: Path
    requests: int = 4000
    clients: int = 8
    rate: int = 100


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--rate", type=int, default=100, help="requests a second, each way")
    wanted = vars(parser.parse_args())
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        found = uvloop.run(run(Plan(Path(folder), **wanted)))
    for mode, times in found.items():
        print(mode, " ".join(f"{name} {value:.2f} ms" for name, value in times.items()))
    worst = max(times["cost p95"] for times in found.values())
    print(f"p95 of the cost is at most {worst:.2f} ms (aim: 5 ms)")
    return 0 if worst <= 5 else 1


if __name__ == "__main__":
    raise SystemExit(main())

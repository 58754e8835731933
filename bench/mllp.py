"""Messages by MLLP: acknowledged after their commit, on connections that wait for each answer."""

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import hl7v2, storage
from bench.platform import Platform, free_port, own_platform
from bench.server import Server, WrongAnswer
from polyclinic.standards.hl7v2.mllp import Unframer, frame

SECONDS = 3
CONNECTIONS = (1, 16, 64)
CHANNEL = b"""
name: bench
source: mllp
accepts: [ADT, ORU]
systems: {MAIN: "urn:oid:1.2.3"}
"""


@dataclass(frozen=True)
class Run:
    """Messages a second; times in milliseconds; `missing` were acknowledged and are not kept.

    `done` of them a second were done by the owners in the same seconds: the workers are on.
    """

    connections: int
    rate: float
    p50: float
    p99: float
    missing: int
    done: float


def settings() -> dict[str, str]:
    """What a platform is started with, so that it listens and takes all from one address."""
    prefix = "POLYCLINIC_INTEGRATION_MLLP_"
    return {f"{prefix}PORT": str(free_port()), f"{prefix}CONNECTIONS_A_PEER": "200"}


def measure(platform: Platform, token: str | None, runs: int) -> list[Run]:
    if not runs:
        return []
    server = Server("integration", f"http://127.0.0.1:{platform.port}", token)
    headers = {"Authorization": f"Bearer {server.token}", "Idempotency-Key": "bench-channel"}
    status, said = server.send("POST", "/integration/channels", CHANNEL, headers)
    if status >= 300:
        raise WrongAnswer(f"channel: {status} {said[:300]!r}")
    port = int(platform.environment["POLYCLINIC_INTEGRATION_MLLP_PORT"])
    found: list[Run] = []
    for _ in range(runs):
        for connections in CONNECTIONS:
            before, done = storage.rows(platform, "integration.message"), _done(platform)
            times = asyncio.run(_press(port, connections))
            done = _done(platform) - done
            kept = storage.rows(platform, "integration.message") - before
            cuts = sorted(times)
            found.append(
                Run(
                    connections, len(times) / SECONDS, 1000 * median(times),
                    1000 * cuts[int(len(cuts) * 0.99)], max(0, len(times) - kept),
                    done / SECONDS,
                )
            )  # fmt: skip
    return found


def _done(platform: Platform) -> int:
    return storage.rows(platform, "integration.message WHERE state = 'done'")


async def _press(port: int, connections: int) -> list[float]:
    end = time.monotonic() + SECONDS
    done = await asyncio.gather(*(_sender(port, end) for _ in range(connections)))
    return [seconds for each in done for seconds in each]


async def _sender(port: int, end: float) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    unframer, times = Unframer(), []
    while (began := time.monotonic()) < end:
        writer.write(frame(hl7v2.admission()))
        found = []
        while not found:
            piece = await reader.read(65536)
            if not piece:
                raise WrongAnswer("the MLLP connection ended")
            found = unframer.feed(piece)
        if b"\rMSA|AA|" not in found[0].payload:
            raise WrongAnswer(f"MLLP: {found[0].payload!r}")
        times.append(time.monotonic() - began)
    writer.close()
    return times


def markdown(runs: Sequence[Run]) -> list[str]:
    if not runs:
        return []
    heads = ["MLLP, each acknowledged after its commit", "a second", "p50 ms", "p99 ms", "missing",
             "done a second meanwhile"]  # fmt: skip
    lines = [_row(heads), _row(["---", *["---:"] * (len(heads) - 1)])]
    for connections in CONNECTIONS:
        those = [run for run in runs if run.connections == connections]
        lines.append(
            _row(
                [
                    f"{connections} connections",
                    f"{median(run.rate for run in those):,.0f}",
                    f"{median(run.p50 for run in those):.1f}",
                    f"{median(run.p99 for run in those):.1f}",
                    str(sum(run.missing for run in those)),
                    f"{median(run.done for run in those):,.0f}",
                ]
            )
        )
    return [*lines, ""]


def main() -> None:
    """`python -m bench.mllp [RUNS]`: only MLLP, on a platform of its own."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    with own_platform(Path(sys.argv[2]) if len(sys.argv) > 2 else None, **settings()) as platform:
        print("\n".join(markdown(measure(platform, platform.token(), runs))))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()

"""`python -m bench`: starts a platform of its own, loads it, presses, and prints what it did."""

import argparse
import dataclasses
import json
import os
import platform as machine
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from bench import billing, floors, hl7v2, logged, mllp, storage
from bench.blocks import KINDS, Bench, Plan
from bench.bookings import Clinic
from bench.corpus import charts
from bench.load import generator_name
from bench.platform import Platform, own_platform
from bench.report import OURS, Findings, aims, markdown, spread
from bench.server import Server


def main() -> int:
    wanted = _parsed()
    plan = Plan(
        wanted.only, wanted.connections, wanted.seconds, wanted.repeats, wanted.resources,
        wanted.entries,
    )  # fmt: skip
    with (
        own_platform(wanted.data, **mllp.settings()) as platform,
        tempfile.TemporaryDirectory() as folder,
    ):
        findings = _measure(plan, platform, Path(folder))
    print(markdown(findings))
    if wanted.json:
        wanted.json.write_text(json.dumps(_plain(findings), indent=1) + "\n")
    failed = sum(block.load.failed for block in findings.blocks)
    missing = sum(run.missing for run in findings.by_mllp)
    return 1 if failed or findings.lost or missing else 0


def _measure(plan: Plan, platform: Platform, folder: Path) -> Findings:
    findings = Findings(plan, _machine())
    steps = len(list(plan.steps())) * plan.repeats + len(plan.kinds)
    console = Console(stderr=True)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("loading the corpus", total=plan.resources // plan.entries + steps)

        def told(what: str) -> None:
            progress.update(task, description=what, advance=1)

        servers = [_own(platform), *_peers()]
        began = time.monotonic()
        for number, each in enumerate(charts(plan.resources // plan.entries, plan.entries)):
            told(f"loading chart {number + 1}")
            servers[0].load(each)
        findings.loaded = len(servers[0].kept) / (time.monotonic() - began)
        for peer in servers[1:]:
            progress.update(task, description=f"loading {peer.name}")
            for each in charts(plan.resources // plan.entries, plan.entries):
                peer.load(each)
        findings.storage = storage.storage(platform)
        findings.starts = _restart(platform, plan.repeats)
        _press(findings, platform, servers, folder, told)
        if "reads" in plan.kinds:
            findings.with_log = logged.measure(
                platform, servers[0], folder, plan.seconds, max(3, plan.repeats)
            )
        runs = plan.repeats if plan.kinds == KINDS else 0
        findings.money = billing.measure(platform, servers[0].token, runs)
        findings.messages = hl7v2.measure(runs)
        findings.by_mllp = mllp.measure(platform, servers[0].token, runs)
    return findings


def _press(findings, platform, servers, folder, told) -> None:
    sizes = {}
    for server in reversed(servers):  # our own last: its answers give the floor its sizes
        sizes = server.check()
    clinic = Clinic(f"http://127.0.0.1:{platform.port}", servers[0].token)
    clinic.open()
    sizes |= clinic.check()
    body = servers[0].new_results()[0]
    findings.machine |= {
        "PostgreSQL": storage.postgres_version(platform),
        "Answers": ", ".join(f"{kind} {size:,} bytes" for kind, size in sizes.items()),
        "Durable 8 kB writes": _syncs(platform.data.parent, findings.plan.repeats),
    }
    rows = floors.Rows(platform, body, folder)
    with floors.hello(sizes) as ports:
        bench = Bench(platform, servers, clinic, rows, ports, folder, findings.plan)
        bench.prepare()
        findings.blocks = bench.run(told)
        findings.lost = bench.lost
    findings.memory = storage.memory(platform)


def _syncs(disk: Path, times: int) -> str:
    """A shared disk has moods: the median of some looks, and how far they lie apart."""
    rates = [floors.syncs_per_second(disk, 0.5) for _ in range(times)]
    return f"{spread(rates)} a second, one after the other, on the disk of the data"


def _own(platform: Platform) -> Server:
    return Server(OURS, f"http://127.0.0.1:{platform.port}/fhir", platform.token())


def _peers() -> list[Server]:
    url = os.environ.get("PEER_BASE_URL")
    return [Server("peer", url, os.environ.get("PEER_TOKEN"))] if url else []


def _restart(platform: Platform, times: int) -> list[float]:
    """Stops and starts the loaded platform a few times: how soon a person sees a page again."""
    platform.starts.clear()
    for _ in range(times):
        platform.stop()
        platform.start()
    return list(platform.starts)


def _machine() -> dict[str, str]:
    load = os.getloadavg()[0]
    quiet = "" if load < 0.3 * (os.cpu_count() or 1) else "; NOT quiet: orders of magnitude only"
    return {
        "polyclinic": f"{metadata.version('polyclinic')}, Python {machine.python_version()}",
        "Machine": f"{os.cpu_count()} × {_processor()}, {machine.system()} {machine.release()}",
        "Load average before": f"{load:.2f}{quiet}",
        "Load generator": generator_name() + "; Bundles by our own",
    }


def _processor() -> str:
    if (info := Path("/proc/cpuinfo")).exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(": ", 1)[1]
    return machine.processor() or machine.machine()


def _plain(findings: Findings) -> dict[str, object]:
    return {**dataclasses.asdict(findings), "aims": aims(findings)}


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", type=_kinds, default=KINDS, metavar=",".join(KINDS))
    parser.add_argument("--seconds", type=int, default=3, help="of each block")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--connections", type=_numbers, default=(1, 16, 64), metavar="1,16,64")
    parser.add_argument("--resources", type=int, default=20_000, help="in the corpus")
    parser.add_argument("--entries", type=int, default=330, help="of each Bundle")
    parser.add_argument("--data", type=Path, help="where the data folder goes for the run")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures, also of each block")
    return parser.parse_args()


def _kinds(text: str) -> tuple[str, ...]:
    if unknown := set(text.split(",")) - set(KINDS):
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}; known are {', '.join(KINDS)}")
    return tuple(kind for kind in KINDS if kind in text.split(","))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in text.split(","))


if __name__ == "__main__":
    sys.exit(main())

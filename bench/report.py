"""The figures of a run as Markdown: medians, ratios to the floors of the same run, and the aims."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from bench import billing, hl7v2, logged, mllp
from bench.blocks import Block, Plan
from bench.bookings import CLINICIANS, KINDS
from bench.storage import Storage

OURS = "polyclinic"
NAMES = {
    "bundles": "resources in Bundles",
    "spread": "bookings, spread",
    "hot": "refusals, one hot place",
    "find": f"$find, {CLINICIANS} clinicians × 4 weeks",
    "events": f"bookings, steady {KINDS['events'][1]}",
}


@dataclass
class Findings:
    """All that a run found out."""

    plan: Plan
    machine: dict[str, str]
    blocks: list[Block] = field(default_factory=list[Block])
    storage: Storage | None = None
    starts: list[float] = field(default_factory=list[float])  # warm, seconds to the first page
    memory: tuple[int, int] = (0, 0)
    loaded: float = 0.0  # resources a second while the corpus came in, one Bundle at a time
    lost: int = 0
    money: list[billing.Run] = field(default_factory=list[billing.Run])
    with_log: list[logged.Pair] = field(default_factory=list[logged.Pair])
    messages: list[hl7v2.Run] = field(default_factory=list[hl7v2.Run])
    by_mllp: list[mllp.Run] = field(default_factory=list[mllp.Run])


def loads(blocks: Sequence[Block], kind: str, connections: int, side: str) -> list[Block]:
    return [b for b in blocks if (b.kind, b.connections, b.side) == (kind, connections, side)]


def rate(findings: Findings, kind: str, connections: int, side: str) -> list[float]:
    """What a side did in each repeat; Bundles are counted in resources."""
    each = findings.plan.entries if kind == "bundles" else 1
    return [b.load.rate * each for b in loads(findings.blocks, kind, connections, side)]


def markdown(findings: Findings) -> str:
    lines = [f"- {name}: {value}" for name, value in findings.machine.items()]
    lines += ["", *_table(findings), "", *_costs(findings), "", *_aims(findings), ""]
    lines += logged.markdown(findings.with_log) + billing.markdown(findings.money)
    lines += hl7v2.markdown(findings.messages) + mllp.markdown(findings.by_mllp)
    if findings.storage is not None:
        lines += [*_parts(findings.storage), ""]
    failed = sum(b.load.failed for b in findings.blocks)
    lines.append(
        f"Failed requests: {failed}. Acknowledged writes that are missing: {findings.lost}."
    )
    return "\n".join(lines)


def spread(values: Sequence[float], form: str = "{:,.0f}") -> str:
    """The median, with the smallest and the largest."""
    if not values:
        return "–"
    low, middle, high = (form.format(v) for v in (min(values), median(values), max(values)))
    return middle if low == high else f"{middle} ({low}–{high})"


def _table(findings: Findings) -> list[str]:
    sides = [s for s in dict.fromkeys(b.side for b in findings.blocks) if s != OURS]
    heads = ["what", "at", "per second", "p50 ms", "p99 ms"]
    heads += [head for side in sides for head in (f"{side}/s", f"of {side}")]
    lines = [_row(heads), _row(["---", *["---:"] * (len(heads) - 1)])]
    for kind, connections in findings.plan.steps():
        own = loads(findings.blocks, kind, connections, OURS)
        cells = [_named(kind), str(connections), spread(rate(findings, kind, connections, OURS))]
        cells += [spread([b.load.p50 for b in own], "{:.1f}")]
        cells += [spread([b.load.p99 for b in own], "{:.1f}")]
        for side in sides:
            theirs = _theirs(findings, kind, connections, side)
            ratios = [
                ours / other
                for ours, other in zip(
                    rate(findings, kind, connections, OURS), theirs, strict=False
                )
            ]
            cells += [spread(theirs).split(" ")[0], spread(ratios, "{:.2f}")]
        lines.append(_row(cells))
    return lines


def _theirs(findings: Findings, kind: str, connections: int, side: str) -> list[float]:
    return rate(findings, kind, connections, side)


def _costs(findings: Findings) -> list[str]:
    heads = ["CPU µs each", "at", "our process", "PostgreSQL", "generator busy", "loop lag p99"]
    heads += ["event lag p95"]
    lines = [_row(heads), _row(["---", *["---:"] * 6])]
    each = {"bundles": findings.plan.entries}
    for kind, connections in findings.plan.steps():
        own = loads(findings.blocks, kind, connections, OURS)
        done = [max(1, b.load.answered * each.get(kind, 1)) for b in own]
        lines.append(
            _row(
                [
                    _named(kind),
                    str(connections),
                    spread([b.ours / n * 1e6 for b, n in zip(own, done, strict=True)]),
                    spread([b.postgres / n * 1e6 for b, n in zip(own, done, strict=True)]),
                    f"{max((b.load.busy for b in own), default=0):.0%}",
                    _lag([b.lag for b in own]),
                    _lag([b.event_lag for b in own]),
                ]
            )
        )
    return lines


def _lag(bounds: Sequence[float | None]) -> str:
    known = [bound for bound in bounds if bound is not None]
    return f"≤ {max(known) * 1000:g} ms" if known else "–"


def aims(findings: Findings) -> list[dict[str, Any]]:
    """Each aim with what was measured; None where that part was not run."""
    found: list[dict[str, Any]] = []

    def add(name: str, aim: float, figure: float | None, *, at_least: bool) -> None:
        met = None if figure is None else (figure >= aim if at_least else figure <= aim)
        found.append({"name": name, "aim": aim, "at_least": at_least, "is": figure, "met": met})

    def middle(values: Sequence[float]) -> float | None:
        return median(values) if values else None

    add("reads/s at 64", 4000, middle(rate(findings, "reads", 64, OURS)), at_least=True)
    costs = [pair.cost * 100 for pair in findings.with_log]
    add("cost of the access log, % of reads", 15, middle(costs), at_least=False)
    add("creates/s at 64", 1500, middle(rate(findings, "creates", 64, OURS)), at_least=True)
    bundles = [middle(rate(findings, "bundles", n, OURS)) for n in (1, 4)]
    best = max((n for n in bundles if n is not None), default=None)
    add("resources/s in Bundles", 2000, best, at_least=True)
    searches = [b.load.p50 for b in loads(findings.blocks, "searches", 8, OURS)]
    add("search p50 ms at 8", 10, middle(searches), at_least=False)
    add("spread bookings/s at 32", 1200, middle(rate(findings, "spread", 32, OURS)), at_least=True)
    add("hot refusals/s at 32", 2500, middle(rate(findings, "hot", 32, OURS)), at_least=True)
    finds = [b.load.p99 for b in loads(findings.blocks, "find", 4, OURS)]
    add("$find p99 ms at 4", 60, middle(finds), at_least=False)
    steady = loads(findings.blocks, "events", 32, OURS)
    lags = [b.event_lag * 1000 for b in steady if b.event_lag is not None]
    add("event lag p95 ms at 500/s", 100, middle(lags), at_least=False)
    add("835 lines posted/s", 1000, middle([r.lines for r in findings.money]), at_least=True)
    papers = [run.statements for run in findings.money]
    add("seconds for 1,000 statements", 90, middle(papers), at_least=False)
    read = [run.read for run in findings.messages if run.kind.startswith("ORU")]
    add("HL7 v2 results read whole/s of a core", 1500, middle(read), at_least=True)
    most = mllp.CONNECTIONS[-1]
    rates = [run.rate for run in findings.by_mllp if run.connections == most]
    add(f"MLLP acknowledged/s at {most}", 500, middle(rates), at_least=True)
    add("warm start to first page, s", 5, middle(findings.starts), at_least=False)
    add("RSS of our process, MB", 400, findings.memory[0] / 1e6 or None, at_least=False)
    kept = findings.storage.each / 1000 if findings.storage else None
    add("disk per resource, kB", 2, kept, at_least=False)
    return found


def _aims(findings: Findings) -> list[str]:
    lines = [_row(["aim", "wanted", "measured", "met"]), _row(["---", "---:", "---:", "---"])]
    for each in aims(findings):
        sign = "≥" if each["at_least"] else "≤"
        figure = "not run" if each["is"] is None else f"{each['is']:,.2f}"
        met = {True: "yes", False: "**no**", None: "–"}[each["met"]]
        lines.append(_row([each["name"], f"{sign} {each['aim']:,}", figure, met]))
    if findings.memory[1]:
        lines += ["", f"PostgreSQL beside it: {findings.memory[1] / 1e6:,.0f} MB (PSS)."]
    if findings.loaded:
        lines.append(
            f"The corpus came in at {findings.loaded:,.0f} resources/s, one Bundle at a time."
        )
    return lines


def _parts(kept: Storage) -> list[str]:
    lines = [
        f"Disk after loading and VACUUM: {kept.resources:,} resources, {kept.versions:,} past "
        f"versions, {kept.total / 1e6:,.1f} MB, of which {kept.events / 1e6:,.1f} MB are events "
        "that wait for their readers (left out of the aim).",
        "",
        _row(["part", "", "MB", "bytes per resource"]),
        _row(["---", "---", "---:", "---:"]),
    ]
    small = 0
    for name, kind, size in kept.parts:
        if size < kept.total / 100:
            small += size
            continue
        cells = [name, kind, f"{size / 1e6:.2f}", f"{size / max(1, kept.resources):.0f}"]
        lines.append(_row(cells))
    rest = f"{small / max(1, kept.resources):.0f}"
    return [*lines, _row(["all others", "", f"{small / 1e6:.2f}", rest])]


def _named(kind: str) -> str:
    return NAMES.get(kind, kind)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"

"""How a service does, out of the numbers that it tells Prometheus: rates, waits, pictures."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# Ten minutes of looks, one each quarter of a minute.
EVERY_SECONDS, LOOKS_MAX = 15.0, 41
RECENT = 12  # looks that words are about: three minutes
ERRORS_MUCH, REQUESTS_FEW = 0.02, 20  # a share of fewer requests than that says nothing
LAG_MUCH = 0.25  # seconds: everything else of the process waits so long, too
WIDTH, HEIGHT = 120, 32

_LINE = re.compile(r"polyclinic_(\w+?)\{(.*)\} ([-+.\deE]+|\+Inf)$")
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_HISTOGRAMS = ("request_seconds", "loop_lag_seconds", "event_lag_seconds")
_UNWATCHED = ("/health/", "/metrics", "/events")
Buckets = Mapping[float, float]


@dataclass(slots=True)
class Look:
    """What a service's counters stood at; `at` in seconds of any steady clock."""

    at: float
    requests: float = 0.0
    errors: float = 0.0
    buckets: dict[str, dict[float, float]] = field(
        default_factory=lambda: {name: {} for name in _HISTOGRAMS}
    )
    waiting: float = 0.0
    pool_used: float = 0.0
    pool_limit: float = 0.0
    rows: float | None = None
    signed: float | None = None
    is_broken: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A small picture of one number over the last minutes, and the number now."""

    now: str
    path: str
    end_x: float
    end_y: float
    words: str


@dataclass(frozen=True, slots=True)
class Vitals:
    """A service as its row shows it; times are milliseconds."""

    requests: Line
    errors: Line
    middle: Line
    slow: Line
    event_lag: float | None
    loop_lag: float | None
    waiting: int
    pool_used: int
    pool_limit: int
    unsigned: int | None
    is_broken: bool
    trouble: str

    @property
    def pool_width(self) -> float:
        """Of a bar 100 wide."""
        return round(100 * self.pool_used / self.pool_limit, 1) if self.pool_limit else 0.0


def read(text: str, at: float) -> Look:
    """Takes what the page shows out of a service's metrics; all else is passed over."""
    look = Look(at)
    for line in text.splitlines():
        if line.startswith("polyclinic_") and (found := _LINE.match(line)) is not None:
            name, value = found[1], float(found[3])
            _take(look, name, dict(_LABEL.findall(found[2])), value)
    return look


def _take(look: Look, name: str, labels: Mapping[str, str], value: float) -> None:
    base = name.removesuffix("_bucket")
    # Who asks whether we are well, and who waits for events, is no work.
    if any(each in labels.get("route", "") for each in _UNWATCHED):
        return
    if base in look.buckets and "le" in labels:
        kept, edge = look.buckets[base], float(labels["le"])
        kept[edge] = kept.get(edge, 0.0) + value
    elif name == "request_seconds_count":
        look.requests += value
        look.errors += value if labels.get("status", "").startswith("5") else 0
    elif name == "lane_waiting":
        look.waiting += value
    elif name == "pool_connections":
        look.pool_used += value if labels.get("state") == "in_use" else 0
        look.pool_limit += value if labels.get("state") == "limit" else 0


def read_plain(look: Look, text: str) -> Look:
    """Takes the numbers that have no labels: those of audit."""
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        match name:
            case "polyclinic_audit_leaves":
                look.rows = float(value)
            case "polyclinic_audit_signed_leaves":
                look.signed = float(value)
            case "polyclinic_audit_broken":
                look.is_broken = float(value) > 0
            case _:
                pass
    return look


def vitals(looks: Sequence[Look]) -> Vitals | None:
    """The pictures of a service; None until it was looked at twice."""
    if len(looks) < 2:
        return None
    pairs = list(itertools.pairwise(looks))
    first, last = looks[max(0, len(looks) - 1 - RECENT)], looks[-1]
    rates = [_rate(a, b) for a, b in pairs]
    wrong = [_share(a, b) for a, b in pairs]
    lag = _quantile(first, last, "loop_lag_seconds", 0.95)
    return Vitals(
        requests=_line(rates, f"{rates[-1]:.1f}", "requests a second"),
        errors=_line(wrong, f"{100 * _share(first, last):.1f}%", "percent of errors", least=0.05),
        middle=_times(pairs, 0.5, "milliseconds for half of the requests"),
        slow=_times(pairs, 0.95, "milliseconds for 95 of 100 requests"),
        event_lag=_quantile(first, last, "event_lag_seconds", 0.95),
        loop_lag=lag,
        waiting=int(last.waiting),
        pool_used=int(last.pool_used),
        pool_limit=int(last.pool_limit),
        unsigned=None if last.rows is None else int(last.rows - (last.signed or 0)),
        is_broken=last.is_broken,
        trouble=_trouble(first, last, lag),
    )


def _trouble(first: Look, last: Look, lag: float | None) -> str:
    """What makes a service that answers degraded, in words; empty when it does well."""
    if last.is_broken:
        return "the audit tree does not hold"
    if last.requests - first.requests >= REQUESTS_FEW and _share(first, last) >= ERRORS_MUCH:
        return "answers with errors"
    if lag is not None and lag >= LAG_MUCH * 1000:
        return "comes late to its work"
    if last.pool_limit and last.pool_used >= last.pool_limit and last.waiting > 0:
        return "waits for its database"
    return ""


def _rate(before: Look, after: Look) -> float:
    # A process that began anew counts from nothing.
    return max(0.0, after.requests - before.requests) / max(after.at - before.at, 0.001)


def _share(before: Look, after: Look) -> float:
    asked = after.requests - before.requests
    return max(0.0, after.errors - before.errors) / asked if asked > 0 else 0.0


def _quantile(before: Look, after: Look, name: str, share: float) -> float | None:
    """Milliseconds that a share of what came in between kept within, as Prometheus reckons it."""
    old = before.buckets[name]
    counts = sorted((edge, n - old.get(edge, 0.0)) for edge, n in after.buckets[name].items())
    if not counts or counts[-1][1] <= 0:
        return None
    wanted, low, below = share * counts[-1][1], 0.0, 0.0
    for edge, count in counts:
        if count >= wanted:
            if edge == float("inf"):
                return low * 1000
            return 1000 * (low + (edge - low) * (wanted - below) / max(count - below, 1e-9))
        low, below = edge, count
    return low * 1000


def _times(pairs: Sequence[tuple[Look, Look]], share: float, words: str) -> Line:
    found = [_quantile(a, b, "request_seconds", share) for a, b in pairs]
    first, last = pairs[max(0, len(pairs) - RECENT)][0], pairs[-1][1]
    now = _quantile(first, last, "request_seconds", share)
    return _line([each or 0.0 for each in found], milliseconds(now), words, least=5.0)


def milliseconds(value: float | None) -> str:
    if value is None:
        return "–"
    if value >= 1000:
        return f"{value / 1000:.1f} s"
    return f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"


def _line(values: Sequence[float], now: str, words: str, least: float = 1.0) -> Line:
    """From the left edge to the newest; `least` is how high a picture reaches at any rate."""
    high = max(*values, least, least)
    step = (WIDTH - 8) / max(LOOKS_MAX - 2, 1)
    start = WIDTH - 4 - step * (len(values) - 1)
    places = [
        (round(start + n * step, 1), round(HEIGHT - 4 - v / high * (HEIGHT - 8), 1))
        for n, v in enumerate(values)
    ]
    path = "M" + " L".join(f"{x} {y}" for x, y in places)
    most = max(values)
    return Line(now, path, *places[-1], f"{words}: now {now}, at most {most:.3g} of late")

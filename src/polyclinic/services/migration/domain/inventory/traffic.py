"""Requests that went by, counted by shape: the common part of logs and HARs."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from polyclinic.services.migration.domain.inventory.findings import ENDPOINTS_MAX, Endpoint
from polyclinic.services.migration.domain.inventory.templates import Templates, is_asset, names

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
# Upper bounds of the classes that latencies are counted in, in milliseconds.
BOUNDS = tuple(round(1.25**n) for n in range(64))
_USERS_MAX, _NAMES_MAX = 5000, 200


@dataclass(frozen=True, slots=True)
class Request:
    """One request as far as it may be looked at."""

    method: str
    path: str
    status: int
    hour: int | None = None
    milliseconds: float | None = None
    user: str = ""
    parameters: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()


@dataclass(slots=True)
class _Tally:
    count: int = 0
    failed: int = 0
    answered: int = 0
    hours: Counter[int] = field(default_factory=Counter[int])
    roles: Counter[str] = field(default_factory=Counter[str])
    times: Counter[int] = field(default_factory=Counter[int])
    users: set[int] = field(default_factory=set[int])
    parameters: set[str] = field(default_factory=set[str])
    fields: set[str] = field(default_factory=set[str])

    def add(self, other: "_Tally") -> None:
        self.count += other.count
        self.failed += other.failed
        self.answered += other.answered
        for mine, theirs in ((self.hours, other.hours), (self.times, other.times)):
            mine.update(theirs)
        self.roles.update(other.roles)
        self.users |= other.users
        self.parameters |= other.parameters
        self.fields |= other.fields


class Traffic:
    """Counts requests as they stream by; holds shapes, not requests."""

    def __init__(self, roles: Mapping[str, str] | None = None) -> None:
        self._roles = roles or {}
        self._templates = Templates()
        self._tallies: dict[tuple[str, str], _Tally] = {}
        self.left_out: Counter[str] = Counter()

    def add(self, request: Request) -> None:
        method = "GET" if request.method == "HEAD" else request.method
        if method not in METHODS:
            self.left_out["other methods"] += 1
        elif is_asset(request.path):
            self.left_out["pictures, scripts and styles"] += 1
        elif request.status in (404, 405) or (request.status == 401 and not request.user):
            # Scanners ask for what is not there; it must not become an endpoint.
            self.left_out["nothing there, or nobody signed in"] += 1
        else:
            self._count(method, request)

    def _count(self, method: str, request: Request) -> None:
        shape = (method, self._templates.learn(request.path))
        if (tally := self._tallies.get(shape)) is None:
            tally = self._tallies[shape] = _Tally()
        tally.count += 1
        tally.failed += request.status >= 500
        tally.answered += request.status < 400
        if request.hour is not None:
            tally.hours[request.hour] += 1
        if request.milliseconds is not None:
            tally.times[_class_of(request.milliseconds)] += 1
        if request.user:
            tally.roles[self._roles.get(request.user, "")] += 1
            if len(tally.users) < _USERS_MAX:
                tally.users.add(hash(request.user))
        if len(tally.parameters) < _NAMES_MAX:
            tally.parameters.update(request.parameters)
        if len(tally.fields) < _NAMES_MAX:
            tally.fields.update(request.fields)

    def endpoints(self) -> tuple[Endpoint, ...]:
        """What was asked for, the most asked first where there are too many."""
        whole: dict[tuple[str, str], _Tally] = {}
        for (method, learned), tally in self._tallies.items():
            shape = (method, self._templates.settled(learned))
            whole.setdefault(shape, _Tally()).add(tally)
        kept = [(shape, tally) for shape, tally in whole.items() if tally.answered or tally.failed]
        self.left_out["only ever refused"] += len(whole) - len(kept)
        kept.sort(key=lambda each: (-each[1].count, each[0]))
        self.left_out["endpoints beyond the most asked"] += max(0, len(kept) - ENDPOINTS_MAX)
        made = [_endpoint(method, path, tally) for (method, path), tally in kept[:ENDPOINTS_MAX]]
        return tuple(sorted(made, key=lambda each: each.name))

    def said_left_out(self) -> dict[str, int]:
        return {what: count for what, count in sorted(self.left_out.items()) if count}


def _endpoint(method: str, template: str, tally: _Tally) -> Endpoint:
    return Endpoint(
        method=method,
        template=template,
        count=tally.count,
        failed=tally.failed,
        users=len(tally.users),
        p50_ms=_share(tally.times, 0.5),
        p95_ms=_share(tally.times, 0.95),
        parameters=names(tally.parameters),
        fields=names(tally.fields),
        hours=dict(sorted(tally.hours.items())),
        roles={role: count for role, count in sorted(tally.roles.items()) if role},
    )


def _class_of(milliseconds: float) -> int:
    low, high = 0, len(BOUNDS) - 1
    while low < high:
        middle = (low + high) // 2
        if milliseconds <= BOUNDS[middle]:
            high = middle
        else:
            low = middle + 1
    return low


def _share(times: Counter[int], share: float) -> int | None:
    """The bound below which this share of the answers came."""
    wanted, seen = share * times.total(), 0
    for each in sorted(times):
        seen += times[each]
        if seen >= wanted:
            return BOUNDS[each]
    return None

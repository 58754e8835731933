"""Which side answers a request: versioned rules of capabilities, and a choice that never wavers.

A rule says how far a capability has come; its routes say which requests belong to it and where
in a request the patient, the clinic or the visit stands. The same unit under the same rule always
lands on the same side, on every replica and after every restart; raising the percentage moves
units from legacy to the candidate and none back.
"""

import re
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote

import msgspec

from polyclinic.services.migration.domain.burn import Slo
from polyclinic.services.migration.domain.diffing.rules import Comparison, Severity
from polyclinic.services.migration.domain.ladder import LADDER, Step

Mode = Literal["off", "shadow", "canary", "live", "retired"]
Side = Literal["legacy", "candidate"]
Unit = Literal["patient", "clinic", "cohort"]
MODES: tuple[Mode, ...] = ("off", "shadow", "canary", "live", "retired")
SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
BUCKETS = 10_000
_SLASH = "\ufffe"  # stands in no address


class Candidate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the new system is asked; what is left empty is as the request came.

    `request` and `answer` are shapes (adapting.py): with them a body is read whole, not streamed.
    `own` asks in migration's own name, for whom the caller's credentials say nothing; so `guard` is
    an address of the old system that must let the caller in first.
    """

    method: str = ""
    path: str = ""
    query: str | None = None
    request: Any = None
    answer: Any = None
    own: bool = False
    guard: str = ""


class Proof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a change that is said to be done can be read: at the route named `read`.

    With `holds`, a shape over what was sent (adapting.py), some item of the list at `items` (or the
    whole answer) holds these values; without it the answer is another one than before the change.
    The address of `read` is filled from this route's, from the fields that were sent, and from
    `names`, a shape too (`{"inv": "$.inv_no"}`).
    """

    read: str
    names: Any = None
    items: str = ""
    holds: Any = None
    severity: Severity = 1


class Route(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Requests of one kind. `reads` says of a POST that it changes nothing (a search).

    `dry_run` names a header with which the candidate tries a write and keeps nothing of it; `kept`
    says where a write that the candidate acknowledged is looked for afterwards.
    """

    name: str
    method: str
    path: str
    unit: tuple[str, ...] = ()
    reads: bool = False
    dry_run: str = ""
    kept: Proof | None = None
    candidate: Candidate = Candidate()
    compare: Comparison = Comparison()

    @property
    def changes(self) -> bool:
        return self.method not in SAFE and not self.reads


class RouteRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far a capability has come; a new version for every change, and none is ever edited.

    `epoch` counts the times that everybody was sent back: what visits were promised before does
    not count after it. `writer` keeps one writer: legacy until the capability is live, or each
    unit's own side. `members` are keyed hashes of who opted in.
    """

    capability: str
    routes: tuple[Route, ...]
    version: int = 0
    mode: Mode = "off"
    unit: Unit = "patient"
    percent: int = 0
    epoch: int = 0
    held: bool = False
    automatic: bool = False
    writer: Literal["legacy", "side"] = "legacy"
    who: tuple[str, ...] = ()
    visit: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    shadow_percent: int = 100
    ladder: tuple[Step, ...] = LADDER
    slo: Slo = Slo()
    moved_to: str = ""

    @property
    def salt(self) -> bytes:
        """Units are dealt anew for each capability, so that not the same few are always first."""
        return self.capability.encode()


def bucket(key: bytes, salt: bytes, unit: bytes) -> int:
    """Where a unit stands from 0 to 9,999; nobody without the key can tell or choose."""
    digest = blake2b(len(salt).to_bytes(2, "big") + salt + unit, digest_size=8, key=key).digest()
    return int.from_bytes(digest, "big") % BUCKETS


class Asker(NamedTuple):
    """What a choice depends on: the unit's place, whether it opted in, what was promised."""

    bucket: int | None = None
    member: bool = False
    promised: Side | None = None


def choose(rule: RouteRule, asker: Asker) -> Side:
    """Who answers reads of this unit."""
    if rule.mode != "canary":
        return "candidate" if rule.mode == "live" else "legacy"
    if asker.promised is not None:
        return asker.promised
    if asker.member:
        return "candidate"
    if rule.unit == "cohort" or asker.bucket is None:
        return "legacy"
    return "candidate" if asker.bucket < rule.percent * (BUCKETS // 100) else "legacy"


def writer(rule: RouteRule, side: Side) -> Side:
    """Who carries out a change: exactly one side, the other hears of it by the sync."""
    if rule.mode == "canary" and rule.writer == "legacy":
        return "legacy"
    return side


class Asked(NamedTuple):
    """The parts of a request in which a unit may stand; names of headers in small letters."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any = None


def find(places: Iterable[str], asked: Asked) -> str | None:
    """The first that is there of `path:a`, `query:a`, `header:a`, `cookie:a`, `body:a.b`."""
    for place in places:
        where, _, name = place.partition(":")
        found = _look(where, name, asked)
        if found:
            return found
    return None


def _look(where: str, name: str, asked: Asked) -> str | None:
    match where:
        case "path":
            return asked.path.get(name)
        case "query":
            return asked.query.get(name)
        case "header":
            return asked.headers.get(name.lower())
        case "cookie":
            return _cookie(asked.headers.get("cookie", ""), name)
        case _:
            return _inside(asked.body, name.split("."))


def _cookie(header: str, name: str) -> str | None:
    pairs = (part.strip().partition("=") for part in header.split(";"))
    return next((value for key, _, value in pairs if key == name), None)


def _inside(value: Any, names: list[str]) -> str | None:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def needs_body(rule: RouteRule, route: Route) -> bool:
    """Whether something that decides stands in the body, which then must be read first."""
    places = (*route.unit, *rule.visit, *rule.who)
    return any(place.startswith("body:") for place in places)


class Match(NamedTuple):
    """A request's capability and route, and what its address names."""

    rule: RouteRule
    route: Route
    path: dict[str, str]


class Table:
    """All routes by method and number of steps; the more of an address is literal, the sooner."""

    def __init__(self, rules: Iterable[RouteRule]) -> None:
        self.rules = {rule.capability: rule for rule in rules}
        listed: dict[tuple[str, int], list[tuple[int, re.Pattern[str], RouteRule, Route]]] = {}
        for rule in self.rules.values():
            for route in rule.routes:
                literal = len(re.sub(r"\{\w+\}", "", route.path))
                path = route.path.rstrip("/") or "/"
                entry = (-literal, pattern(path), rule, route)
                listed.setdefault((route.method, path.count("/")), []).append(entry)
        self._routes = {at: sorted(found, key=lambda e: e[0]) for at, found in listed.items()}

    def match(self, method: str, path: str) -> Match | None:
        """`path` is as it was sent: another spelling of an address is no way around its rule."""
        method = "GET" if method == "HEAD" else method
        path = spelled(path)
        for _, shape, rule, route in self._routes.get((method, path.count("/")), ()):
            if (found := shape.fullmatch(path)) is not None:
                names = {
                    name: said.replace(_SLASH, "/") for name, said in found.groupdict().items()
                }
                return Match(rule, route, names)
        return None


def spelled(path: str) -> str:
    """An address as every server reads it: `/a//b/./c%20d/` is `/a/b/c d`.

    A slash that was sent as `%2F` belongs to a step and parts none; in here it is another sign.
    """
    steps: list[str] = []
    for part in path.split("/"):
        step = unquote(part)
        if step == "..":
            del steps[-1:]
        elif step not in ("", "."):
            steps.append(step.replace("/", _SLASH))
    return "/" + "/".join(steps)


def pattern(template: str) -> re.Pattern[str]:
    """`/patients/{patient}` as a pattern; a name stands for one step of the address."""
    parts = re.split(r"\{(\w+)\}", template)
    texts = (f"(?P<{p}>[^/]+)" if n % 2 else re.escape(p) for n, p in enumerate(parts))
    return re.compile("".join(texts))

"""Capabilities: what the old system does, as endpoints and tables that belong together.

Each is mapped to the service of ours that is likeliest to take it over, with how sure that is;
what a person said about it counts more.
"""

from collections.abc import Iterable, Mapping

import msgspec

from polyclinic.services.migration.domain.concepts import OTHER, best, concepts, spoken
from polyclinic.services.migration.domain.inventory.findings import Endpoint, Finding, Link, Table
from polyclinic.services.migration.domain.inventory.templates import ID

SERVICES = ("records", "appointments", "billing", "identity", "portal", "integration", "none")
SHOWN = 3


class Guess(msgspec.Struct, frozen=True):
    """A service of ours, and how likely it is the one."""

    service: str
    confidence: float


class Capability(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the old system does. `service` is "" for a gap: nothing of ours is known."""

    name: str
    title: str
    service: str
    confidence: float
    guesses: tuple[Guess, ...]
    confirmed_by: str = ""
    endpoints: tuple[Endpoint, ...] = ()
    tables: tuple[str, ...] = ()
    rows: int = 0
    depends_on: tuple[str, ...] = ()
    used_by: tuple[str, ...] = ()
    risk: str = "S3"
    data: str = "none"
    leaves: bool = False

    @property
    def requests(self) -> int:
        return sum(each.count for each in self.endpoints)

    @property
    def writes(self) -> int:
        return sum(each.count for each in self.endpoints if each.method != "GET")

    @property
    def writing(self) -> bool:
        return any(each.method != "GET" for each in self.endpoints)

    @property
    def failed(self) -> int:
        return sum(each.failed for each in self.endpoints)

    @property
    def p95_ms(self) -> int | None:
        return max(
            (each.p95_ms for each in self.endpoints if each.p95_ms is not None), default=None
        )

    def peak(self) -> tuple[int, int] | None:
        """The busiest hour of the week and its requests."""
        hours: dict[int, int] = {}
        for each in self.endpoints:
            for hour, count in each.hours.items():
                hours[hour] = hours.get(hour, 0) + count
        return max(hours.items(), key=lambda each: (each[1], -each[0])) if hours else None

    def roles(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for each in self.endpoints:
            for role, count in each.roles.items():
                found[role] = found.get(role, 0) + count
        return dict(sorted(found.items(), key=lambda each: (-each[1], each[0])))


class Correction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person said of a capability: which service it is, and what else belongs to it."""

    service: str
    author: str = ""


class _Group:
    def __init__(self) -> None:
        self.endpoints: list[Endpoint] = []
        self.tables: list[Table] = []
        self.scores: list[float] = []


def capabilities(
    finding: Finding,
    corrections: Mapping[str, Correction] | None = None,
    moved: Mapping[str, str] | None = None,
) -> tuple[Capability, ...]:
    """Groups what was found; `moved` says to which capability an endpoint or table belongs."""
    moved = moved or {}
    groups: dict[str, _Group] = {}
    for table in finding.tables:
        concept, how = best(of_table(table))
        name = moved.get(table.name, concept if concept != OTHER else f"other-{table.name}")
        group = groups.setdefault(name, _Group())
        group.tables.append(table)
        group.scores.append(how)
    for endpoint in finding.endpoints:
        concept, how = best(of_endpoint(endpoint))
        name = moved.get(endpoint.name, concept if concept != OTHER else _other(endpoint))
        group = groups.setdefault(name, _Group())
        group.endpoints.append(endpoint)
        group.scores.append(how)
    home = {table.name: name for name, group in groups.items() for table in group.tables}
    needs = _needs(finding.links, home)
    return tuple(
        _capability(name, groups[name], needs, (corrections or {}).get(name))
        for name in sorted(groups)
    )


def _other(endpoint: Endpoint) -> str:
    parts = [each for each in endpoint.template.split("/") if each and each != ID]
    return f"other-{parts[0].lower()}" if parts else "pages"


def of_table(table: Table) -> dict[str, float]:
    """A table speaks by its name; its columns help where the name says little."""
    return spoken([(table.name, 1.0), (table.title, 0.6)], (each.name for each in table.columns))


def of_endpoint(endpoint: Endpoint) -> dict[str, float]:
    """The last words of an address say more than the first; whose page it is says least."""
    parts = [each for each in endpoint.template.split("/") if each and each != ID]
    if not parts:
        return {"pages": 1.0}
    last = len(parts) - 1
    said = [(part, 1.0 - 0.18 * (last - at)) for at, part in enumerate(parts)]
    asked = [*endpoint.parameters, *endpoint.fields]
    return spoken([*said, (endpoint.title, 0.5)], asked)


def _needs(links: Iterable[Link], home: Mapping[str, str]) -> dict[str, set[str]]:
    """Which capability's rows mean rows of which other's."""
    needs: dict[str, set[str]] = {}
    for link in links:
        mine, theirs = home.get(link.table), home.get(link.to_table)
        if mine and theirs and mine != theirs:
            needs.setdefault(mine, set()).add(theirs)
    return needs


def _capability(
    name: str, group: _Group, needs: Mapping[str, set[str]], correction: Correction | None
) -> Capability:
    concept = concepts().get(name)
    guesses = _guesses(name, max(group.scores, default=0.0))
    confirmed = correction is not None
    return Capability(
        name=name,
        title=concept.title if concept else name.removeprefix("other-"),
        service=correction.service if correction else guesses[0].service if guesses else "",
        confidence=1.0 if confirmed else guesses[0].confidence if guesses else 0.0,
        guesses=guesses,
        confirmed_by=correction.author if correction else "",
        endpoints=tuple(sorted(group.endpoints, key=lambda each: each.name)),
        tables=tuple(sorted(each.name for each in group.tables)),
        rows=sum(each.rows or 0 for each in group.tables),
        depends_on=tuple(sorted(needs.get(name, ()))),
        used_by=tuple(sorted(other for other, theirs in needs.items() if name in theirs)),
        risk=concept.risk if concept else "S3",
        data=concept.data if concept else "unknown",
        leaves=concept.leaves if concept else False,
    )


def _guesses(name: str, how: float) -> tuple[Guess, ...]:
    concept = concepts().get(name)
    if concept is None:
        return ()
    made = [Guess(each, round(sure * how, 3)) for each, sure in concept.services.items()]
    return tuple(sorted(made, key=lambda each: (-each.confidence, each.service))[:SHOWN])

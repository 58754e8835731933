"""What one source showed of an old system: endpoints, tables and links between them."""

from collections.abc import Iterable
from typing import Literal, TypeVar

import msgspec

K = TypeVar("K", int, str)
Source = Literal["openapi", "har", "log", "database", "csv"]
SOURCES: tuple[Source, ...] = ("openapi", "har", "log", "database", "csv")
# How many of each a finding may name: an old system has hundreds.
ENDPOINTS_MAX, TABLES_MAX, COLUMNS_MAX, NAME_MAX = 3000, 3000, 1000, 200


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of one shape. `hours` counts them by hour of the week, Monday at midnight first."""

    method: str
    template: str
    count: int = 0
    failed: int = 0
    users: int = 0
    p50_ms: int | None = None
    p95_ms: int | None = None
    parameters: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    hours: dict[int, int] = {}
    roles: dict[str, int] = {}
    title: str = ""

    @property
    def name(self) -> str:
        return f"{self.method} {self.template}"


class Column(msgspec.Struct, frozen=True):
    """A column and its type as the database says it, in small letters."""

    name: str
    type: str = ""
    nullable: bool = True


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table; `unique` are columns each of which names a row by itself, its key included."""

    name: str
    columns: tuple[Column, ...] = ()
    key: tuple[str, ...] = ()
    unique: tuple[str, ...] = ()
    rows: int | None = None
    title: str = ""


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A column that means a row of another table; `found` is the share of values that are there."""

    table: str
    column: str
    to_table: str
    to_column: str
    declared: bool
    confidence: float = 1.0
    found: float | None = None

    @property
    def name(self) -> str:
        return f"{self.table}.{self.column} -> {self.to_table}.{self.to_column}"


class BadLine(msgspec.Struct, frozen=True):
    """Where something could not be read, and in what way; never what stood there."""

    line: int
    reason: str


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """All that one source showed."""

    source: Source
    label: str = ""
    endpoints: tuple[Endpoint, ...] = ()
    tables: tuple[Table, ...] = ()
    links: tuple[Link, ...] = ()
    read: int = 0
    bad: int = 0
    bad_lines: tuple[BadLine, ...] = ()
    left_out: dict[str, int] = {}
    first: str = ""
    last: str = ""


def merged(findings: Iterable[Finding]) -> Finding:
    """Several sources as one picture; a table that is described twice is taken at its fullest."""
    endpoints: dict[str, Endpoint] = {}
    tables: dict[str, Table] = {}
    links: dict[str, Link] = {}
    for finding in findings:
        for endpoint in finding.endpoints:
            known = endpoints.get(endpoint.name)
            endpoints[endpoint.name] = endpoint if known is None else _both(known, endpoint)
        for table in finding.tables:
            known = tables.get(table.name)
            if known is None or len(table.columns) >= len(known.columns):
                tables[table.name] = table
        for link in finding.links:
            known = links.get(link.name)
            if known is None or (link.declared, link.confidence) > (
                known.declared,
                known.confidence,
            ):
                links[link.name] = link
    return Finding(
        source="log",
        endpoints=tuple(endpoints[name] for name in sorted(endpoints)),
        tables=tuple(tables[name] for name in sorted(tables)),
        links=tuple(links[name] for name in sorted(links)),
    )


def _both(one: Endpoint, other: Endpoint) -> Endpoint:
    """Counts are added: the logs of two weeks are two sources."""
    more, less = (one, other) if one.count >= other.count else (other, one)
    return msgspec.structs.replace(
        more,
        count=one.count + other.count,
        failed=one.failed + other.failed,
        users=max(one.users, other.users),
        p95_ms=max((p for p in (one.p95_ms, other.p95_ms) if p is not None), default=None),
        p50_ms=more.p50_ms if more.p50_ms is not None else less.p50_ms,
        parameters=tuple(sorted({*one.parameters, *other.parameters})),
        fields=tuple(sorted({*one.fields, *other.fields})),
        hours=_sum(one.hours, other.hours),
        roles=_sum(one.roles, other.roles),
        title=one.title or other.title,
    )


def _sum(one: dict[K, int], other: dict[K, int]) -> dict[K, int]:
    return {key: one.get(key, 0) + other.get(key, 0) for key in sorted({*one, *other})}

"""What a criterion may ask of a value, and queries made of criteria. All of it is plain data."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class TokenAsk:
    """`code`, `system|code`, `|code` (system "") or `system|` (no code)."""

    system: str | None
    code: str | None


@dataclass(frozen=True, slots=True)
class OfTypeAsk:
    """An identifier by the code of its type and its value (`:of-type=system|code|value`)."""

    system: str
    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class ReferenceAsk:
    """`Type/id` or `id` (any of the parameter's target types), or an absolute address."""

    types: tuple[str, ...]
    id: str | None
    url: str | None


@dataclass(frozen=True, slots=True)
class TextAsk:
    """A string to begin with (or as the modifier says), or a URI."""

    text: str


@dataclass(frozen=True, slots=True)
class DateAsk:
    """A half-open range of instants, and how it is compared."""

    prefix: str
    low: datetime
    high: datetime


@dataclass(frozen=True, slots=True)
class NumberAsk:
    """A half-open range of numbers by its digits, how it is compared, and the unit if asked."""

    prefix: str
    value: Decimal
    low: Decimal
    high: Decimal
    system: str | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class MissingAsk:
    """Whether a resource must have no value for the parameter, or must have one."""

    missing: bool


@dataclass(frozen=True, slots=True)
class CompositeAsk:
    """`a$b`: one ask for each component, to be met by values of the same element."""

    parts: tuple["Criterion", ...]


@dataclass(frozen=True, slots=True)
class ValueSetAsk:
    """A value set by its address, or by `ValueSet/id` on this server; resolved before searching."""

    url: str


@dataclass(frozen=True, slots=True)
class ChainAsk:
    """A reference to whatever one of these queries finds; resolved before searching."""

    targets: tuple["Query", ...]
    stated: bool  # whether the client named the type


@dataclass(frozen=True, slots=True)
class HasAsk:
    """To be referred to, by the parameter `through`, from what the query finds; resolved before."""

    through: str
    query: "Query"


Ask = (
    TokenAsk
    | OfTypeAsk
    | ReferenceAsk
    | TextAsk
    | DateAsk
    | NumberAsk
    | MissingAsk
    | CompositeAsk
    | ValueSetAsk
    | ChainAsk
    | HasAsk
)


@dataclass(frozen=True, slots=True)
class Criterion:
    """One parameter of the query: any of its asks may match (with `not`: none may)."""

    param: str
    type: str
    modifier: str | None
    asks: tuple[Ask, ...]


@dataclass(frozen=True, slots=True)
class SortKey:
    """One key of `_sort`."""

    param: str
    type: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Include:
    """`source:param[:target]`; param "*" is all references."""

    source: str
    param: str
    target: str | None


@dataclass(frozen=True, slots=True)
class Query:
    """A search of one type, read and checked."""

    type: str
    criteria: tuple[Criterion, ...]
    sort: tuple[SortKey, ...]
    count: int
    total: str
    summary: str
    elements: tuple[str, ...]
    includes: tuple[Include, ...]
    revincludes: tuple[Include, ...]
    pairs: tuple[tuple[str, str], ...]  # as asked, for the self and next links
    page: str | None

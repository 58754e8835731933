"""What a client asks for, as values. https://hl7.org/fhir/R4/search.html"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from polyclinic.foundation.errors import Invalid, Issue, TooCostly
from polyclinic.standards.fhir.definitions import (
    SearchParameter,
    resource_types,
    search_parameters,
)
from polyclinic.standards.fhir.search_values import (
    date_range,
    number_range,
    unsupported_parameters,
)

COUNT_DEFAULT, COUNT_MAX = 20, 1000
OR_MAX = 500
_DECIMAL = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)  # as FHIR writes them
PREFIXES = frozenset(["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"])
RESULT = frozenset(
    [
        "_count",
        "_sort",
        "_total",
        "_include",
        "_revinclude",
        "_summary",
        "_elements",
        "_page",
        "_format",
        "_pretty",
    ]
)
MODIFIERS: Mapping[str, frozenset[str]] = {
    "string": frozenset({"exact"}),
    "reference": frozenset(resource_types()),
}


class UnknownParameter(Invalid):
    """This server has no such search parameter."""

    code = "not-supported"


class NotAnswered(Invalid):
    """That part of search is not offered by this server."""

    code = "not-supported"


@dataclass(frozen=True, slots=True)
class TokenAsk:
    """`code`, `system|code`, `|code` (system "") or `system|` (no code)."""

    system: str | None
    code: str | None


@dataclass(frozen=True, slots=True)
class ReferenceAsk:
    """`Type/id` or `id` (any of the parameter's target types), or an absolute address."""

    types: tuple[str, ...]
    id: str | None
    url: str | None


@dataclass(frozen=True, slots=True)
class TextAsk:
    """A string to begin with (or to equal, with :exact), or a URI."""

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


Ask = TokenAsk | ReferenceAsk | TextAsk | DateAsk | NumberAsk


@dataclass(frozen=True, slots=True)
class Criterion:
    """One parameter of the query: any of its asks may match."""

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


def parse(resource_type: str, pairs: Sequence[tuple[str, str]], *, lenient: bool = False) -> Query:
    """Reads parameters; unknown ones are refused by name, or left out when lenient."""
    criteria: list[Criterion] = []
    results: dict[str, list[str]] = {}
    used: list[tuple[str, str]] = []
    for name, value in pairs:
        if name in RESULT:
            results.setdefault(name, []).append(value)
        else:
            criterion = _criterion(resource_type, name, value, lenient=lenient)
            if criterion is None:
                continue
            criteria.append(criterion)
        if name != "_page":
            used.append((name, value))
    return Query(
        type=resource_type,
        criteria=tuple(criteria),
        sort=_sort(resource_type, _last(results, "_sort", "")),
        count=_count(_last(results, "_count", str(COUNT_DEFAULT))),
        total=_one_of("_total", _last(results, "_total", "none"), ("none", "estimate", "accurate")),
        summary=_one_of(
            "_summary",
            _last(results, "_summary", "false"),
            ("true", "text", "data", "count", "false"),
        ),
        elements=tuple(e for v in results.get("_elements", []) for e in v.split(",") if e),
        includes=tuple(_include("_include", v, resource_type) for v in results.get("_include", [])),
        revincludes=tuple(_include("_revinclude", v, None) for v in results.get("_revinclude", [])),
        pairs=tuple(used),
        page=results["_page"][-1] if "_page" in results else None,
    )


def _last(results: Mapping[str, list[str]], name: str, default: str) -> str:
    return results[name][-1] if name in results else default


def _one_of(name: str, value: str, offered: tuple[str, ...]) -> str:
    if value not in offered:
        raise Invalid(f"{name} is one of {', '.join(offered)}.", place=name)
    return value


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Invalid("_count is a number of entries, such as 20.", place="_count")
    return min(int(text), COUNT_MAX)


def _sort(resource_type: str, text: str) -> tuple[SortKey, ...]:
    keys: list[SortKey] = []
    for part in filter(None, text.split(",")):
        name, descending = part.removeprefix("-"), part.startswith("-")
        parameter = _parameter(resource_type, name, "_sort")
        if name in unsupported_parameters(resource_type) or parameter.type not in _READ:
            raise NotAnswered(f"Sorting {resource_type} by {name} is not offered.", place="_sort")
        keys.append(SortKey(name, parameter.type, descending))
    return tuple(keys)


def _include(name: str, text: str, source: str | None) -> Include:
    parts = text.split(":")
    if text == "*" and source is not None:
        return Include(source, "*", None)
    if not 2 <= len(parts) <= 3 or parts[0] not in resource_types():
        raise Invalid(f"{name} is written Type:parameter or Type:parameter:Target.", place=name)
    if source is not None and parts[0] != source:
        raise NotAnswered(f"{name} starts from {source} here.", place=name)
    if parts[1] != "*" and _parameter(parts[0], parts[1], name).type != "reference":
        raise Invalid(f"{parts[1]} of {parts[0]} is not a reference.", place=name)
    target = parts[2] if len(parts) == 3 else None
    if target is not None and target not in resource_types():
        raise Invalid(f"There is no type {target}.", place=name)
    return Include(parts[0], parts[1], target)


def _parameter(resource_type: str, code: str, place: str) -> SearchParameter:
    parameter = search_parameters(resource_type).get(code)
    if parameter is None:
        known = ", ".join(search_parameters(resource_type))
        text = f"{resource_type} has no search parameter {code!r}. It has: {known}."
        raise UnknownParameter(text, place=place, issues=(Issue(text, place, "not-supported"),))
    return parameter


def _criterion(resource_type: str, name: str, value: str, *, lenient: bool) -> Criterion | None:
    code, _, modifier = name.partition(":")
    if "." in code or code == "_has":
        raise NotAnswered("Chained searches are not offered yet.", place=code)
    try:
        parameter = _parameter(resource_type, code, code)
    except UnknownParameter:
        if lenient:
            return None
        raise
    if code in unsupported_parameters(resource_type) or parameter.type not in _READ:
        raise NotAnswered(f"Searching {resource_type} by {code} is not offered yet.", place=code)
    if modifier and modifier not in MODIFIERS.get(parameter.type, ()):
        raise NotAnswered(f"The modifier :{modifier} is not offered for {code}.", place=name)
    reader = _READ[parameter.type]
    asks = tuple(reader(parameter, modifier or None, part) for part in _parts(code, value))
    return Criterion(code, parameter.type, modifier or None, asks)


def _parts(code: str, value: str) -> list[str]:
    """The alternatives of a value."""
    if value == "":
        raise Invalid(f"The search parameter {code} has no value.", place=code)
    if "\0" in value:
        raise Invalid("A value contains the character U+0000, which FHIR forbids.", place=code)
    parts = _split(value, ",")
    if len(parts) > OR_MAX:
        raise TooCostly(f"At most {OR_MAX} alternatives may be asked for at once.", place=code)
    return parts


def _split(text: str, separator: str) -> list[str]:
    r"""Splits at a separator that is not escaped by a backslash."""
    parts, part, escaped = [], "", False
    for letter in text:
        if escaped:
            part += letter if letter in ",|$\\" else "\\" + letter
            escaped = False
        elif letter == "\\":
            escaped = True
        elif letter == separator:
            parts.append(part)
            part = ""
        else:
            part += letter
    return [*parts, part + ("\\" if escaped else "")]


def _token(_: SearchParameter, __: str | None, text: str) -> TokenAsk:
    system, bar, code = text.partition("|")
    if not bar:
        return TokenAsk(None, system)
    return TokenAsk(system, code or None)


def _reference(parameter: SearchParameter, modifier: str | None, text: str) -> ReferenceAsk:
    targets = (modifier,) if modifier else parameter.target
    if text.startswith(("http://", "https://", "urn:")):
        return ReferenceAsk((), None, text)
    kind, slash, name = text.rpartition("/")
    if not slash:
        return ReferenceAsk(targets or resource_types(), text, None)
    if kind not in resource_types():
        raise Invalid(f"There is no type {kind!r}.", place=parameter.code)
    return ReferenceAsk((kind,), name, None)


def _text(_: SearchParameter, __: str | None, text: str) -> TextAsk:
    return TextAsk(text)


def _prefixed(text: str) -> tuple[str, str]:
    return (text[:2], text[2:]) if text[:2] in PREFIXES else ("eq", text)


def _date(parameter: SearchParameter, _: str | None, text: str) -> DateAsk:
    prefix, rest = _prefixed(text)
    try:
        low, high = date_range(rest)
    except ValueError as refused:
        raise Invalid(
            f"{parameter.code} wants a date such as 2026-11-22 or ge2026-11-22T08:30:00Z.",
            place=parameter.code,
        ) from refused
    return DateAsk(prefix, low, high)


def _number(parameter: SearchParameter, _: str | None, text: str) -> NumberAsk:
    prefix, rest = _prefixed(text)
    parts = rest.split("|")
    if not _DECIMAL.fullmatch(parts[0]):
        raise _not_a_number(parameter)
    try:
        value = Decimal(parts[0])
        low, high = number_range(value)
    except (ValueError, ArithmeticError) as refused:
        raise _not_a_number(parameter) from refused
    if not value.is_finite() or abs(value.adjusted()) > 300:
        raise _not_a_number(parameter)
    if parameter.type == "quantity" and len(parts) == 3:
        return NumberAsk(prefix, value, low, high, parts[1] or None, parts[2] or None)
    if len(parts) != 1:
        raise Invalid(f"{parameter.code} is written number|system|unit.", place=parameter.code)
    return NumberAsk(prefix, value, low, high)


def _not_a_number(parameter: SearchParameter) -> Invalid:
    text = f"{parameter.code} wants a number such as 7.4 or gt7.4."
    return Invalid(text, place=parameter.code)


_READ: Mapping[str, Callable[[SearchParameter, str | None, str], Ask]] = {
    "token": _token,
    "reference": _reference,
    "string": _text,
    "uri": _text,
    "date": _date,
    "number": _number,
    "quantity": _number,
}

"""What a client asks for, as a query. https://hl7.org/fhir/R4/search.html"""

import re
from collections.abc import Mapping, Sequence

from polyclinic.fhirserver.search.asks import (
    ChainAsk,
    Criterion,
    HasAsk,
    Include,
    Query,
    SortKey,
)
from polyclinic.fhirserver.search.reading import READ, asks_of, takes
from polyclinic.foundation.errors import Invalid, Issue
from polyclinic.standards.fhir.definitions import (
    SearchParameter,
    resource_types,
    search_parameters,
)
from polyclinic.standards.fhir.search_values import unsupported_parameters

COUNT_DEFAULT, COUNT_MAX = 20, 1000
DEPTH_MAX = 2  # steps of a chain, of `_has`, or of both together
TARGETS_MAX = 8  # types that a chain may try when it names none
_TYPES = frozenset(resource_types())
_CHAIN = re.compile(r"([^.:]+)(?::([^.:]*))?\.(.+)", re.DOTALL)
SEARCHED = frozenset({*READ, "composite"})
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
# R4 has them for every type; each would read all texts, or run what a client sends.
NOT_OFFERED = frozenset({"_text", "_content", "_filter", "_list", "_query", "_type"})


class UnknownParameter(Invalid):
    """This server has no such search parameter."""

    code = "not-supported"


class NotAnswered(Invalid):
    """That part of search is not offered by this server."""

    code = "not-supported"


def parse(
    resource_type: str,
    pairs: Sequence[tuple[str, str]],
    *,
    lenient: bool = False,
    depth: int = 0,
) -> Query:
    """Reads parameters; unknown ones are refused by name, or left out when lenient."""
    criteria: list[Criterion] = []
    results: dict[str, list[str]] = {}
    used: list[tuple[str, str]] = []
    for name, value in pairs:
        if name in RESULT:
            results.setdefault(name, []).append(value)
        else:
            criterion = _criterion(resource_type, name, value, lenient=lenient, depth=depth)
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
        if parameter.type not in READ or name in unsupported_parameters(resource_type):
            raise NotAnswered(f"Sorting by {name} is not offered.", place="_sort")
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
        text = f"{resource_type} has no search parameter {code[:64]!r}. It has: {known}."
        raise UnknownParameter(text, place=place, issues=(Issue(text, place, "not-supported"),))
    return parameter


def _criterion(
    resource_type: str, name: str, value: str, *, lenient: bool, depth: int
) -> Criterion | None:
    if name.startswith("_has:"):
        return _has(resource_type, name, value, depth)
    if (chain := _CHAIN.fullmatch(name)) is not None:
        return _chain(resource_type, chain, value, depth)
    code, colon, modifier = name.partition(":")
    if code in NOT_OFFERED:
        raise NotAnswered(f"{code} is not offered here.", place=code)
    try:
        parameter = _parameter(resource_type, code, code[:64])
    except UnknownParameter:
        if lenient:
            return None
        raise
    if code in unsupported_parameters(resource_type) or parameter.type not in SEARCHED:
        raise NotAnswered(f"Searching {resource_type} by {code} is not offered yet.", place=code)
    if colon and not takes(parameter, modifier):
        text = f"The modifier :{modifier[:64]} is not offered for {code}."
        raise NotAnswered(text, place=name[:128])
    used = modifier or None
    return Criterion(code, parameter.type, used, asks_of(parameter, used, value))


def _chain(resource_type: str, found: re.Match[str], value: str, depth: int) -> Criterion:
    """`subject:Patient.name=…`: the inner part is a query of its own."""
    code, kind, rest = found[1], found[2], found[3]
    place = found[0][:128]
    parameter = _parameter(resource_type, code, code[:64])
    _need_reference(resource_type, parameter, place)
    _need_depth(depth, place)
    targets = parameter.target or resource_types()
    if kind is not None and kind not in targets:
        raise Invalid(f"{code} of {resource_type} never leads to {kind[:64]!r}.", place=place)
    name = re.split(r"[.:]", rest, maxsplit=1)[0]
    fitting = [
        t for t in ((kind,) if kind else targets)
        if kind or name == "_has" or name in search_parameters(t)
    ]  # fmt: skip
    if not fitting:
        raise UnknownParameter(f"Nothing that {code} leads to has {name[:64]!r}.", place=place)
    if len(fitting) > TARGETS_MAX:
        raise Invalid(f"Say to which type, such as {code}:{fitting[0]}.{name[:64]}.", place=place)
    queries = tuple(_inner(target, rest, value, depth) for target in fitting)
    return Criterion(code, "chain", None, (ChainAsk(queries, stated=kind is not None),))


def _has(resource_type: str, name: str, value: str, depth: int) -> Criterion:
    """`_has:Observation:patient:code=…`: to be pointed at by what the inner query finds."""
    place = name[:128]
    parts = name.split(":", 3)
    if len(parts) != 4 or parts[1] not in _TYPES or not parts[3]:
        raise Invalid("_has is written _has:Type:reference:parameter.", place=place)
    _, source, through, rest = parts
    parameter = _parameter(source, through, place)
    _need_reference(source, parameter, place)
    _need_depth(depth, place)
    if parameter.target and resource_type not in parameter.target:
        raise Invalid(f"{through} of {source} never leads to {resource_type}.", place=place)
    query = _inner(source, rest, value, depth)
    return Criterion("_id", "has", None, (HasAsk(through, query),))


def _inner(resource_type: str, name: str, value: str, depth: int) -> Query:
    if name.partition(":")[0] in RESULT:
        raise Invalid(f"{name[:64]} says nothing inside of a chain.", place=name[:64])
    return parse(resource_type, [(name, value)], depth=depth + 1)


def _need_reference(resource_type: str, parameter: SearchParameter, place: str) -> None:
    if parameter.type != "reference" or parameter.code in unsupported_parameters(resource_type):
        raise Invalid(f"{parameter.code} of {resource_type} is no reference.", place=place)


def _need_depth(depth: int, place: str) -> None:
    if depth >= DEPTH_MAX:
        raise NotAnswered(f"A chain has at most {DEPTH_MAX} steps here.", place=place)

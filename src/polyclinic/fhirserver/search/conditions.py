"""From criteria to what the index can answer: terms that must occur, and ranges."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import LiteralString

from polyclinic.fhirserver.index import (
    IDENTIFYING,
    PERSONAL_DATES,
    POSTED,
    date_precision,
    stored_under,
    unit_term,
)
from polyclinic.fhirserver.search.asks import (
    CompositeAsk,
    Criterion,
    DateAsk,
    NumberAsk,
    OfTypeAsk,
    Query,
    ReferenceAsk,
    TextAsk,
    TokenAsk,
)
from polyclinic.fhirserver.search.statement import Statement, both, either
from polyclinic.fhirserver.terms import Terms, param_number


@dataclass(frozen=True, slots=True)
class TermGroup:
    """A resource that matches has at least one of these terms.

    `posted`: its postings can be walked newest first. `refers`: it stands for a reference, which
    in a chart nearly every row has.
    """

    terms: tuple[int, ...]
    posted: bool
    refers: bool = False


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the index answers; `exact` when nothing remains for the opened resource to decide."""

    groups: tuple[TermGroup, ...]
    ids: tuple[str, ...] | None
    ranges: tuple[Criterion, ...]
    exact: bool


# What these ask stands in no term: every candidate is opened.
_OPENED = frozenset({"missing", "not", "contains", "text", "identifier", "below"})


def conditions(terms: Terms, query: Query) -> Conditions:
    """Criteria must be resolved: no chains, no value sets."""
    groups: list[TermGroup] = []
    ranges: list[Criterion] = []
    ids: tuple[str, ...] | None = None
    exact = True
    for criterion in _simple(query.criteria):
        if criterion.modifier in _OPENED:
            exact = False
        elif criterion.param == "_id":
            asked = tuple(a.code for a in criterion.asks if isinstance(a, TokenAsk) and a.code)
            ids = asked if ids is None else tuple(i for i in ids if i in asked)
            # An id has no system: only the opened resource says no to one.
            exact = exact and not any(isinstance(a, TokenAsk) and a.system for a in criterion.asks)
        elif criterion.type in ("date", "number", "quantity") and not _is_personal(
            query, criterion
        ):
            ranges.append(criterion)
            exact = exact and _is_exact_range(criterion)
        else:
            group, whole = _group(terms, query.type, criterion)
            exact = exact and whole
            if group is not None:
                groups.append(group)
    exact = exact and all(criterion.type != "composite" for criterion in query.criteria)
    return Conditions(tuple(groups), ids, tuple(ranges), exact)


def _simple(criteria: tuple[Criterion, ...]) -> list[Criterion]:
    """A composite becomes its parts: each must be met, though perhaps by other elements."""
    found: list[Criterion] = []
    for criterion in criteria:
        if criterion.type != "composite":
            found.append(criterion)
            continue
        asked = [ask.parts for ask in criterion.asks if isinstance(ask, CompositeAsk)]
        found += [
            replace(same[0], asks=tuple(ask for part in same for ask in part.asks))
            for same in zip(*asked, strict=True)
        ]
    return found


def _is_personal(query: Query, criterion: Criterion) -> bool:
    return (query.type, criterion.param) in PERSONAL_DATES


def _is_exact_range(criterion: Criterion) -> bool:
    return criterion.type == "date" and all(
        isinstance(a, DateAsk) and a.prefix in ("eq", "gt", "lt", "sa", "eb")
        for a in criterion.asks
    )


def _group(terms: Terms, kind: str, criterion: Criterion) -> tuple[TermGroup | None, bool]:
    """The criterion's terms (None: the index cannot help), and whether they decide alone."""
    found: list[int] = []
    exact, posted = True, criterion.param in POSTED
    for param in stored_under(kind, criterion.param):
        for ask in criterion.asks:
            known, sure, plain = _ask_terms(terms, kind, replace(criterion, param=param), ask)
            if known is None:
                return None, False
            found.extend(known)
            exact, posted = exact and sure, posted and plain
    is_posted, refers = posted and criterion.type == "token", criterion.type == "reference"
    return TermGroup(tuple(dict.fromkeys(found)), is_posted, refers), exact


# Terms (None: the index cannot help), whether they decide alone, whether postings know them.
_Known = tuple[tuple[int, ...] | None, bool, bool]


def _ask_terms(terms: Terms, kind: str, criterion: Criterion, ask: object) -> _Known:
    param = criterion.param
    if isinstance(ask, TokenAsk):
        return _token_terms(terms, kind, param, ask)
    if isinstance(ask, OfTypeAsk):
        found, _, __ = _token_terms(terms, kind, param, TokenAsk(None, ask.value))
        return found, False, False
    if isinstance(ask, ReferenceAsk):
        targets = (ask.url,) if ask.url else [f"{t}/{ask.id}" for t in ask.types]
        return tuple(terms.term(kind, param, "reference", t) for t in targets if t), True, False
    if isinstance(ask, TextAsk):
        return _text_terms(terms, kind, criterion, ask.text)
    if isinstance(ask, DateAsk):
        return _day_terms(terms, kind, param, ask)
    return None, False, False


def _text_terms(terms: Terms, kind: str, criterion: Criterion, text: str) -> _Known:
    param = criterion.param
    if criterion.modifier == "above":
        return tuple(terms.common(kind, param, "uri", t) for t in _above(text)), False, False
    if criterion.type == "uri":
        return (terms.common(kind, param, "uri", text),), True, False
    if criterion.modifier == "exact":
        return terms.asked_whole(kind, param, text), False, False
    return terms.asked_text(kind, param, text), False, False


def _day_terms(terms: Terms, kind: str, param: str, ask: DateAsk) -> _Known:
    if ask.prefix == "eq":
        precision = date_precision(ask.low, ask.high)
        day = ask.low.date()
        # A time of day is asked of the opened resource: the index knows whole days.
        exact = precision == 3 and ask.high - ask.low == timedelta(days=1)
        return (terms.day_terms(kind, param, day, precision)[-1],), exact, False
    if (years := _years(ask)) is not None:
        return tuple(terms.term(kind, param, "date", f"{y:04}") for y in years), False, False
    return None, False, False


def _above(address: str) -> list[str]:
    """The address and all that it lies below, with and without a slash at the end."""
    scheme, _, rest = address.partition("://")
    parts = rest.split("/")
    starts = ["/".join(parts[: n + 1]) for n in range(len(parts))]
    return [f"{scheme}://{start}{end}" for start in starts for end in ("", "/")]


# People alive today, and the records of those who were: nobody was born before this.
_YEAR_MIN, _YEAR_MAX = 1850, 2150


def _years(ask: DateAsk) -> range | None:
    """A range of birth dates becomes its years; each hit is verified on the opened resource."""
    if ask.prefix in ("gt", "ge", "sa"):
        return range(max(ask.low.year, _YEAR_MIN), _YEAR_MAX)
    if ask.prefix in ("lt", "le", "eb"):
        return range(_YEAR_MIN, min(ask.high.year, _YEAR_MAX) + 1)
    return None


def _token_terms(terms: Terms, kind: str, param: str, ask: TokenAsk) -> _Known:
    if ask.code is None:
        return None, False, False
    text, variant = (f"{ask.system}|{ask.code}", "both") if ask.system else (ask.code, "code")
    sure = ask.system != ""
    if param in IDENTIFYING:
        # One half of the 128 bits finds it; the opened resource decides.
        return (terms.pair(kind, param, variant, text)[0],), False, False
    return (terms.common(kind, param, variant, text),), sure, variant == "code"


def range_condition(
    statement: Statement, terms: Terms, kind: str, criterion: Criterion
) -> LiteralString:
    """SQL for one date, number or quantity criterion: a superset of what matches."""
    if criterion.param == "_lastUpdated":
        return either([_updated(statement, ask) for ask in criterion.asks])
    joined = stored_under(kind, criterion.param)
    numbers = statement.bind([param_number(kind, param) for param in joined]) + "::int[]"
    if criterion.type == "date":
        tests = either([_date_test(statement, ask) for ask in criterion.asks])
        return _exists_date(numbers, tests)
    tests = either([_number_test(statement, terms, ask) for ask in criterion.asks])
    return _exists_number(numbers, tests)


def _exists_date(numbers: LiteralString, tests: LiteralString) -> LiteralString:
    return (
        "EXISTS (SELECT FROM date_range x WHERE x.pid = r.pid AND x.param = ANY ("
        + numbers
        + ") AND "
        + tests
        + ")"
    )


def _exists_number(numbers: LiteralString, tests: LiteralString) -> LiteralString:
    return (
        "EXISTS (SELECT FROM number_range x WHERE x.pid = r.pid AND x.param = ANY ("
        + numbers
        + ") AND "
        + tests
        + ")"
    )


def _updated(statement: Statement, ask: object) -> LiteralString:
    assert isinstance(ask, DateAsk)
    low, high = statement.bind(ask.low), statement.bind(ask.high)
    whole: dict[str, LiteralString] = {
        "gt": "r.updated >= " + high,
        "sa": "r.updated >= " + high,
        "ge": "r.updated >= " + low,
        "lt": "r.updated < " + low,
        "eb": "r.updated < " + low,
        "le": "r.updated < " + high,
        "ne": "(r.updated < " + low + " OR r.updated >= " + high + ")",
    }
    used = whole.get(ask.prefix, "r.updated >= " + low + " AND r.updated < " + high)
    # Both values are bound whichever is used, so that the statement's shape stays known.
    return "(" + used + " AND " + low + "::timestamptz <= " + high + "::timestamptz)"


def _date_test(statement: Statement, ask: object) -> LiteralString:
    assert isinstance(ask, DateAsk)
    low, high = _moment(statement, ask.low), _moment(statement, ask.high)
    tests: dict[str, LiteralString] = {
        "eq": "x.low >= " + low + " AND x.high <= " + high,
        "ne": "(x.low < " + low + " OR x.high > " + high + ")",
        "gt": "x.high > " + high,
        "sa": "x.low >= " + high,
        "ge": "(x.high > " + high + " OR x.low >= " + low + ")",
        "lt": "x.low < " + low,
        "eb": "x.high <= " + low,
        "le": "(x.low < " + low + " OR x.high <= " + high + ")",
        "ap": "x.low < " + high + " AND x.high > " + low,
    }
    return "(" + tests[ask.prefix] + " AND " + low + " <= " + high + ")"


def _moment(statement: Statement, value: datetime) -> LiteralString:
    return statement.bind(value) + "::timestamptz"


def _number_test(statement: Statement, terms: Terms, ask: object) -> LiteralString:
    assert isinstance(ask, NumberAsk)
    # A tenth more on both sides covers `ap`, and rounding of decimals to doubles everywhere.
    slack = abs(float(ask.value)) * (0.1 if ask.prefix == "ap" else 1e-12)
    low = statement.bind(float(ask.low) - slack) + "::float8"
    high = statement.bind(float(ask.high) + slack) + "::float8"
    above, below = "x.high >= " + low, "x.low <= " + high
    by_prefix: dict[str, LiteralString] = {
        "gt": above, "ge": above, "sa": above, "lt": below, "le": below, "eb": below, "ne": "true",
    }  # fmt: skip
    # Both values are bound whichever is used, so that the statement's shape stays known.
    tests: list[LiteralString] = [by_prefix.get(ask.prefix, above + " AND " + below)]
    tests.append(low + " <= " + high)
    if ask.unit is not None:
        tests.append("x.unit = " + statement.bind(unit_term(terms, ask.unit)))
    return "(" + both(tests) + ")"

"""Whether an opened resource really matches: the index only proposes, this decides."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from polyclinic.fhirserver.index import EARLIEST, LATEST
from polyclinic.fhirserver.search.asks import (
    CompositeAsk,
    Criterion,
    DateAsk,
    MissingAsk,
    NumberAsk,
    OfTypeAsk,
    ReferenceAsk,
    TextAsk,
    TokenAsk,
)
from polyclinic.standards.fhir.search_values import (
    CompositeValue,
    DateValue,
    NumberValue,
    QuantityValue,
    ReferenceValue,
    SearchValue,
    StringValue,
    TokenValue,
    UriValue,
    extract,
    normalise_text,
)


def params_of(criteria: Sequence[Criterion]) -> frozenset[str]:
    return frozenset(criterion.param for criterion in criteria)


def literals(criteria: Sequence[Criterion]) -> tuple[bytes, ...] | None:
    """What a resource must have written in it, when every criterion is one plain code or reference.

    Where the index alone decides (each term is a 64-bit keyed hash of type, parameter and value),
    finding the value itself among the opened bytes confirms the hit without decoding them; whoever
    does not have it so is decoded and compared in full.
    """
    found: list[bytes] = []
    for criterion in criteria:
        ask = criterion.asks[0] if len(criterion.asks) == 1 and not criterion.modifier else None
        if isinstance(ask, TokenAsk) and ask.code and ask.system != "":
            found += [_quoted(text) for text in (ask.code, ask.system) if text]
        elif isinstance(ask, ReferenceAsk) and ask.id and len(ask.types) == 1:
            found.append(f'{ask.types[0]}/{ask.id}"'.encode())
        else:
            return None
    return tuple(found)


def _quoted(text: str) -> bytes:
    return msgspec.json.encode(text)


def holds(body: bytes, written: tuple[bytes, ...]) -> bool:
    return all(text in body for text in written)


def matches(resource: dict[str, Any], criteria: Sequence[Criterion]) -> bool:
    """All criteria hold; of each, any ask against any value of its parameter."""
    if not criteria:
        return True
    values: dict[str, list[SearchValue]] = {}
    for value in extract(resource, params_of(criteria)):
        values.setdefault(value.param, []).append(value)
    return all(_holds(criterion, values.get(criterion.param, ())) for criterion in criteria)


def _holds(criterion: Criterion, values: Sequence[SearchValue]) -> bool:
    if criterion.modifier == "missing":
        return any(isinstance(a, MissingAsk) and a.missing != bool(values) for a in criterion.asks)
    return _is_met(criterion, values) != (criterion.modifier == "not")


def _is_met(criterion: Criterion, values: Iterable[SearchValue]) -> bool:
    for value in values:
        for ask in criterion.asks:
            if _TEST[type(ask)](criterion, ask, value):
                return True
    return False


def _token(_: Criterion, ask: TokenAsk, value: SearchValue) -> bool:
    if isinstance(value, ReferenceValue):  # :identifier
        system, code = value.identifier or (None, None)
    elif isinstance(value, TokenValue):
        system, code = value.system, value.code
    else:
        return False
    if code is None and system is None:
        return False
    if ask.system is not None and (system or "") != ask.system:
        return False
    return ask.code is None or code == ask.code


def _of_type(_: Criterion, ask: OfTypeAsk, value: SearchValue) -> bool:
    if not isinstance(value, TokenValue) or value.code != ask.value:
        return False
    return any((system or "", code) == (ask.system, ask.kind) for system, code in value.kinds)


def _composite(_: Criterion, ask: CompositeAsk, value: SearchValue) -> bool:
    if not isinstance(value, CompositeValue):
        return False
    return all(_is_met(part, these) for part, these in zip(ask.parts, value.parts, strict=True))


def _reference(_: Criterion, ask: ReferenceAsk, value: SearchValue) -> bool:
    if not isinstance(value, ReferenceValue):
        return False
    if ask.url is not None:
        return value.url == ask.url
    return value.id == ask.id and value.type in ask.types


def _text(criterion: Criterion, ask: TextAsk, value: SearchValue) -> bool:
    if isinstance(value, UriValue):
        return _address(criterion, ask, value)
    if isinstance(value, TokenValue):
        return bool(value.text) and _begins(value.text or "", ask.text)
    if not isinstance(value, StringValue):
        return False
    if criterion.modifier == "exact":
        return value.text == ask.text
    if criterion.modifier == "contains":
        return normalise_text(ask.text) in normalise_text(value.text)
    return _begins(value.text, ask.text)


def _begins(text: str, start: str) -> bool:
    return normalise_text(text).startswith(normalise_text(start))


def _address(criterion: Criterion, ask: TextAsk, value: UriValue) -> bool:
    if criterion.modifier == "below":
        return _lies_below(value.text, ask.text)
    if criterion.modifier == "above":
        return _lies_below(ask.text, value.text)
    return value.text == ask.text


def _lies_below(address: str, root: str) -> bool:
    """Itself or deeper in its path: `http://a/bc` does not lie below `http://a/b`."""
    start = root.rstrip("/")
    return address.rstrip("/") == start or address.startswith(start + "/")


def _date(_: Criterion, ask: DateAsk, value: SearchValue) -> bool:
    if not isinstance(value, DateValue):
        return False
    return _COMPARE[ask.prefix](value.low or _MIN, value.high or _MAX, ask.low, ask.high)


def _number(_: Criterion, ask: NumberAsk, value: SearchValue) -> bool:
    if not isinstance(value, NumberValue | QuantityValue):
        return False
    if isinstance(value, QuantityValue) and not _unit_fits(ask, value):
        return False
    low = _LEAST if value.low is None else value.low
    high = _MOST if value.high is None else value.high
    return _NUMBER[ask.prefix](low, high, ask)


def _unit_fits(ask: NumberAsk, value: QuantityValue) -> bool:
    if ask.unit is not None and ask.unit not in (value.code, value.unit):
        return False
    return ask.system is None or ask.system == value.system


_MIN, _MAX = EARLIEST, LATEST


def _eq(low: Any, high: Any, a: Any, b: Any) -> bool:
    return a <= low and high <= b


def _ne(low: Any, high: Any, a: Any, b: Any) -> bool:
    return not _eq(low, high, a, b)


def _gt(_: Any, high: Any, __: Any, b: Any) -> bool:
    return high > b


def _lt(low: Any, _: Any, a: Any, __: Any) -> bool:
    return low < a


def _ge(low: Any, high: Any, a: Any, b: Any) -> bool:
    return high > b or _eq(low, high, a, b)


def _le(low: Any, high: Any, a: Any, b: Any) -> bool:
    return low < a or _eq(low, high, a, b)


def _sa(low: Any, _: Any, __: Any, b: Any) -> bool:
    return low >= b


def _eb(_: Any, high: Any, a: Any, __: Any) -> bool:
    return high <= a


def _ap(low: Any, high: Any, a: Any, b: Any) -> bool:
    return low < b and high > a


# https://hl7.org/fhir/R4/search.html#prefix, on half-open ranges.
_COMPARE: dict[str, Callable[[Any, Any, Any, Any], bool]] = {
    "eq": _eq, "ne": _ne, "gt": _gt, "lt": _lt, "ge": _ge, "le": _le, "sa": _sa, "eb": _eb,
    "ap": _ap,
}  # fmt: skip
_LEAST, _MOST = Decimal("-Infinity"), Decimal("Infinity")


def _number_eq(low: Decimal, high: Decimal, ask: NumberAsk) -> bool:
    return ask.low <= low and high < ask.high


def _number_ap(low: Decimal, high: Decimal, ask: NumberAsk) -> bool:
    margin = abs(ask.value) / 10  # R4: "the recommended value is 10% of the stated value"
    return low <= ask.value + margin and high >= ask.value - margin


# https://hl7.org/fhir/R4/search.html#number: 100 asks for [99.5, 100.5), gt100 for all above 100.
_NUMBER: dict[str, Callable[[Decimal, Decimal, NumberAsk], bool]] = {
    "eq": _number_eq,
    "ne": lambda low, high, ask: not _number_eq(low, high, ask),
    "gt": lambda _, high, ask: high > ask.value,
    "lt": lambda low, _, ask: low < ask.value,
    "ge": lambda _, high, ask: high >= ask.value,
    "le": lambda low, _, ask: low <= ask.value,
    "sa": lambda low, _, ask: low > ask.value,
    "eb": lambda _, high, ask: high < ask.value,
    "ap": _number_ap,
}
_TEST: dict[type, Callable[[Criterion, Any, SearchValue], bool]] = {
    TokenAsk: _token,
    OfTypeAsk: _of_type,
    CompositeAsk: _composite,
    ReferenceAsk: _reference,
    TextAsk: _text,
    DateAsk: _date,
    NumberAsk: _number,
}

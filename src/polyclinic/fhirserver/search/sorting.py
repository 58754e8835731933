"""Sorting opened resources by what no index keeps in order: names, codes, several keys at once."""

from typing import Any

from polyclinic.fhirserver.index import EARLIEST
from polyclinic.fhirserver.search.asks import SortKey
from polyclinic.standards.fhir.search_values import (
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


def sort_key(resource: dict[str, Any], key: SortKey) -> tuple[bool, Any]:
    """Its least (descending: greatest) value; a resource without one comes last either way."""
    if key.param == "_id":
        return (key.descending, resource["id"])
    if key.param == "_lastUpdated":
        return (key.descending, resource["meta"]["lastUpdated"])
    values = [_plain(v) for v in extract(resource, frozenset({key.param}))]
    if not values:
        return (not key.descending, _NOTHING[key.type])
    return (key.descending, max(values) if key.descending else min(values))


_NOTHING: dict[str, Any] = {
    "string": "", "token": "", "uri": "", "reference": "", "number": 0.0, "quantity": 0.0,
    "date": EARLIEST,
}  # fmt: skip


def _plain(value: SearchValue) -> Any:
    if isinstance(value, DateValue):
        return value.low or EARLIEST
    if isinstance(value, NumberValue | QuantityValue):
        return float(value.low if value.low is not None else value.high or 0)
    if isinstance(value, StringValue):
        return normalise_text(value.text)
    if isinstance(value, UriValue):
        return value.text
    if isinstance(value, TokenValue):
        return value.code or value.text or ""
    assert isinstance(value, ReferenceValue)
    return value.url or f"{value.type}/{value.id}"

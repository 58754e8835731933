"""From one element's value to search values, by the parameter's type and the element's."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from polyclinic.standards.fhir.dates import date_range
from polyclinic.standards.fhir.definitions import resource_types, value_set
from polyclinic.standards.fhir.search_values.values import (
    DateValue,
    NumberValue,
    QuantityValue,
    ReferenceValue,
    SearchValue,
    StringValue,
    TokenValue,
    UriValue,
)

Read = Callable[[Any, list[SearchValue]], None]
CURRENCIES = "urn:iso:std:iso:4217"
_TYPES = frozenset(resource_types())
_HALF = Decimal("0.5")


def reader(kind: str, type_name: str, param: str, binding: str | None) -> Read | None:
    """None when that kind of parameter sees nothing in that type of element."""
    if kind == "token" and type_name in _CODES:
        return _code(param, binding)
    make = _READERS.get((kind, type_name))
    return make(param) if make else None


# Tokens ------------------------------------------------------------------------------------------

_CODES = {"code", "string", "id", "uri", "canonical", "oid", "raw-string", "url", "uuid"}


def _code(param: str, binding: str | None) -> Read:
    # A bare code has the system of its required value set, when that has but one.
    systems = tuple(value_set(binding).codes) if binding else ()
    system = systems[0] if len(systems) == 1 else None

    def read(value: str, out: list[SearchValue]) -> None:
        out.append(TokenValue(param, system, value, None))

    return read


def _boolean(param: str) -> Read:
    def read(value: bool, out: list[SearchValue]) -> None:  # noqa: FBT001 it is the value itself
        out.append(TokenValue(param, None, "true" if value else "false", None))

    return read


def _coding(param: str) -> Read:
    def read(value: dict[str, Any], out: list[SearchValue]) -> None:
        get = value.get
        out.append(TokenValue(param, get("system"), get("code"), get("display")))

    return read


def _codeable_concept(param: str) -> Read:
    coding = _coding(param)

    def read(value: dict[str, Any], out: list[SearchValue]) -> None:
        for one in value.get("coding", ()):
            coding(one, out)
        if "text" in value:
            out.append(TokenValue(param, None, None, value["text"]))

    return read


def _identifier(param: str) -> Read:
    def read(value: dict[str, Any], out: list[SearchValue]) -> None:
        stated = value.get("type", {})
        text = stated.get("text")
        if "value" in value or "system" in value or text:
            kinds = tuple((c.get("system"), c.get("code")) for c in stated.get("coding", ()))
            found = TokenValue(param, value.get("system"), value.get("value"), text, kinds)
            out.append(found)

    return read


def _contact_point(param: str) -> Read:
    def read(value: dict[str, Any], out: list[SearchValue]) -> None:
        if "value" in value:
            out.append(TokenValue(param, None, value["value"], None))

    return read


# References --------------------------------------------------------------------------------------


def literal(reference: str) -> tuple[str, str] | None:
    """The type and id of a relative reference, its version aside."""
    parts = reference.split("/")
    if parts[0] in _TYPES and (len(parts) == 2 or (len(parts) == 4 and parts[2] == "_history")):
        return (parts[0], parts[1]) if "?" not in parts[1] else None
    return None


def _reference(param: str) -> Read:
    def read(value: dict[str, Any], out: list[SearchValue]) -> None:
        reference = value.get("reference", "#")
        identifier = _logical(value["identifier"]) if "identifier" in value else None
        found = literal(reference)
        if found:
            out.append(ReferenceValue(param, found[0], found[1], None, identifier))
        elif ":" in reference and not reference.startswith("#"):
            out.append(ReferenceValue(param, value.get("type"), None, reference, identifier))
        elif identifier:
            out.append(ReferenceValue(param, value.get("type"), None, None, identifier))

    return read


def _logical(identifier: dict[str, Any]) -> tuple[str | None, str | None] | None:
    if "value" in identifier or "system" in identifier:
        return identifier.get("system"), identifier.get("value")
    return None


def _canonical(param: str) -> Read:
    def read(value: str, out: list[SearchValue]) -> None:
        found = literal(value)
        if found:
            out.append(ReferenceValue(param, found[0], found[1], None, None))
        elif not value.startswith("#"):
            out.append(ReferenceValue(param, None, None, value, None))

    return read


def points_at(type_name: str, read: Read) -> Read:
    """Only for references that say they point at that type: in their path or in Reference.type."""

    def guarded(value: Any, out: list[SearchValue]) -> None:
        found = literal(value.get("reference", ""))
        if (found[0] if found else _stated_type(value)) == type_name:
            read(value, out)

    return guarded


def _stated_type(value: dict[str, Any]) -> str | None:
    if "type" in value:
        return str(value["type"]).rpartition("/")[2]
    # An absolute address ends like a relative one: http://elsewhere/fhir/Patient/1.
    parts = value.get("reference", "").partition("/_history/")[0].split("/")
    return parts[-2] if len(parts) > 2 and parts[-2] in _TYPES else None


# Texts -------------------------------------------------------------------------------------------


def _string(param: str) -> Read:
    def read(value: str, out: list[SearchValue]) -> None:
        out.append(StringValue(param, value))

    return read


def _parts(param: str, whole: tuple[str, ...]) -> Read:
    """The text as a whole (stated, or else the parts joined) and each of its parts."""

    def read(value: dict[str, Any], out: list[SearchValue]) -> None:
        parts: list[str] = []
        for key in whole:
            part = value.get(key)
            if type(part) is list:
                parts.extend(one for one in part if one)
            elif part:
                parts.append(part)
        text = value.get("text") or " ".join(parts)
        if text:
            out.append(StringValue(param, text))
        if len(parts) > 1 or "text" in value:
            out.extend([StringValue(param, part) for part in parts if part != text])

    return read


def _human_name(param: str) -> Read:
    return _parts(param, ("prefix", "given", "family", "suffix"))


def _address(param: str) -> Read:
    return _parts(param, ("line", "city", "district", "state", "postalCode", "country"))


def _uri(param: str) -> Read:
    def read(value: str, out: list[SearchValue]) -> None:
        out.append(UriValue(param, value))

    return read


# Dates -------------------------------------------------------------------------------------------


def _date(param: str) -> Read:
    def read(value: str, out: list[SearchValue]) -> None:
        low, high = date_range(value)
        out.append(DateValue(param, low, high))

    return read


def _period(param: str) -> Read:
    def read(value: dict[str, Any], out: list[SearchValue]) -> None:
        start, end = value.get("start"), value.get("end")
        if start or end:
            low = date_range(start)[0] if start else None
            out.append(DateValue(param, low, date_range(end)[1] if end else None))

    return read


def _timing(param: str) -> Read:
    period = _period(param)

    def read(value: dict[str, Any], out: list[SearchValue]) -> None:
        events = [date_range(one) for one in value.get("event", ()) if one]
        if events:
            lows, highs = zip(*events, strict=True)
            out.append(DateValue(param, min(lows), max(highs)))
        elif "boundsPeriod" in value.get("repeat", ()):
            period(value["repeat"]["boundsPeriod"], out)

    return read


# Numbers -----------------------------------------------------------------------------------------


def number_range(value: Decimal | int) -> tuple[Decimal, Decimal]:
    """Half a unit of the last written digit to either side."""
    number = value if type(value) is Decimal else Decimal(value)
    exponent = number.as_tuple().exponent
    half = _HALF.scaleb(exponent) if isinstance(exponent, int) else _HALF
    return number - half, number + half


def _number(param: str) -> Read:
    def read(value: Decimal | int, out: list[SearchValue]) -> None:
        number = Decimal(value)
        out.append(NumberValue(param, number, number))

    return read


def _number_of_range(param: str) -> Read:
    def read(value: dict[str, Any], out: list[SearchValue]) -> None:
        low, high = _ends(value)
        if low is not None or high is not None:
            out.append(NumberValue(param, low, high))

    return read


def _quantity(param: str) -> Read:
    def read(value: dict[str, Any], out: list[SearchValue]) -> None:
        if "value" not in value:
            return
        low = high = Decimal(value["value"])
        comparator = value.get("comparator", "")
        if comparator:
            low, high = (None, high) if comparator[0] == "<" else (low, None)
        get = value.get
        out.append(QuantityValue(param, low, high, get("system"), get("code"), get("unit")))

    return read


def _money(param: str) -> Read:
    def read(value: dict[str, Any], out: list[SearchValue]) -> None:
        if "value" in value:
            number, currency = Decimal(value["value"]), value.get("currency")
            system = CURRENCIES if currency else None
            out.append(QuantityValue(param, number, number, system, currency, None))

    return read


def _quantity_of_range(param: str) -> Read:
    def read(value: dict[str, Any], out: list[SearchValue]) -> None:
        low, high = _ends(value)
        if low is not None or high is not None:
            unit = value.get("low") or value.get("high") or {}
            get = unit.get
            out.append(QuantityValue(param, low, high, get("system"), get("code"), get("unit")))

    return read


def _ends(value: dict[str, Any]) -> tuple[Decimal | None, Decimal | None]:
    low, high = value.get("low", {}).get("value"), value.get("high", {}).get("value")
    return None if low is None else Decimal(low), None if high is None else Decimal(high)


_READERS: dict[tuple[str, str], Callable[[str], Read]] = {
    ("token", "boolean"): _boolean,
    ("token", "Coding"): _coding,
    ("token", "CodeableConcept"): _codeable_concept,
    ("token", "Identifier"): _identifier,
    ("token", "ContactPoint"): _contact_point,
    ("reference", "Reference"): _reference,
    ("reference", "canonical"): _canonical,
    ("reference", "uri"): _canonical,
    ("string", "string"): _string,
    ("string", "markdown"): _string,
    ("string", "HumanName"): _human_name,
    ("string", "Address"): _address,
    ("uri", "uri"): _uri,
    ("uri", "url"): _uri,
    ("uri", "canonical"): _uri,
    ("uri", "oid"): _uri,
    ("date", "date"): _date,
    ("date", "dateTime"): _date,
    ("date", "instant"): _date,
    ("date", "Period"): _period,
    ("date", "Timing"): _timing,
    ("number", "integer"): _number,
    ("number", "positiveInt"): _number,
    ("number", "unsignedInt"): _number,
    ("number", "decimal"): _number,
    ("number", "Range"): _number_of_range,
    ("quantity", "Quantity"): _quantity,
    ("quantity", "Age"): _quantity,
    ("quantity", "Duration"): _quantity,
    ("quantity", "Money"): _money,
    ("quantity", "Range"): _quantity_of_range,
}

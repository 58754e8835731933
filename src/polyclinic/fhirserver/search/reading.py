"""How the values of search parameters are written, type by type and modifier by modifier."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal

from polyclinic.fhirserver.search.asks import (
    Ask,
    CompositeAsk,
    Criterion,
    DateAsk,
    MissingAsk,
    NumberAsk,
    OfTypeAsk,
    ReferenceAsk,
    TextAsk,
    TokenAsk,
    ValueSetAsk,
)
from polyclinic.foundation.errors import Invalid, TooCostly
from polyclinic.standards.fhir.definitions import SearchParameter, resource_types
from polyclinic.standards.fhir.search_values import date_range, number_range

OR_MAX = 500
_DECIMAL = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)  # as FHIR writes them
PREFIXES = frozenset(["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"])
_TYPES = frozenset(resource_types())
_MISSING = frozenset({"missing"})
MODIFIERS: Mapping[str, frozenset[str]] = {
    "string": frozenset({"exact", "contains"}) | _MISSING,
    "token": frozenset({"not", "in", "not-in", "text", "of-type"}) | _MISSING,
    "reference": _TYPES | {"identifier"} | _MISSING,
    "uri": frozenset({"below", "above"}) | _MISSING,
    "date": _MISSING,
    "number": _MISSING,
    "quantity": _MISSING,
}
# Every resource has exactly one of these, known to its row: nothing to modify.
_UNMODIFIED = frozenset({"_id", "_lastUpdated"})


def takes(parameter: SearchParameter, modifier: str) -> bool:
    if parameter.code in _UNMODIFIED or modifier not in MODIFIERS.get(parameter.type, ()):
        return False
    if modifier in _TYPES:
        return not parameter.target or modifier in parameter.target
    return modifier != "of-type" or parameter.code == "identifier"


def asks_of(parameter: SearchParameter, modifier: str | None, value: str) -> tuple[Ask, ...]:
    """The alternatives of a value; raises Invalid that names the parameter."""
    parts = _parts(parameter.code, value)
    if modifier == "missing":
        return (_missing(parameter, value),)
    if parameter.type == "composite":
        return tuple(_composite(parameter, part) for part in parts)
    read = _MODIFIED.get(modifier or "") or READ[parameter.type]
    return tuple(read(parameter, modifier, unescaped(part)) for part in parts)


def _parts(code: str, value: str) -> list[str]:
    """The alternatives of a value, still escaped."""
    if value == "":
        raise Invalid(f"The search parameter {code} has no value.", place=code)
    if "\0" in value:
        raise Invalid("A value contains the character U+0000, which FHIR forbids.", place=code)
    parts = split(value, ",")
    if len(parts) > OR_MAX:
        raise TooCostly(f"At most {OR_MAX} alternatives may be asked for at once.", place=code)
    return parts


def split(text: str, separator: str) -> list[str]:
    r"""Splits at a separator that is not escaped by a backslash; escapes stay as they are."""
    parts, part, escaped = [], "", False
    for letter in text:
        if letter == separator and not escaped:
            parts.append(part)
            part = ""
        else:
            part += letter
        escaped = letter == "\\" and not escaped
    return [*parts, part]


def unescaped(text: str) -> str:
    r"""`\,` `\|` `\$` and `\\` are the characters themselves; any other backslash is one."""
    return re.sub(r"\\([,|$\\])", r"\1", text)


def _missing(parameter: SearchParameter, text: str) -> MissingAsk:
    if text not in ("true", "false"):
        raise Invalid(f"{parameter.code}:missing is true or false.", place=parameter.code)
    return MissingAsk(text == "true")


def _composite(parameter: SearchParameter, text: str) -> CompositeAsk:
    parts = split(text, "$")
    if len(parts) != len(parameter.components):
        wanted = "$".join(component.code for component in parameter.components)
        raise Invalid(f"{parameter.code} is written {wanted}.", place=parameter.code)
    criteria: list[Criterion] = []
    for component, part in zip(parameter.components, parts, strict=True):
        if not part:
            raise Invalid(f"A part of {parameter.code} has no value.", place=parameter.code)
        stated = SearchParameter(component.code, component.type, "", ())
        ask = READ[component.type](stated, None, unescaped(part))
        criteria.append(Criterion(component.code, component.type, None, (ask,)))
    return CompositeAsk(tuple(criteria))


def _token(_: SearchParameter, __: str | None, text: str) -> TokenAsk:
    system, bar, code = text.partition("|")
    if not bar:
        return TokenAsk(None, system)
    return TokenAsk(system, code or None)


def _of_type(parameter: SearchParameter, _: str | None, text: str) -> OfTypeAsk:
    parts = text.split("|", 2)
    if len(parts) != 3 or not parts[1] or not parts[2]:
        raise Invalid("identifier:of-type is written system|code|value.", place=parameter.code)
    return OfTypeAsk(*parts)


def _value_set(_: SearchParameter, __: str | None, text: str) -> ValueSetAsk:
    return ValueSetAsk(text)


def _reference(parameter: SearchParameter, modifier: str | None, text: str) -> ReferenceAsk:
    targets = (modifier,) if modifier else parameter.target
    if text.startswith(("http://", "https://", "urn:")):
        return ReferenceAsk((), None, text)
    kind, slash, name = text.rpartition("/")
    if not slash:
        return ReferenceAsk(targets or resource_types(), text, None)
    if kind not in _TYPES:
        raise Invalid(f"There is no type {kind[:64]!r}.", place=parameter.code)
    return ReferenceAsk((kind,), name, None)


def _text(_: SearchParameter, __: str | None, text: str) -> TextAsk:
    return TextAsk(text)


def _branch(parameter: SearchParameter, modifier: str | None, text: str) -> TextAsk:
    if ":" not in text or text.startswith("urn:"):
        # R4 search, 3.1.1.5.7: only addresses have a hierarchy, names such as OIDs have none.
        raise Invalid(
            f"{parameter.code}:{modifier} wants an address such as http://example.org/fhir.",
            place=parameter.code,
        )
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


Reader = Callable[[SearchParameter, str | None, str], Ask]
READ: Mapping[str, Reader] = {
    "token": _token,
    "reference": _reference,
    "string": _text,
    "uri": _text,
    "date": _date,
    "number": _number,
    "quantity": _number,
}
_MODIFIED: Mapping[str, Reader] = {
    "text": _text,
    "in": _value_set,
    "not-in": _value_set,
    "of-type": _of_type,
    "identifier": _token,
    "below": _branch,
    "above": _branch,
}

"""R4's primitive types: each test answers what is wrong with a value, or None."""

import binascii
import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

Test = Callable[[Any], str | None]

STRING_CHARACTERS_MAX = 1024 * 1024  # R4: strings SHALL NOT exceed 1 MB
_EMPTY = "A text is never empty: leave the element out."
_NOT_TEXT = "This is a JSON string."

# Classes that follow each other never overlap, so no pattern can be made to search for long.
_YEAR = r"(?!0000)[0-9]{4}"
_DAY = rf"{_YEAR}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
_ZONE = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_DATE = re.compile(rf"{_YEAR}(?:-(?:0[1-9]|1[0-2]))?|{_DAY}").fullmatch
_DATE_TIME = re.compile(rf"{_YEAR}(?:-(?:0[1-9]|1[0-2]))?|{_DAY}(?:T{_CLOCK}{_ZONE})?").fullmatch
_INSTANT = re.compile(rf"{_DAY}T{_CLOCK}{_ZONE}").fullmatch
_TIME = re.compile(_CLOCK).fullmatch
_URI = re.compile(r"\S+").fullmatch
_CODE = re.compile(r"\S+(?:\s\S+)*").fullmatch
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}").fullmatch
_OID = re.compile(r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+").fullmatch
_UUID = re.compile(r"urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE).fullmatch


def _string(value: Any) -> str | None:
    if type(value) is not str:
        return _NOT_TEXT
    if not value or value.isspace():
        return _EMPTY
    return "A text has at most 1 MB." if len(value) > STRING_CHARACTERS_MAX else None


def _boolean(value: Any) -> str | None:
    return None if type(value) is bool else "This is true or false, without quotes."


def _whole_number(low: int, name: str) -> Test:
    def test(value: Any) -> str | None:
        if type(value) is int and low <= value <= 2**31 - 1:
            return None
        return f"This is {name}: a JSON whole number from {low} to {2**31 - 1}."

    return test


def _decimal(value: Any) -> str | None:
    # bool is an int to Python, but not to JSON.
    if type(value) in (int, Decimal, float):
        return None
    return "This is a JSON number, without quotes."


def _matching(match: Callable[[str], object], text: str) -> Test:
    def test(value: Any) -> str | None:
        if type(value) is not str:
            return _NOT_TEXT
        return None if match(value) else text

    return test


def _existing_date(match: Callable[[str], object], text: str) -> Test:
    def test(value: Any) -> str | None:
        if type(value) is not str:
            return _NOT_TEXT
        if not match(value):
            return text
        if len(value) >= 10 and value[8:10] > "28":
            try:
                date.fromisoformat(value[:10])
            except ValueError:
                return "There is no such day in the calendar."
        return None

    return test


def _base64(value: Any) -> str | None:
    if type(value) is not str:
        return _NOT_TEXT
    if not value or value.isspace():
        return _EMPTY
    try:
        binascii.a2b_base64("".join(value.split()), strict_mode=True)
    except ValueError:
        return "This is base64: four characters of A-Z a-z 0-9 + / for three bytes, padded by =."
    return None


_ANY_URI = _matching(_URI, "A uri is not empty and has no spaces.")

PRIMITIVES: Mapping[str, Test] = {
    "base64Binary": _base64,
    "boolean": _boolean,
    "canonical": _ANY_URI,
    "code": _matching(_CODE, "A code is not empty and has only single spaces, inside."),
    "date": _existing_date(_DATE, "A date is YYYY, YYYY-MM or YYYY-MM-DD."),
    "dateTime": _existing_date(
        _DATE_TIME,
        "A dateTime is YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with a zone (Z or +hh:mm).",
    ),
    "decimal": _decimal,
    "id": _matching(_ID, "An id is 1 to 64 characters of A-Z a-z 0-9 - and dot."),
    "instant": _existing_date(
        _INSTANT, "An instant is YYYY-MM-DDThh:mm:ss.sss with a zone (Z or +hh:mm)."
    ),
    "integer": _whole_number(-(2**31), "an integer"),
    "markdown": _string,
    "oid": _matching(_OID, "An oid is urn:oid: and numbers with dots."),
    "positiveInt": _whole_number(1, "a positiveInt"),
    "raw-string": _string,
    "raw-uri": _ANY_URI,
    "string": _string,
    "time": _matching(_TIME, "A time is hh:mm:ss, without a zone."),
    "unsignedInt": _whole_number(0, "an unsignedInt"),
    "uri": _ANY_URI,
    "url": _ANY_URI,
    "uuid": _matching(_UUID, "A uuid is urn:uuid: and the uuid in hexadecimal digits."),
}

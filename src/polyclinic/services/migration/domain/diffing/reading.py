"""One meaning for what two systems write in different ways; what is empty is absent."""

import re
import unicodedata
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from polyclinic.services.migration.domain.diffing.rules import Field

ABSENT: Any = None
_YES = frozenset(("true", "y", "yes", "1", "active"))
_NO = frozenset(("false", "n", "no", "0", "inactive"))
_AMOUNT = re.compile(r"\s*([+-]?\d+(?:[.,]\d+)?)\s*(\S.*?)?\s*")
_AMERICAN = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
# Seconds since 1970 of a time that a clinic can mean; larger numbers are milliseconds.
_SECONDS_MAX = 10**11


class Unreadable(NamedTuple):
    """What is not of the kind that was declared; it equals only itself."""

    raw: str


def read(field: Field, raw: Any, *, candidate: bool) -> Any:
    """The value in its one canonical form, ABSENT, or Unreadable."""
    if raw is None or raw in ("", [], {}):
        return ABSENT
    try:
        return _READERS[field.kind](field, raw, candidate)
    except (ValueError, InvalidOperation, KeyError, TypeError, OverflowError):
        return Unreadable(str(raw))


def _id(_: Field, raw: Any, __: bool) -> Any:  # noqa: FBT001 (readers share one shape)
    return str(raw).strip()


def _text(_: Field, raw: Any, __: bool) -> Any:  # noqa: FBT001
    return " ".join(unicodedata.normalize("NFC", str(raw)).split()) or ABSENT


def _code(field: Field, raw: Any, _: bool) -> Any:  # noqa: FBT001
    if isinstance(raw, dict):
        coding = (raw.get("coding") or [raw])[0]
        whole = f"{coding.get('system', '')}|{coding['code']}"
        return field.codes.get(whole, field.codes.get(str(coding["code"]), str(coding["code"])))
    text = str(raw).strip()
    return field.codes.get(text, text)


def _date(_: Field, raw: Any, __: bool) -> Any:  # noqa: FBT001
    """A day, or the year or month that is known; `3/14/1980` is read as Americans write it."""
    text = str(raw).strip()
    if (american := _AMERICAN.fullmatch(text)) is not None:
        month, day, year = map(int, american.groups())
        return date(year, month, day).isoformat()
    if re.fullmatch(r"\d{4}(-\d\d)?", text):
        return text
    if re.fullmatch(r"\d{8}", text):
        text = f"{text[:4]}-{text[4:6]}-{text[6:]}"
    return date.fromisoformat(text[:10]).isoformat()


def _time(field: Field, raw: Any, _: bool) -> Any:  # noqa: FBT001
    if isinstance(raw, int | float) or re.fullmatch(r"\d{9,13}", str(raw)):
        seconds = float(raw)
        return datetime.fromtimestamp(seconds / (1000 if seconds > _SECONDS_MAX else 1), UTC)
    text = str(raw).strip()
    if re.fullmatch(r"\d{14}", text):  # as HL7 v2 writes it
        text = f"{text[:8]}T{text[8:]}"
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(field.zone))).astimezone(UTC)


def _number(_: Field, raw: Any, __: bool) -> Any:  # noqa: FBT001
    return _finite(raw)


def _quantity(field: Field, raw: Any, candidate: bool) -> Any:  # noqa: FBT001
    bare = (field.candidate_unit or field.unit) if candidate else field.unit
    if isinstance(raw, dict):
        return _finite(raw["value"]), str(raw.get("code") or raw.get("unit") or bare)
    found = _AMOUNT.fullmatch(str(raw))
    if found is None:
        raise ValueError("no quantity")
    return _finite(found[1].replace(",", ".")), found[2] or bare


def _money(field: Field, raw: Any, candidate: bool) -> Any:  # noqa: FBT001
    unit = (field.candidate_unit or field.unit) if candidate else field.unit
    if isinstance(raw, dict):
        raw = raw["value"]
    amount = _finite(re.sub(r"[$€£,\s]", "", str(raw)))
    return amount / 100 if unit == "cents" else amount


def _flag(_: Field, raw: Any, __: bool) -> Any:  # noqa: FBT001
    word = str(raw).strip().lower()
    if word in _YES or word in _NO:
        return word in _YES
    raise ValueError("neither yes nor no")


def _finite(raw: Any) -> Decimal:
    value = Decimal(str(raw).strip())
    if isinstance(raw, bool) or not value.is_finite():
        raise ValueError("no number")
    return value


_READERS: dict[str, Any] = {
    "id": _id,
    "text": _text,
    "code": _code,
    "date": _date,
    "time": _time,
    "number": _number,
    "quantity": _quantity,
    "money": _money,
    "flag": _flag,
}


def within(one: datetime, other: datetime, seconds: float) -> bool:
    return abs(one - other) <= timedelta(seconds=seconds)

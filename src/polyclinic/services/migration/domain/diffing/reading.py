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
_AMOUNT = re.compile(r"\s*([<>]=?)?\s*([+-]?\d+(?:[.,]\d+)?)\s*(\S.*?)?\s*")
_SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*-\s*(\d+(?:\.\d+)?)\s*(\S.*?)?\s*")
_AMERICAN = re.compile(r"(?P<month>\d{1,2})[/-](?P<day>\d{1,2})[/-](?P<year>\d{4})(?P<rest>\s.*)?")
_CLOCK = re.compile(
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::\d\d)?\s*(?P<half>[AP]M)?", re.IGNORECASE
)
# Seconds since 1970 of a time that a clinic can mean; larger numbers are milliseconds.
_SECONDS_MAX = 10**11


class Unreadable(NamedTuple):
    """What is not of the kind that was declared; it equals only itself."""

    raw: str


class Raw(NamedTuple):
    """A value as it stands in an answer, and the unit that it says or that was declared for it."""

    value: Any
    unit: str = ""


def at(value: Any, path: str) -> Any:
    """What stands at a path; the empty path is the value itself."""
    for name in path.split(".") if path else ():
        if isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            value = value.get(name) if isinstance(value, dict) else None
    return value


def taken(field: Field, item: Any, *, candidate: bool) -> Raw:
    """Where a field's value stands in an object, whichever of its paths is there."""
    value = at(item, field.path_of(candidate=candidate))
    unit = (field.candidate_unit or field.unit) if candidate else field.unit
    if field.unit_path:
        unit = str(at(item, field.unit_path) or unit)
    if value is None:
        for path, its_unit in field.also.items():
            if (other := at(item, path)) is not None:
                return Raw(other, its_unit)
    return Raw(value, unit)


def analyte_of(field: Field, item: Any) -> str:
    return field.analytes.get(str(at(item, field.analyte_path)), field.analyte)


def read(field: Field, raw: Raw) -> Any:
    """The value in its one canonical form, ABSENT, or Unreadable."""
    if raw.value is None or raw.value in ("", [], {}):
        return ABSENT
    try:
        return _READERS[field.kind](field, raw.value, raw.unit)
    except (ValueError, InvalidOperation, KeyError, TypeError, OverflowError):
        return Unreadable(f"{raw.value} {raw.unit}".strip())


def _id(_: Field, raw: Any, __: str) -> Any:
    return str(raw).strip()


def _text(_: Field, raw: Any, __: str) -> Any:
    return " ".join(unicodedata.normalize("NFC", str(raw)).split()) or ABSENT


def _code(field: Field, raw: Any, _: str) -> Any:
    if isinstance(raw, dict):
        coding = (raw.get("coding") or [raw])[0]
        whole = f"{coding.get('system', '')}|{coding['code']}"
        return field.codes.get(whole, field.codes.get(str(coding["code"]), str(coding["code"])))
    text = str(raw).strip()
    return field.codes.get(text, text)


def _date(_: Field, raw: Any, __: str) -> Any:
    """A day, or the year or month that is known; `3/14/1980` is read as Americans write it."""
    text = str(raw).strip()
    if (american := _AMERICAN.fullmatch(text)) is not None and not american["rest"]:
        return _american_day(american).isoformat()
    if re.fullmatch(r"\d{4}(-\d\d)?", text):
        return text
    if re.fullmatch(r"\d{8}", text):
        text = f"{text[:4]}-{text[4:6]}-{text[6:]}"
    return date.fromisoformat(text[:10]).isoformat()


def _american_day(found: re.Match[str]) -> date:
    return date(int(found["year"]), int(found["month"]), int(found["day"]))


def _time(field: Field, raw: Any, _: str) -> Any:
    if isinstance(raw, int | float) or re.fullmatch(r"\d{9,13}", str(raw)):
        seconds = float(raw)
        return datetime.fromtimestamp(seconds / (1000 if seconds > _SECONDS_MAX else 1), UTC)
    moment = _wall_time(str(raw).strip())
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(field.zone))).astimezone(
        UTC
    )


def _wall_time(text: str) -> datetime:
    """ISO, HL7 v2 (20260701090000), or as Americans write it: `7/1/2026 9:00 AM`."""
    if (american := _AMERICAN.fullmatch(text)) is not None and american["rest"]:
        clock = _CLOCK.fullmatch(american["rest"].strip())
        if clock is None:
            raise ValueError("no time")
        hour = int(clock["hour"])
        if clock["half"]:
            hour = hour % 12 + (12 if clock["half"].upper() == "PM" else 0)
        day = _american_day(american)
        return datetime(day.year, day.month, day.day, hour, int(clock["minute"]))  # noqa: DTZ001 (the zone is the field's)
    if re.fullmatch(r"\d{14}", text):
        text = f"{text[:8]}T{text[8:]}"
    return datetime.fromisoformat(text)


def _number(_: Field, raw: Any, __: str) -> Any:
    return _finite(raw)


def _quantity(_: Field, raw: Any, unit: str) -> Any:
    """(comparator, amount, unit): what is below a limit is not the limit."""
    if isinstance(raw, dict):
        unit = str(raw.get("code") or raw.get("unit") or unit)
        return str(raw.get("comparator") or ""), _finite(raw["value"]), unit
    found = _AMOUNT.fullmatch(str(raw))
    if found is None:
        raise ValueError("no quantity")
    return found[1] or "", _finite(found[2].replace(",", ".")), found[3] or unit


def _range(_: Field, raw: Any, unit: str) -> Any:
    found = _SPAN.fullmatch(str(raw))
    if found is None:
        raise ValueError("no range")
    return ("", _finite(found[1]), found[3] or unit), ("", _finite(found[2]), found[3] or unit)


def _money(_: Field, raw: Any, unit: str) -> Any:
    if isinstance(raw, dict):
        raw = raw["value"]
    amount = _finite(re.sub(r"[$€£,\s]", "", str(raw)))
    return amount / 100 if unit == "cents" else amount


def _flag(_: Field, raw: Any, __: str) -> Any:
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
    "range": _range,
    "money": _money,
    "flag": _flag,
}


def within(one: datetime, other: datetime, seconds: float) -> bool:
    return abs(one - other) <= timedelta(seconds=seconds)

"""A row becomes a resource, and what a resource says goes back into the same columns."""

import re
import uuid
from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from polyclinic.contracts.appointments import elsewhere_id
from polyclinic.services.migration.domain.crossing.pairs import PATH, Field, Pair

Columns = dict[str, str]
Resource = dict[str, Any]
# (table, column, value) of a link → the reference it stands for, and the other way round.
Links = Mapping[tuple[str, str, str], str]
Back = Mapping[tuple[str, str, str], str]

_NAMES = uuid.UUID("5e1d7c0a-92f4-4a57-8a0e-3c2f6b8d4e10")  # ours, for rows of old systems


# The type whose owner is not records: who is where and when (decisions/0034).
BOOKING = "Appointment"
# The reason for what waits until its patient is known to the old system.
UNKNOWN = "the old system does not know whom"
# The reasons for what waits until somebody leaves a time, or until whom it means was taken over.
TAKEN, BUSY = "the time is taken", "the patient has another visit then"
NOWHERE = "leads nowhere"
# The reason for what is asked again after a while.
NOT_BEGUN = "it has not begun yet"


class Refused(ValueError):
    """A row that no honest migration takes over unseen: the column, and a code of what is wrong."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(f"{column}: {reason}")
        self.column, self.reason = column, reason


def resource_id(system: str, table: str, key: object) -> str:
    """The same row always has the same id."""
    return str(uuid.uuid5(_NAMES, f"{system}|{table}|{key}"))


def name_of(system: str, pair: Pair, key: object) -> str:
    """The id of the row's resource; that of a booking is its owner's to give."""
    if pair.type == BOOKING:
        return str(elsewhere_id(key_system(system, pair.table), str(key)))
    return resource_id(system, pair.table, key)


def key_system(system: str, table: str) -> str:
    """The identifier by which a resource says which row it is."""
    return f"urn:polyclinic:legacy:{system}:{table}"


def columns(pair: Pair, row: Mapping[str, Any]) -> Columns | None:
    """What of a row is moved, as texts; none where the row counts as deleted."""
    if any(_is(row.get(name), value) for name, value in pair.absent.items()):
        return None
    found: Columns = {}
    for field in pair.fields:
        value = row.get(field.column)
        if value is not None and str(value).strip():
            found[field.column] = str(value).strip()
    return found


def _is(value: Any, said: Any) -> bool:
    """Whether a row has what a source says of it; some databases give texts only."""
    if isinstance(said, bool) and isinstance(value, str):
        return value == str(said).lower()
    return value == said or (isinstance(value, str) and value == str(said))


def digest(found: Columns | None) -> bytes:
    """By which it is seen that a row says something else than before."""
    return blake2b(msgspec.json.encode(found, order="sorted"), digest_size=16).digest()


def laid(system: str, pair: Pair, key: object, found: Columns, links: Links,
         base: Resource | None = None) -> Resource:  # fmt: skip
    """The row laid over what is kept (`base`): what the old system does not know stays.

    Raises Refused.
    """
    resource: Resource = deepcopy(base) if base is not None else {"resourceType": pair.type}
    constant = pair.always if base is not None else {**pair.first, **pair.always}
    for path, value in constant.items():
        _put(resource, path, value)
    _put(resource, f"identifier[system={key_system(system, pair.table)}].value", str(key))
    for field in pair.fields:
        _lay(resource, field, found.get(field.column), links)
    return resource


def _lay(resource: Resource, field: Field, text: str | None, links: Links) -> None:
    if field.as_ == "copy" and read_path(resource, field.where) is None:
        text = None
    path, value = field.path, None
    if field.other and text is not None and not _is_number(text):
        path, value = field.other, text
    else:
        value = _forward(field, text, links)
        kept = read_path(resource, path)
        if text is not None and field.also.get(str(kept)) == text:
            value = kept  # more exactly what the row says
    for left in filter(None, {field.path, field.other} - {path if value is not None else ""}):
        _take(resource, left)
    if value is not None:
        _put(resource, path, value)
        for further, constant in field.with_.items():
            _put(resource, further, constant)
    elif field.need:
        raise Refused(field.column, "empty")


def ended(pair: Pair, base: Resource) -> Resource:
    """The resource of a row that is gone."""
    resource = deepcopy(base)
    for path, value in pair.ended.items():
        if value is None:
            resource.pop(path, None)
        else:
            _put(resource, path, value)
    return resource


def back(pair: Pair, resource: Resource, links: Back) -> Columns:
    """What the resource says in the words of the old system. Raises Refused."""
    found: Columns = {}
    for field in pair.fields:
        if not field.returns:
            continue
        value = read_path(resource, field.path)
        if value is None and field.other:
            value = read_path(resource, field.other)
        if value is not None and (text := _backward(field, value, links)):
            found[field.column] = text
    return found


def told(pair: Pair, resource: Resource) -> list[Any]:
    """What the resource says in each place that goes back into a column, as finely as it does."""
    return [
        _code_of(field, read_path(resource, path))
        for field in pair.fields if field.returns
        for path in filter(None, (field.path, field.other))
    ]  # fmt: skip


def leaves(was: Resource, now: Resource) -> bool:
    """Whether a booking gives up a time that somebody else may have."""
    held = _held(was)
    return bool(held) and _held(now) != held


def _held(booking: Resource) -> tuple[Any, ...]:
    if booking.get("status") in ("cancelled", "noshow", "entered-in-error"):
        return ()
    actors = [each.get("actor", {}).get("reference") for each in booking.get("participant", [])]
    return booking.get("start"), booking.get("minutesDuration"), actors


def of_key(system: str, pair: Pair, resource: Resource) -> str | None:
    """Which row a resource stands for."""
    found = read_path(resource, f"identifier[system={key_system(system, pair.table)}].value")
    return found if isinstance(found, str) else None


def _forward(field: Field, text: str | None, links: Links) -> Any:
    if field.as_ == "presence":
        return (field.filled if text else field.empty) or None
    if text is None:
        return None
    if field.as_ == "link":
        reference = links.get((field.table, field.by, text))
        if reference is None:
            raise Refused(field.column, NOWHERE)
        return reference
    return _FORWARD[field.as_](field, text)


def _date(field: Field, text: str) -> str:
    try:
        return datetime.strptime(text, field.form).date().isoformat()  # noqa: DTZ007 - a day
    except ValueError:
        raise Refused(field.column, "no date") from None


def _number(field: Field, text: str) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise Refused(field.column, "no number") from None
    if not found.is_finite():
        raise Refused(field.column, "no number")
    return found


def _code(field: Field, text: str) -> str:
    if text not in field.codes:
        raise Refused(field.column, "unknown code")
    return field.codes[text]


def _code_of(field: Field, value: Any) -> Any:
    """A code that the old system does not tell from another is that one; the rest as it is."""
    return field.codes[field.also[value]] if str(value) in field.also else value


def _moment(field: Field, text: str) -> str:
    """Raises Refused for what that clock shows twice, or never, or what would come back otherwise.

    Days at the ends of the calendar stand for "no date" in many an old system: they overflow.
    """
    try:
        found = datetime.strptime(text, field.form).replace(tzinfo=ZoneInfo(field.zone))
        there = found.astimezone(UTC)
        is_one = there == found.replace(fold=1).astimezone(UTC) and _shown(field, there) == text
    except (ValueError, OverflowError):
        raise Refused(field.column, "no time") from None
    if not is_one:
        raise Refused(field.column, "no time")
    return f"{there:%Y-%m-%dT%H:%M:%SZ}"


def _shown(field: Field, moment: datetime) -> str:
    return moment.astimezone(ZoneInfo(field.zone)).strftime(field.form)


def _flag(field: Field, text: str) -> bool:
    if text not in (field.yes, field.no):
        raise Refused(field.column, "unknown code")
    return text == field.yes


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?", text) is not None


_FORWARD = {
    "text": lambda _, text: text,
    "copy": lambda _, text: text,
    "date": _date,
    "moment": _moment,
    "number": _number,
    "code": _code,
    "flag": _flag,
}


def _backward(field: Field, value: Any, links: Back) -> str:
    if field.as_ == "link":
        found = links.get((field.table, field.by, str(value)))
        if found is None:
            raise Refused(field.column, UNKNOWN)
        return found
    spoken = _BACKWARD.get(field.as_)
    return spoken(field, value) if spoken else str(value).strip()


def _date_back(field: Field, value: Any) -> str:
    try:
        return datetime.fromisoformat(str(value)[:10]).strftime(field.form)
    except ValueError:
        raise Refused(field.column, "no whole date") from None


def _code_back(field: Field, value: Any) -> str:
    meant = _code_of(field, value)
    names = [name for name, code in field.codes.items() if code == meant]
    if not names:
        raise Refused(field.column, "the old system has no such code")
    return names[0]


def _flag_back(field: Field, value: Any) -> str:
    return field.yes if value is True else field.no


def _moment_back(field: Field, value: Any) -> str:
    try:
        moment = datetime.fromisoformat(str(value))
        text = _shown(field, moment)
        is_told = datetime.fromisoformat(_moment(field, text)) == moment
    except (ValueError, OverflowError):  # Refused, too: an hour that is shown twice, or never
        text, is_told = "", False
    if not is_told:
        raise Refused(field.column, "the old system has no such time")
    return text


_BACKWARD = {
    "date": _date_back,
    "moment": _moment_back,
    "code": _code_back,
    "flag": _flag_back,
}


def _steps(path: str) -> list[tuple[str, str]]:
    return [(match[1], match[2] or "") for match in PATH.finditer(path)]


def _entry(items: list[Any], chosen: str, *, make: bool) -> Any:
    """The element by its place (`0`) or by what stands in it (`system=…`)."""
    if chosen.isdecimal():
        place = int(chosen)
        while make and len(items) <= place:
            items.append({})
        return items[place] if place < len(items) else None
    name, _, value = chosen.partition("=")
    for item in items:
        if isinstance(item, dict) and item.get(name) == value:
            return item
    if not make:
        return None
    items.append({name: value})
    return items[-1]


def _put(resource: Resource, path: str, value: Any) -> None:
    here: Any = resource
    steps = _steps(path)
    for number, (name, chosen) in enumerate(steps):
        last = number == len(steps) - 1
        if last and not chosen:
            here[name] = value
        elif last:
            items = here.setdefault(name, [])
            _entry(items, chosen, make=True)
            items[int(chosen)] = value
        elif chosen:
            here = _entry(here.setdefault(name, []), chosen, make=True)
        else:
            here = here.setdefault(name, {})


def read_path(resource: Resource, path: str) -> Any:
    """The value at a path; none where there is none, or something larger."""
    here: Any = resource
    for name, chosen in _steps(path):
        if not isinstance(here, dict) or name not in here:
            return None
        here = here[name]
        if chosen:
            here = _entry(here, chosen, make=False) if isinstance(here, list) else None
    return here if not isinstance(here, dict | list) else None


def _take(resource: Resource, path: str) -> None:
    """Takes a value away, and what held nothing else but its own selector."""
    if read_path(resource, path) is None:
        return
    *before, (name, chosen) = _steps(path)
    trail: list[tuple[Any, str, str]] = []
    here: Any = resource
    for step, which in before:
        trail.append((here, step, which))
        here = _entry(here[step], which, make=False) if which else here[step]
    if chosen:
        here[name].pop(int(chosen))
        trail.append((here, name, ""))
    else:
        del here[name]
    for holder, step, which in reversed(trail):
        inner = holder[step]
        if which:
            inner[:] = [each for each in inner if not _is_hollow(each, which)]
        if not inner:
            del holder[step]


def _is_hollow(item: Any, which: str) -> bool:
    if not isinstance(item, dict):
        return False
    left = set(item) - {which.partition("=")[0]}
    return not left

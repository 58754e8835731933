"""How billing's doors read ids, query parameters and bodies of PUT."""

from datetime import date
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from starlette.requests import Request

from polyclinic.foundation import http
from polyclinic.foundation.errors import Invalid, NotFound
from polyclinic.foundation.once import door

T = TypeVar("T")
BODY_MAX = 64 * 1024


def uuid_of(request: Request, name: str) -> UUID:
    """The UUID in the address; what is none names nothing."""
    try:
        return UUID(request.path_params[name])
    except ValueError:
        raise NotFound(f"There is no such {name}.", place=name) from None


def query(request: Request, *known: str) -> dict[str, str]:
    """The query's parameters; an unknown one is refused rather than left aside."""
    given = dict(request.query_params)
    for name in given:
        if name not in known:
            raise Invalid("There is no such parameter.", place=name)
    return given


def number(text: str, place: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 9):
        raise Invalid("A number.", place=place)
    return int(text)


def identifier(text: str, place: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Invalid("An id as it was given out.", place=place) from None


async def body(request: Request, kind: type[T]) -> T:
    """A JSON body as a value; a field that the value does not have is refused, however deep."""
    content = await http.body(request, BODY_MAX)
    value = door.read(content, kind)
    _refuse_unknown(msgspec.json.decode(content or b"{}"), msgspec.to_builtins(value), "")
    return value


def _refuse_unknown(given: Any, known: Any, place: str) -> None:
    if not isinstance(given, dict) or not isinstance(known, dict):
        return
    for name, value in given.items():
        where = f"{place}.{name}".lstrip(".")
        if name not in known and not place.endswith("units_max"):
            raise Invalid("There is no such field.", place=where)
        _refuse_unknown(value, known.get(name), where)


def day(value: date | None) -> str | None:
    return None if value is None else value.isoformat()

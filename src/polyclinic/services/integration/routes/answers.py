"""How integration's doors find the engine, who asks, and answer once for each key."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from starlette.requests import Request

from polyclinic.foundation import http
from polyclinic.foundation.errors import Invalid, NotFound
from polyclinic.foundation.once.door import OnceFor
from polyclinic.services.integration.actions.state import Asker, Engine


def engine_of(request: Request) -> Engine:
    return http.running(request).state


async def asker_of(request: Request) -> Asker:
    return engine_of(request).asker(await http.caller(request), http.bearer(request))


once = OnceFor[Engine, Asker](asker_of)


def uuid_of(request: Request, name: str) -> UUID:
    """The UUID in the address; what is none names nothing."""
    try:
        return UUID(request.path_params[name])
    except ValueError:
        raise NotFound(f"There is no such {name}.", place=name) from None


def query(request: Request, *names: str) -> dict[str, str]:
    """The query's parameters; an unknown one is refused rather than left aside."""
    return known(dict(request.query_params), names)


def known(given: dict[str, str], names: Sequence[str]) -> dict[str, str]:
    """What was given; raises Invalid where one of it has another name."""
    for name in given:
        if name not in names:
            raise Invalid("There is no such parameter.", place=name)
    return given


def number(text: str, place: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise Invalid("A number.", place=place)
    return int(text)


def moment(text: str | None, place: str) -> datetime | None:
    """A point in time with its zone; a `+` that arrived as a space is meant as one."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise Invalid("A time with its zone, such as 2026-11-28T17:00:00Z.", place=place)
    return found

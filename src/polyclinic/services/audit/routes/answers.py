"""How audit's doors find the engine and who asks, and read pages' parameters."""

from starlette.requests import Request

from polyclinic.foundation import http
from polyclinic.foundation.errors import Invalid
from polyclinic.services.audit.actions.state import Asker, Engine

# Who looked at whom stays in no cache.
PRIVATE = {"cache-control": "private, no-store", "x-content-type-options": "nosniff"}


def engine_of(request: Request) -> Engine:
    return http.running(request).state


async def asker_of(request: Request) -> Asker:
    return Asker(await http.caller(request), http.bearer(request))


def query(request: Request, *known: str) -> dict[str, str]:
    """The query's parameters; an unknown one is refused rather than left aside."""
    given = dict(request.query_params)
    for name in given:
        if name not in known:
            raise Invalid("There is no such parameter.", place=name)
    return given


def number(given: dict[str, str], name: str, default: int, most: int) -> int:
    text = given.get(name, str(default))
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 19) or int(text) > most:
        raise Invalid(f"{name} is a number of at most {most}.", place=name)
    return int(text)

"""How migration's doors find who asks, and answer once for each key."""

from starlette.requests import Request

from polyclinic.foundation import http
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.once.door import OnceFor
from polyclinic.services.migration.actions.state import Passage
from polyclinic.services.migration.domain import access


def passage_of(request: Request) -> Passage:
    return http.running(request).state


async def administrator(request: Request, interaction: str) -> Caller:
    """Who asks, if it is somebody who may."""
    caller = await http.caller(request)
    access.check(caller, interaction)
    return caller


async def _changer(request: Request) -> Caller:
    return await administrator(request, "u")


once = OnceFor[Passage, Caller](_changer)


def number(request: Request, name: str, default: int, most: int) -> int:
    """A whole number of the query, from 0 to `most`."""
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) <= most):
        raise Invalid(f"A number from 0 to {most}.", place=name)
    return int(text)

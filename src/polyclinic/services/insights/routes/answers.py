"""How insights' doors find the engine, who asks, and answer once for each key."""

from starlette.requests import Request

from polyclinic.foundation import http
from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.once.door import OnceFor
from polyclinic.services.insights.actions.state import Asker, Engine

# What is said of patients stays in no cache.
PRIVATE = {"cache-control": "private, no-store", "x-content-type-options": "nosniff"}


def engine_of(request: Request) -> Engine:
    return http.running(request).state


async def asker_of(request: Request) -> Asker:
    return Asker(await http.caller(request), http.bearer(request))


once = OnceFor[Engine, Asker](asker_of)


def query(request: Request, *known: str) -> dict[str, str]:
    """The query's parameters; an unknown one is refused rather than left aside."""
    given = dict(request.query_params)
    for name in given:
        if name not in known:
            raise Invalid("There is no such parameter.", place=name)
    return given

"""How the JSON door finds who asks and answers once for each key."""

from starlette.requests import Request

from polyclinic.foundation import http
from polyclinic.foundation.once.door import OnceFor
from polyclinic.services.billing.actions.state import Asker, Books


def books_of(request: Request) -> Books:
    return http.running(request).state


async def asker_of(request: Request) -> Asker:
    return books_of(request).asker(await http.caller(request), http.bearer(request))


once = OnceFor[Books, Asker](asker_of)

"""Claims' door: the queue, one claim with its history, and what the staff do to it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import http
from polyclinic.foundation.errors import Invalid, NotFound
from polyclinic.foundation.once import Nothing, Once, Stored
from polyclinic.services.billing.actions import claiming, deciding, providers, submitting, telling
from polyclinic.services.billing.actions.claiming import Authorization, Correction
from polyclinic.services.billing.actions.deciding import Amount, Appeal
from polyclinic.services.billing.actions.providers import ProviderAsked
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.actions.submitting import Submission
from polyclinic.services.billing.routes.answers import asker_of, books_of, once
from polyclinic.services.billing.store.claims import Asked

T = TypeVar("T")


def _claim(request: Request) -> UUID:
    try:
        return UUID(request.path_params["claim"])
    except ValueError:
        raise NotFound("There is no such claim.", place="claim") from None


async def get_claims(request: Request) -> Response:
    """`status`, `payer`, `patient`, `before` (the last id of the former page), `limit`."""
    given = request.query_params
    try:
        before = UUID(given["before"]) if given.get("before") else None
        limit = min(max(int(given.get("limit", "50")), 1), 200)
    except ValueError:
        raise Invalid("`before` is a claim's id and `limit` a number.", place="before") from None
    asked = Asked(
        given.get("status", ""), given.get("payer", ""), given.get("patient", ""), before, limit
    )
    value = await telling.listed(books_of(request), await asker_of(request), asked)
    return http.json(value)


async def get_claim(request: Request) -> Response:
    books, asker = books_of(request), await asker_of(request)
    return http.json(await telling.claim(books, asker, _claim(request)))


Deed = Callable[[Books, Asker, UUID, T, Once | None], Awaitable[Stored]]


def _deed(kind: type[T], act: Deed[T]) -> Callable[[Request], Awaitable[Response]]:
    """A POST that does something to one claim."""

    async def post(request: Request) -> Response:
        async def carried(books: Books, asker: Asker, asked: T, key: Once) -> Stored:
            return await act(books, asker, _claim(request), asked, key)

        return await once(request, kind, carried)

    return post


async def post_submission(request: Request) -> Response:
    return await once(request, Submission, submitting.submit)


async def put_provider(request: Request) -> Response:
    books, asker = books_of(request), await asker_of(request)
    asked = await http.read(request, ProviderAsked)
    name = f"Practitioner/{request.path_params['practitioner']}"
    return http.json(await providers.set_provider(books, asker, name, asked))


_DEEDS = {
    "check": _deed(Nothing, claiming.check),
    "authorization": _deed(Authorization, claiming.authorize),
    "correction": _deed(Correction, claiming.correct),
    "appeal": _deed(Appeal, deciding.appeal),
    "write-off": _deed(Amount, deciding.write_off),
    "to-patient": _deed(Amount, deciding.bill_patient),
}
claim_routes = (
    Route("/billing/claims", get_claims, methods=["GET"]),
    Route("/billing/claims/{claim}", get_claim, methods=["GET"]),
    *(
        Route(f"/billing/claims/{{claim}}/{name}", endpoint, methods=["POST"])
        for name, endpoint in _DEEDS.items()
    ),
    Route("/billing/submissions", post_submission, methods=["POST"]),
    Route("/billing/providers/{practitioner}", put_provider, methods=["PUT"]),
)

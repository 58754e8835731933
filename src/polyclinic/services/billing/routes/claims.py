"""Claims' door: the queue, one claim with its history, and what the staff do to it."""

from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import http
from polyclinic.foundation.errors import Invalid, NotFound
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.billing.actions import claiming, deciding, providers, submitting, telling
from polyclinic.services.billing.actions.claiming import Authorization, Correction
from polyclinic.services.billing.actions.deciding import Amount, Appeal
from polyclinic.services.billing.actions.providers import ProviderAsked
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.actions.submitting import Submission
from polyclinic.services.billing.routes.answers import asker_of, books_of, once
from polyclinic.services.billing.store.claims import Asked


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request that says nothing but what its address says."""


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


async def post_check(request: Request) -> Response:
    async def act(books: Books, asker: Asker, _: Nothing, key: Once) -> Stored:
        return await claiming.check(books, asker, _claim(request), key)

    return await once(request, Nothing, act)


async def post_authorization(request: Request) -> Response:
    async def act(books: Books, asker: Asker, asked: Authorization, key: Once) -> Stored:
        return await claiming.authorize(books, asker, _claim(request), asked, key)

    return await once(request, Authorization, act)


async def post_correction(request: Request) -> Response:
    async def act(books: Books, asker: Asker, asked: Correction, key: Once) -> Stored:
        return await claiming.correct(books, asker, _claim(request), asked, key)

    return await once(request, Correction, act)


async def post_appeal(request: Request) -> Response:
    async def act(books: Books, asker: Asker, asked: Appeal, key: Once) -> Stored:
        return await deciding.appeal(books, asker, _claim(request), asked, key)

    return await once(request, Appeal, act)


async def post_write_off(request: Request) -> Response:
    async def act(books: Books, asker: Asker, asked: Amount, key: Once) -> Stored:
        return await deciding.write_off(books, asker, _claim(request), asked, key)

    return await once(request, Amount, act)


async def post_to_patient(request: Request) -> Response:
    async def act(books: Books, asker: Asker, asked: Amount, key: Once) -> Stored:
        return await deciding.bill_patient(books, asker, _claim(request), asked, key)

    return await once(request, Amount, act)


async def post_submission(request: Request) -> Response:
    return await once(request, Submission, submitting.submit)


async def put_provider(request: Request) -> Response:
    books, asker = books_of(request), await asker_of(request)
    asked = await http.read(request, ProviderAsked)
    name = f"Practitioner/{request.path_params['practitioner']}"
    return http.json(await providers.set_provider(books, asker, name, asked))


claim_routes = (
    Route("/billing/claims", get_claims, methods=["GET"]),
    Route("/billing/claims/{claim}", get_claim, methods=["GET"]),
    Route("/billing/claims/{claim}/check", post_check, methods=["POST"]),
    Route("/billing/claims/{claim}/authorization", post_authorization, methods=["POST"]),
    Route("/billing/claims/{claim}/correction", post_correction, methods=["POST"]),
    Route("/billing/claims/{claim}/appeal", post_appeal, methods=["POST"]),
    Route("/billing/claims/{claim}/write-off", post_write_off, methods=["POST"]),
    Route("/billing/claims/{claim}/to-patient", post_to_patient, methods=["POST"]),
    Route("/billing/submissions", post_submission, methods=["POST"]),
    Route("/billing/providers/{practitioner}", put_provider, methods=["PUT"]),
)

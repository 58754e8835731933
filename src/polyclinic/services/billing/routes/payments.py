"""Payments at the door: pay, come back, look, give back; and what the card gateway tells."""

from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import http
from polyclinic.foundation.once import Nothing, Once, Stored
from polyclinic.services.billing.actions import hearing, paying, refunding, showing
from polyclinic.services.billing.actions.paying import Wanted
from polyclinic.services.billing.actions.refunding import Back
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain.problems import NotYours
from polyclinic.services.billing.routes.answers import asker_of, books_of, once

EVENT_MAX = 256 * 1024


async def post_payment(request: Request) -> Response:
    """The address of the card page is asked for after the deed, and stands in no table."""
    return await with_page(request, await once(request, Wanted, paying.pay))


async def with_page(request: Request, answer: Response) -> Response:
    """A started payment with the address of its card page, while that is open."""
    if answer.status_code != 201:
        return answer
    value = msgspec.json.decode(bytes(answer.body), type=dict[str, object])
    url = await showing.page_of(books_of(request), UUID(str(value["payment"])))
    return http.json({**value, "action_url": url}, 201)


async def post_settle(request: Request) -> Response:
    name = name_of(request)

    async def act(books: Books, asker: Asker, _: Nothing, key: Once) -> Stored:
        return await paying.look_again(books, asker, name, key)

    return await once(request, Nothing, act)


async def post_refund(request: Request) -> Response:
    name = name_of(request)

    async def act(books: Books, asker: Asker, back: Back, key: Once) -> Stored:
        return await refunding.give_back(books, asker, (name, back), key)

    return await once(request, Back, act)


async def get_payments(request: Request) -> Response:
    asked = request.query_params.get("patient")
    books, asker = books_of(request), await asker_of(request)
    return http.json(await showing.payments_of(books, asker, asked))


async def get_payment(request: Request) -> Response:
    """A receipt's data."""
    books, asker = books_of(request), await asker_of(request)
    return http.json(await showing.payment(books, asker, name_of(request)))


async def post_event(request: Request) -> Response:
    """The card gateway's webhook: no token, a signature over the raw body instead."""
    payload = await http.body(request, EVENT_MAX)
    signature = request.headers.get("stripe-signature", "")
    new = await hearing.hear(books_of(request), payload, signature)
    return http.json({"heard": "now" if new else "before"})


def name_of(request: Request) -> UUID:
    try:
        return UUID(request.path_params["id"])
    except ValueError as bad:
        raise NotYours from bad


payment_routes = (
    Route("/billing/payments", get_payments, methods=["GET"]),
    Route("/billing/payments", post_payment, methods=["POST"]),
    Route("/billing/payments/{id}", get_payment, methods=["GET"]),
    Route("/billing/payments/{id}/settle", post_settle, methods=["POST"]),
    Route("/billing/payments/{id}/refunds", post_refund, methods=["POST"]),
    Route("/billing/webhooks/cards", post_event, methods=["POST"]),
)

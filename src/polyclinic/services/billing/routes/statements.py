"""Bills at the door: what is owed and why, statements, paper, plans, and paying by link."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import http
from polyclinic.foundation.once import Nothing, Once, Stored, door
from polyclinic.services.billing.actions import (
    links,
    planning,
    printing,
    showing,
    stating,
)
from polyclinic.services.billing.actions.links import GuestPayment, Opening
from polyclinic.services.billing.actions.planning import Agreed
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.actions.stating import Billed
from polyclinic.services.billing.routes.answers import asker_of, books_of, once
from polyclinic.services.billing.routes.payments import name_of, with_page

GUEST_MAX = 4096


async def post_statement(request: Request) -> Response:
    return await once(request, Billed, stating.issue)


async def get_statements(request: Request) -> Response:
    books, asker = books_of(request), await asker_of(request)
    asked = request.query_params.get("patient")
    return http.json(await showing.statements_of(books, asker, asked))


async def get_statement(request: Request) -> Response:
    books, asker = books_of(request), await asker_of(request)
    return http.json(await showing.statement(books, asker, name_of(request)))


async def get_owed(request: Request) -> Response:
    """What is owed now, and how every line of it came about."""
    books, asker = books_of(request), await asker_of(request)
    return http.json(await showing.owed(books, asker, request.query_params.get("patient")))


async def get_statement_pdf(request: Request) -> Response:
    books, asker = books_of(request), await asker_of(request)
    return _paper(await printing.statement(books, asker, name_of(request)))


async def get_receipt_pdf(request: Request) -> Response:
    books, asker = books_of(request), await asker_of(request)
    return _paper(await printing.receipt(books, asker, name_of(request)))


def _paper(sheet: printing.Sheet) -> Response:
    headers = {
        "content-disposition": f'inline; filename="{sheet.name}"',
        "cache-control": "private, no-store",
        "x-content-type-options": "nosniff",
    }
    return Response(sheet.content, media_type="application/pdf", headers=headers)


async def post_plan(request: Request) -> Response:
    return await once(request, Agreed, planning.agree)


async def get_plans(request: Request) -> Response:
    books, asker = books_of(request), await asker_of(request)
    asked = request.query_params.get("patient")
    return http.json(await planning.plans_of(books, asker, asked))


async def post_plan_end(request: Request) -> Response:
    name = name_of(request)

    async def act(books: Books, asker: Asker, _: Nothing, key: Once) -> Stored:
        return await planning.cancel(books, asker, name, key)

    return await once(request, Nothing, act)


async def post_open_link(request: Request) -> Response:
    """Changes nothing but the count of attempts, so it needs no key; and no token of a person."""
    content = await http.body(request, GUEST_MAX)
    return http.json(await links.open_link(books_of(request), door.read(content, Opening)))


async def post_pay_link(request: Request) -> Response:
    books = books_of(request)

    async def act(asked: GuestPayment, key: Once) -> Stored:
        return await links.pay_by_link(books, asked, key)

    content = await http.body(request, GUEST_MAX)
    caller = links.guest_caller(door.read(content, GuestPayment).token)
    return await with_page(
        request, await door.carry_for(request, (caller, content), GuestPayment, act)
    )


bill_routes = (
    Route("/billing/owed", get_owed, methods=["GET"]),
    Route("/billing/statements", get_statements, methods=["GET"]),
    Route("/billing/statements", post_statement, methods=["POST"]),
    Route("/billing/statements/{id}.pdf", get_statement_pdf, methods=["GET"]),
    Route("/billing/statements/{id}", get_statement, methods=["GET"]),
    Route("/billing/payments/{id}.pdf", get_receipt_pdf, methods=["GET"]),
    Route("/billing/plans", get_plans, methods=["GET"]),
    Route("/billing/plans", post_plan, methods=["POST"]),
    Route("/billing/plans/{id}/cancel", post_plan_end, methods=["POST"]),
    Route("/billing/pay-links/open", post_open_link, methods=["POST"]),
    Route("/billing/pay-links/pay", post_pay_link, methods=["POST"]),
)

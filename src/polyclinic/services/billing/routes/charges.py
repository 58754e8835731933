"""Visits and charges at billing's door."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import http
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.billing.actions import aborting, coding, visits
from polyclinic.services.billing.actions.aborting import TakingBack
from polyclinic.services.billing.actions.coding import CodingBody
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.actions.visits import NotBillable, VisitBody
from polyclinic.services.billing.domain.charges import Charge
from polyclinic.services.billing.routes import reading
from polyclinic.services.billing.routes.answers import asker_of, books_of, once


async def post_visit(request: Request) -> Response:
    return await once(request, VisitBody, visits.open_by_hand)


async def get_visit(request: Request) -> Response:
    books, asker = books_of(request), await asker_of(request)
    visit, charges = await visits.shown(books, asker, reading.uuid_of(request, "visit"))
    value = {
        "id": visit.id,
        "source": visit.source,
        "encounter": visit.encounter,
        "patient": visit.patient,
        "practitioner": visit.practitioner,
        "day": visit.day,
        "status": visit.status,
        "coverage": visit.coverage,
        "diagnoses": visit.diagnoses,
        "charges": [_shown(each) for each in charges],
    }
    return http.json(value)


def _shown(each: Charge) -> dict[str, object]:
    return {
        "id": each.id,
        "line": each.line,
        "code": each.detail.code,
        "modifiers": each.detail.modifiers,
        "title": each.detail.title,
        "pointers": each.detail.pointers,
        "units": each.units,
        "amount": each.amount,
        "currency": each.currency,
        "status": each.status,
    }


async def post_coding(request: Request) -> Response:
    visit = reading.uuid_of(request, "visit")

    async def act(books: Books, asker: Asker, asked: CodingBody, key: Once) -> Stored:
        return await coding.code_visit(books, asker, visit, asked, key)

    return await once(request, CodingBody, act)


async def post_not_billable(request: Request) -> Response:
    visit = reading.uuid_of(request, "visit")

    async def act(books: Books, asker: Asker, asked: NotBillable, key: Once) -> Stored:
        return await visits.set_aside(books, asker, visit, asked, key)

    return await once(request, NotBillable, act)


async def post_abort(request: Request) -> Response:
    charge = reading.uuid_of(request, "charge")

    async def act(books: Books, asker: Asker, asked: TakingBack, key: Once) -> Stored:
        return await aborting.abort(books, asker, charge, asked, key)

    return await once(request, TakingBack, act)


charge_routes = (
    Route("/billing/visits", post_visit, methods=["POST"]),
    Route("/billing/visits/{visit}", get_visit, methods=["GET"]),
    Route("/billing/visits/{visit}/code", post_coding, methods=["POST"]),
    Route("/billing/visits/{visit}/not-billable", post_not_billable, methods=["POST"]),
    Route("/billing/charges/{charge}/abort", post_abort, methods=["POST"]),
)

"""The ledger's door: balances, reversals, the proof, and the close of days."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import http
from polyclinic.services.billing.actions import bookkeeping
from polyclinic.services.billing.actions.bookkeeping import Close, Reversal
from polyclinic.services.billing.domain import access
from polyclinic.services.billing.routes.answers import asker_of, books_of, once
from polyclinic.services.billing.store import closing


async def post_reversal(request: Request) -> Response:
    return await once(request, Reversal, bookkeeping.reverse)


async def post_day_close(request: Request) -> Response:
    return await once(request, Close, bookkeeping.close_day)


async def get_day_closes(request: Request) -> Response:
    asker = await asker_of(request)
    access.check_biller(asker.caller, "Account", "r")
    days = await closing.closed(books_of(request).running.database)
    return http.json({"days": [bookkeeping.shown(day) for day in days]})


async def get_proof(request: Request) -> Response:
    asker = await asker_of(request)
    access.check_biller(asker.caller, "Account", "r")
    proof = await bookkeeping.prove(books_of(request))
    broken = [day.isoformat() for day in proof.broken_days]
    return http.json(
        {
            "holds": proof.holds,
            "wrong_balances": proof.wrong_balances,
            "unbalanced": proof.unbalanced,
            "broken_days": broken,
        }
    )


bookkeeping_routes = (
    Route("/billing/ledger/reversals", post_reversal, methods=["POST"]),
    Route("/billing/ledger/proof", get_proof, methods=["GET"]),
    Route("/billing/days", get_day_closes, methods=["GET"]),
    Route("/billing/days", post_day_close, methods=["POST"]),
)

"""The gateway's own pages: choose a test card, the bank's second step, and the way back."""

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from polyclinic.demo.cards import paying
from polyclinic.demo.cards.answers import Refused, kept_of
from polyclinic.demo.cards.kept import Json, Kept
from polyclinic.foundation.html import POLICY, Pages

_pages = Pages("polyclinic.demo.cards", "/static", clinic="Test card gateway")
_SENTENCES = {
    "card_declined": "Your bank declined this card. Try another one.",
    "insufficient_funds": "There is not enough money on this card. Try another one.",
    "expired_card": "This card has expired. Try another one.",
    "authentication_failed": "Your bank could not confirm that it is you. Try again.",
    "unknown_card": "Choose a test card, or enter one of the numbers below.",
}


async def get_page(request: Request) -> Response:
    kept = kept_of(request)
    return _show(request, _session(kept, request))


async def post_page(request: Request) -> Response:
    """Pays; a declined card leads back to the same page, the second step to a page of its own."""
    kept, form = kept_of(request), await request.form()
    number = str(form.get("number") or form.get("card") or "").replace(" ", "")
    session = _session(kept, request)
    if session["status"] != "open":
        return _back(session)
    if number not in paying.CARDS:
        return _show(request, session, "unknown_card")
    with kept.whole():
        step = _tried(lambda: paying.submit(kept, session, number))
    if isinstance(step, paying.Declined):
        return _show(request, session, str(step))
    if step == "check":
        return RedirectResponse(f"/pay/{session['id']}/check", 303)
    return _back(session)


async def get_check(request: Request) -> Response:
    session = _session(kept_of(request), request)
    if session["status"] != "open":
        return _back(session)
    return _framed(_pages.page(request, "check.html", session=session))


async def post_check(request: Request) -> Response:
    kept, form = kept_of(request), await request.form()
    session = _session(kept, request)
    if session["status"] != "open":
        return _back(session)
    with kept.whole():
        step = _tried(lambda: paying.confirm(kept, session, passed=form.get("answer") == "yes"))
    if isinstance(step, paying.Declined):
        return _show(request, session, str(step))
    return _back(session)


def _tried(act: Any) -> Any:
    """A decline is kept like any other outcome, so it must not undo what was written."""
    try:
        return act()
    except paying.Declined as declined:
        return declined


def _session(kept: Kept, request: Request) -> Json:
    paying.settle_due(kept)
    session = kept.find("checkout.session", request.path_params["id"])
    if session is None:
        raise Refused("resource_missing", 404)
    return session


def _show(request: Request, session: Json, problem: str = "") -> Response:
    page = _pages.page(
        request,
        "card.html",
        422 if problem else 200,
        session=session,
        amount=f"{session['amount_total'] / 100:,.2f} {session['currency'].upper()}",
        cards=[(number, text) for number, (text, _) in paying.CARDS.items()],
        problem=_SENTENCES.get(problem, ""),
    )
    return _framed(page)


def _framed(page: Response) -> Response:
    """The way back leads to another address, which the house's policy would stop after a form."""
    page.headers["Content-Security-Policy"] = POLICY.replace("form-action 'self'; ", "")
    return page


def _back(session: Json) -> Response:
    return RedirectResponse(session["success_url"], 303)


routes = [
    Route("/pay/{id}", get_page),
    Route("/pay/{id}", post_page, methods=["POST"]),
    Route("/pay/{id}/check", get_check),
    Route("/pay/{id}/check", post_check, methods=["POST"]),
]

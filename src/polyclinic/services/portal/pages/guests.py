"""Paying with the link on a bill, without signing in: the birth date, how much, the card page."""

from datetime import date

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation import clock
from polyclinic.foundation.errors import Conflict, Gone, Invalid, NotFound, Problem
from polyclinic.foundation.html import Cookie
from polyclinic.services.portal.actions import guests
from polyclinic.services.portal.actions.guests import Known
from polyclinic.services.portal.domain import session as rules
from polyclinic.services.portal.domain.bills import Opened
from polyclinic.services.portal.domain.session import new_secret
from polyclinic.services.portal.gateways.billing import CardsSilent, Proof, TooOften
from polyclinic.services.portal.pages.bills import draw_bill
from polyclinic.services.portal.pages.door import FORM_MAX, origin, portal
from polyclinic.services.portal.pages.paying import read_amount, refused_words, status_of

GUEST = Cookie("polyclinic-pay")
WRONG = {
    "WrongAnswer": "That is not the birth date of the person whom this bill is for."
    " After five wrong answers the link stops working.",
    "NobodyKnows": "We cannot check this here. Sign in to pay, or call us.",
}
ENDED, HURRIED = "ended", "hurried"


async def get_link(request: Request) -> Response:
    """Says nothing about the bill, and asks nobody: looking is no attempt."""
    if not portal(request).has("billing"):
        raise NotFound("No bills are paid at this address.")
    return _page(request, "guest/born.html", word=request.path_params["word"])


async def post_link(request: Request) -> Response:
    word, given = request.path_params["word"], await _form(request)
    try:
        proof = Proof(word, read_birth_date(given))
        opened = await guests.open_bill(portal(request), proof)
    except (Gone, TooOften) as refused:
        return _stopped(request, refused)
    except Invalid as wrong:
        error = WRONG.get(getattr(wrong, "kind", ""), wrong.message)
        return _page(request, "guest/born.html", 422, word=word, given=given, error=error)
    return _amount_page(request, opened, proof)


async def post_amount(request: Request) -> Response:
    """Begins a card payment; the browser keeps the way back sealed, its address says nothing."""
    word, given, now = request.path_params["word"], await _form(request), clock.now()
    at_work = portal(request)
    try:
        proof = guests.recall(at_work, given.get("proof"), now, word).proof
        opened = await guests.open_bill(at_work, proof)
        return await _to_cards(request, opened, proof, given)
    except guests.Forgotten as old:
        return _page(request, "guest/born.html", 422, word=word, error=old.message)
    except (Gone, TooOften) as refused:
        return _stopped(request, refused)


async def get_back(request: Request) -> Response:
    """From the card page: how it went, and what is left."""
    at_work = portal(request)
    try:
        known = guests.recall(at_work, GUEST.read(request, origin(request)), clock.now())
        opened = await guests.open_bill(at_work, known.proof, known.payment)
    except guests.Forgotten as old:
        return _stopped(request, old, why="unknown")
    except (Gone, TooOften) as refused:
        return _stopped(request, refused)
    return _result_page(request, known, opened)


def read_birth_date(given: dict[str, str]) -> date:
    """Month, day and year as typed; raises Invalid naming what is missing."""
    missing = [name for name in ("month", "day", "year") if not given.get(name, "").strip()]
    if missing:
        raise Invalid(f"Enter the birth date's {' and '.join(missing)}.", place=missing[0])
    try:
        numbers = [int(given[name].strip()[:4]) for name in ("year", "month", "day")]
        born = date(*numbers)
    except ValueError as bad:
        raise Invalid("Enter a real date, such as 3 14 1968.", place="month") from bad
    if born.year < 1900:
        raise Invalid("Enter the year with four digits, such as 1968.", place="year")
    return born


async def _to_cards(
    request: Request, opened: Opened, proof: Proof, given: dict[str, str]
) -> Response:
    base = origin(request)
    try:
        amount = read_amount(given, opened.payable, opened.currency)
        wanted = (amount, f"{base}/pay/back", given.get("turn", ""))
        begun = await guests.pay(portal(request), proof, wanted, clock.now())
    except (CardsSilent, Conflict, Invalid) as refused:
        return _amount_page(request, opened, proof, given, refused)
    page = _page(request, "guest/to_cards.html", opened=opened, started=begun.started)
    GUEST.keep(page, base, begun.kept, int(guests.KEPT.total_seconds()))
    return page


def _amount_page(
    request: Request,
    opened: Opened,
    proof: Proof,
    given: dict[str, str] | None = None,
    refused: Problem | None = None,
) -> Response:
    was = given or {}
    error = refused_words(refused, opened.payable, opened.currency) if refused else None
    return _page(
        request,
        "guest/amount.html",
        status_of(refused),
        word=proof.token,
        opened=opened,
        proof=guests.keep(portal(request), proof, clock.now()),
        error=error,
        much=was.get("much", "all"),
        other=was.get("other", "")[:30],
        turn=new_secret(),
    )


def _result_page(request: Request, known: Known, opened: Opened) -> Response:
    state = {"succeeded": "paid", "processing": "processing"}.get(opened.payment or "", "not")
    word = known.proof.token
    return _page(request, "guest/result.html", opened=opened, state=state, word=word)


def _stopped(request: Request, refused: Problem, why: str = "") -> Response:
    """The link ended, or too many links are being tried at once."""
    is_hurried = isinstance(refused, TooOften)
    status = 429 if is_hurried else 410
    page = _page(
        request, "guest/stopped.html", status, why=why or (HURRIED if is_hurried else ENDED)
    )
    if is_hurried:
        page.headers["Retry-After"] = "60"
    return page


def _page(request: Request, template: str, status: int = 200, **values: object) -> Response:
    """Never in a search engine, and never in the address of a page that it leads to."""
    shown = {"given": {}, "error": "", **values}
    page = draw_bill(request, template, None, status, **shown)
    page.headers["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    return page


async def _form(request: Request) -> dict[str, str]:
    """A form's fields, if one of our own pages sent it: there is no session to prove it by."""
    async with request.form(max_files=0, max_fields=20, max_part_size=FORM_MAX) as sent:
        given = {name: value for name, value in sent.items() if isinstance(value, str)}
    headers = {name: request.headers[name] for name in request.headers}
    rules.check_own_page(headers, origin(request))
    return given

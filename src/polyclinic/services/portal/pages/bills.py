"""A patient's bills: what is owed, one bill, estimates, and how each came about."""

from collections.abc import Sequence
from datetime import date, datetime

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation.html import HEADERS
from polyclinic.services.portal.actions import bills
from polyclinic.services.portal.actions.bills import Bills
from polyclinic.services.portal.domain import payment_words, times
from polyclinic.services.portal.domain.bill_pictures import steps, whole
from polyclinic.services.portal.domain.money import Currency
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.pages.door import draw, portal, signed_in

patients_only = signed_in("patient")
SHOWN = 5


@patients_only
async def get_bills(request: Request, signed: Signed) -> Response:
    found = await bills.overview(portal(request), signed.session)
    shows_all = request.query_params.get("show") == "all"
    return draw_bill(
        request,
        "patient/bills.html",
        signed,
        found=found,
        picture=whole(found.owed.open_lines) if found.owed.open_lines else None,
        is_late=_is_late(request, found),
        statements=_first(found.statements, shows_all=shows_all),
        payments=_first(found.payments, shows_all=shows_all),
        hidden=max(len(found.statements), len(found.payments)) > SHOWN and not shows_all,
    )


@patients_only
async def get_bill(request: Request, signed: Signed) -> Response:
    """A bill as it was sent, line by line."""
    name = request.path_params["bill"]
    found, money = await bills.statement(portal(request), signed.session, name)
    return draw_bill(
        request,
        "patient/bill.html",
        signed,
        bill=found,
        picture=whole(found.lines),
        money=money,
        is_late=found.is_open and found.due < portal(request).today(),
    )


@patients_only
async def get_bill_pdf(request: Request, signed: Signed) -> Response:
    name = request.path_params["bill"]
    return pdf(await bills.statement_pdf(portal(request), signed.session, name), "bill.pdf")


@patients_only
async def get_estimate(request: Request, signed: Signed) -> Response:
    name = request.path_params["estimate"]
    found = await bills.estimate(portal(request), signed.session, name)
    return draw_bill(request, "patient/estimate.html", signed, estimate=found)


def draw_bill(
    request: Request,
    template: str,
    signed: Signed | None,
    status: int = 200,
    **values: object,
) -> Response:
    """A page on which money and days are in words."""
    at_work = portal(request)
    today, zone = at_work.today(), at_work.settings.time_zone

    def day(of: date) -> str:
        return times.day_words(of, today)

    def date_of(at: datetime) -> str:
        return times.day(at, zone, today)

    words: dict[str, object] = {
        "cash": _cash,
        "sign": _sign,
        "number": _number,
        "day": day,
        "date_of": date_of,
        "steps_of": steps,
        "standing": payment_words.standing,
        "method": payment_words.method,
        "weekday": times.short_weekday,
        "month": times.short_month,
    }
    return draw(request, template, signed, status, **words, **values)


def _cash(amount: int, currency: str) -> str:
    return Currency(currency).words(amount)


def _number(bill: int) -> str:
    """As it stands on paper."""
    return f"{bill:06}"


def _sign(currency: str) -> str:
    return Currency(currency).sign or currency


def pdf(content: bytes, name: str) -> Response:
    headers = {**HEADERS, "Content-Disposition": f'inline; filename="{name}"'}
    return Response(content, headers=headers, media_type="application/pdf")


def _first(found: Sequence[object], *, shows_all: bool) -> Sequence[object]:
    return found if shows_all else found[:SHOWN]


def _is_late(request: Request, found: Bills) -> bool:
    return found.due is not None and found.due < portal(request).today()

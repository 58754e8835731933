"""Paying a bill: how much, the way to the card page and back, receipts, and payment plans."""

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation.errors import Conflict, Invalid, NotFound, Problem
from polyclinic.services.portal.actions import bills
from polyclinic.services.portal.domain import payment_words
from polyclinic.services.portal.domain.bills import PAID, PROCESSING, Payment
from polyclinic.services.portal.domain.money import Currency
from polyclinic.services.portal.domain.session import Signed, new_secret
from polyclinic.services.portal.gateways.billing import CardsSilent, NotAccepted, Wanted
from polyclinic.services.portal.pages.bills import draw_bill, patients_only, pdf
from polyclinic.services.portal.pages.door import form, origin, portal, redirect

# Billing's kinds of refusal, as a page says them.
WHY = {
    "MoreThanOwed": "This is more than you owe. Enter {most} or less.",
    "CardsRefused": "The card page could not be opened. Nothing was paid. Try again in a minute.",
    "NoCards": "Card payments are not offered here. Pay at the front desk.",
}


@patients_only
async def get_pay(request: Request, signed: Signed) -> Response:
    """All that is owed, or the next part of a plan; the address says no amounts."""
    asked, given = request.query_params, dict[str, str]()
    if asked.get("plan") == "next":
        given = await _next_part(request, signed)
    return await _pay_page(request, signed, {**given, "bill": asked.get("bill", "")[:40]})


@patients_only
async def post_pay(request: Request, signed: Signed) -> Response:
    given = await form(request, signed)
    at_work = portal(request)
    money = await bills.money(at_work, signed.session)
    try:
        amount = read_amount(given, money.payable, money.currency)
        wanted = Wanted(
            amount=amount,
            return_url=f"{origin(request)}/bills/back",
            statement=given.get("bill") or None,
        )
        started = await bills.pay(at_work, signed.session, wanted, given.get("turn", ""))
    except (CardsSilent, Conflict, Invalid) as refused:
        return await _pay_page(request, signed, given, refused)
    return redirect(f"/bills/payments/{started.payment}?go=yes")


@patients_only
async def get_back(request: Request, signed: Signed) -> Response:
    """From the card page; its address says nothing, so that nothing is left with the gateway."""
    found = await bills.came_back(portal(request), signed.session)
    return redirect(f"/bills/payments/{found.id}?back=yes" if found else "/bills")


@patients_only
async def get_payment(request: Request, signed: Signed) -> Response:
    """How a payment stands: the way to the card page, on its way, paid, or what to do next."""
    asked, at_work = request.query_params, portal(request)
    name = request.path_params["payment"]
    found = await bills.payment(at_work, signed.session, name, asks=asked.get("again") == "yes")
    money = await bills.money(at_work, signed.session)
    why, next_step = payment_words.why_not(found)
    return draw_bill(
        request,
        "patient/payment.html",
        signed,
        payment=found,
        money=money,
        was_there=asked.get("back") == "yes",
        goes_on=asked.get("go") == "yes" and found.is_open and found.action_url is not None,
        state=state_of(found),
        why=why,
        next_step=next_step,
    )


@patients_only
async def get_receipt(request: Request, signed: Signed) -> Response:
    name = request.path_params["payment"]
    found = await bills.payment(portal(request), signed.session, name)
    if found.status != PAID:
        raise NotFound("There is a receipt as soon as the payment has arrived.")
    return draw_bill(request, "patient/receipt.html", signed, payment=found)


@patients_only
async def get_receipt_pdf(request: Request, signed: Signed) -> Response:
    name = request.path_params["payment"]
    return pdf(await bills.receipt_pdf(portal(request), signed.session, name), "receipt.pdf")


@patients_only
async def get_plan(request: Request, signed: Signed) -> Response:
    return await _plan_page(request, signed)


@patients_only
async def post_plan(request: Request, signed: Signed) -> Response:
    given = await form(request, signed)
    try:
        await bills.agree(portal(request), signed.session, given)
    except (Conflict, Invalid) as refused:
        return await _plan_page(request, signed, refused)
    return redirect("/bills/plan?done=agreed")


@patients_only
async def post_plan_end(request: Request, signed: Signed) -> Response:
    given = await form(request, signed)
    try:
        await bills.end_plan(portal(request), signed.session, given.get("plan", ""))
    except Conflict:
        # It has ended already, perhaps by another window: the page says how things are.
        return redirect("/bills/plan")
    return redirect("/bills/plan?done=ended")


def state_of(payment: Payment) -> str:
    """open, processing, paid or failed"""
    if payment.is_open:
        return "open"
    return {PAID: "paid", PROCESSING: "processing"}.get(payment.status, "failed")


def read_amount(given: dict[str, str], payable: int, currency: str) -> int:
    """All that can be paid now, or what was typed; raises Invalid with its place."""
    if given.get("much") == "other":
        amount = Currency(currency).read(given.get("other", ""))
        if amount > payable:
            raise NotAccepted(kind="MoreThanOwed", place="other")
        return amount
    if given.get("much") != "all" or payable <= 0:
        raise Invalid("Choose how much you would like to pay.", place="all")
    return payable


def status_of(refused: Problem | None) -> int:
    """Of a page that is drawn again with what is wrong."""
    if refused is None:
        return 200
    return 503 if isinstance(refused, CardsSilent) else 422


def refused_words(refused: Problem, payable: int, currency: str) -> tuple[str, str]:
    """Where on the page something is wrong, and what."""
    kind = getattr(refused, "kind", "")
    said = WHY.get(kind, refused.message).format(most=Currency(currency).words(payable))
    place = refused.place if refused.place in ("all", "other") else ""
    return ("other" if kind == "MoreThanOwed" else place), said


async def _pay_page(
    request: Request, signed: Signed, given: dict[str, str], refused: Problem | None = None
) -> Response:
    money = await bills.money(portal(request), signed.session)
    error = refused_words(refused, money.payable, money.currency) if refused else None
    return draw_bill(
        request,
        "patient/pay.html",
        signed,
        status_of(refused),
        money=money,
        error=error,
        much=given.get("much") or "all",
        other=given.get("other", "")[:30],
        bill=given.get("bill", ""),
        turn=new_secret(),
    )


async def _next_part(request: Request, signed: Signed) -> dict[str, str]:
    plan, money = await bills.plan(portal(request), signed.session)
    if plan is None or plan.next is None or plan.next.left >= money.payable:
        return {}
    return {"much": "other", "other": Currency(money.currency).plain(plan.next.left)}


async def _plan_page(request: Request, signed: Signed, refused: Problem | None = None) -> Response:
    at_work = portal(request)
    plan, money = await bills.plan(at_work, signed.session)
    asked, done = request.query_params.get("parts", ""), request.query_params.get("done", "")
    return draw_bill(
        request,
        "patient/plan.html",
        signed,
        422 if refused else 200,
        plan=plan,
        money=money,
        offer=None if plan else bills.offer(at_work, money, asked),
        error=_plan_refused(refused) if refused else "",
        done=done if done in ("agreed", "ended") else "",
        turn=new_secret(),
    )


def _plan_refused(refused: Problem) -> str:
    kind = getattr(refused, "kind", "")
    return {
        "NotWhatIsOwed": "What you owe has changed meanwhile. Look at the new parts and try again.",
        "PlanExists": "You have a payment plan already.",
    }.get(kind, refused.message)

"""Money at the desk: a patient's account, cash and checks with a receipt, and giving back."""

from collections.abc import Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation.errors import Invalid
from polyclinic.services.portal.actions import billing_desk
from polyclinic.services.portal.domain import billing_desk_words as words
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.gateways.billing_desk import BillingRefused
from polyclinic.services.portal.pages.billing_desk.reading import (
    Given,
    amount_of,
    billers_only,
    first_of,
    nameless,
    read_form,
    show,
    takers_only,
)
from polyclinic.services.portal.pages.clinician import search
from polyclinic.services.portal.pages.door import portal, redirect

Errors = Sequence[tuple[str, str]]


@billers_only
async def get_patients(request: Request, signed: Signed) -> Response:
    return show(
        request, "patients", signed, typed="", found=None, error="", shows_relation=False,
        base="/billing-desk/patients/",
    )  # fmt: skip


@billers_only
async def post_patients(request: Request, signed: Signed) -> Response:
    return await search(request, signed, "staff/billing_patients.html", mark=False)


@takers_only
async def get_account(request: Request, signed: Signed) -> Response:
    return await _account(request, signed)


@takers_only
async def post_account(request: Request, signed: Signed) -> Response:
    """Shows what will be booked, then books it once."""
    given = await read_form(request, signed)
    patient = f"Patient/{request.path_params['patient_id']}"
    at_work = portal(request)
    try:
        account, named = await billing_desk.open_account(at_work, signed.session, patient)
        amount = amount_of(given.get("amount"), account.currency, "amount")
        method = _chosen(given, "method", words.METHODS, "Say how it was paid.")
        if given.get("confirmed") != "yes":
            return show(
                request, "payment_confirm", signed, balance=account, named=named, patient=patient,
                amount=amount, typed=given.get("amount"), method=method, methods=words.METHODS,
            )  # fmt: skip
        body = {"amount": amount, "method": method, "patient": patient}
        key = f"pay-{patient}-{given.turn}"
        made = await billing_desk.tell(at_work, signed.session, key, "/payments", body)
    except BillingRefused as refused:
        return await _account(request, signed, [("", refused.message)], given)
    except Invalid as wrong:
        return await _account(request, signed, [(wrong.place or "", wrong.message)], given)
    return redirect(f"/billing-desk/payments/{made['payment']}?done=yes")


@takers_only
async def get_payment(request: Request, signed: Signed) -> Response:
    return await _payment(request, signed)


@billers_only
async def post_refund(request: Request, signed: Signed) -> Response:
    """Gives back out of one payment, after the amount was seen once more."""
    given = await read_form(request, signed)
    name = request.path_params["payment"]
    at_work = portal(request)
    try:
        payment, named = await billing_desk.open_payment(at_work, signed.session, name)
        amount = amount_of(given.get("amount"), payment.currency, "amount")
        _at_most(amount, payment.left)
        reason = _chosen(given, "reason", words.REFUND, "Say why it is given back.")
        if given.get("confirmed") != "yes":
            return show(
                request, "refund_confirm", signed, payment=payment, named=named, amount=amount,
                typed=given.get("amount"), reason=reason, reasons=words.REFUND,
                methods=words.METHOD_WORDS,
            )  # fmt: skip
        key, path = f"refund-{name}-{given.turn}", f"/payments/{name}/refunds"
        body = {"amount": amount, "reason": reason}
        await billing_desk.tell(at_work, signed.session, key, path, body)
    except BillingRefused as refused:
        return await _payment(request, signed, [("", refused.message)], given)
    except Invalid as wrong:
        return await _payment(request, signed, [(wrong.place or "", wrong.message)], given)
    return redirect(f"/billing-desk/payments/{name}?done=refund")


def _chosen(given: Given, name: str, known: Mapping[str, str], text: str) -> str:
    found = given.get(name)
    if found not in known:
        raise Invalid(text, place=name)
    return found


def _at_most(amount: int, left: int) -> None:
    if amount > left:
        raise Invalid("This is more than what is left of the payment.", place="amount")


async def _account(
    request: Request, signed: Signed, errors: Errors = (), given: Given | None = None
) -> Response:
    patient = f"Patient/{request.path_params['patient_id']}"
    at_work = portal(request)
    account, named = await billing_desk.open_account(at_work, signed.session, patient)
    claims = None
    if signed.session.role == "billing":
        claims, _ = await billing_desk.open_claims(at_work, signed.session, {"patient": patient})
    return show(
        request, "account", signed, 422 if errors else 200, balance=account, named=named,
        nameless=nameless(named), patient=patient, claims=claims.claims if claims else [],
        states=words.STATES, payment_states=words.PAYMENT_STATES, methods=words.METHODS,
        method_words=words.METHOD_WORDS, errors=errors, wrong=first_of(errors),
        typed=given.fields if given else {},
    )  # fmt: skip


async def _payment(
    request: Request, signed: Signed, errors: Errors = (), given: Given | None = None
) -> Response:
    key, at_work = request.path_params["payment"], portal(request)
    payment, named = await billing_desk.open_payment(at_work, signed.session, key)
    return show(
        request, "payment", signed, 422 if errors else 200, payment=payment, named=named,
        nameless=nameless(named), states=words.PAYMENT_STATES, methods=words.METHOD_WORDS,
        reasons=words.REFUND, errors=errors, wrong=first_of(errors),
        typed=given.fields if given else {}, done=request.query_params.get("done", ""),
    )  # fmt: skip

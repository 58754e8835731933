"""Coding a visit: what was found, what was done, who pays; reviewed with its total, then posted."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation.errors import Conflict
from polyclinic.services.portal.actions import billing_desk, desk
from polyclinic.services.portal.actions.billing_desk import Coding
from polyclinic.services.portal.domain import coding as rules
from polyclinic.services.portal.domain import times
from polyclinic.services.portal.domain.billing_desk_words import NOT_BILLABLE
from polyclinic.services.portal.domain.coding import Typed
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.gateways.billing_desk import BillingRefused
from polyclinic.services.portal.pages.billing_desk.reading import (
    coders_only,
    first_of,
    nameless,
    read_form,
    show,
)
from polyclinic.services.portal.pages.door import form, portal, redirect, signed_in

Errors = Sequence[tuple[str, str]]


@coders_only
async def get_visit(request: Request, signed: Signed) -> Response:
    return await _page(request, signed, Typed())


@coders_only
async def post_visit(request: Request, signed: Signed) -> Response:
    """Shows the total first; posts what was seen, and nothing else."""
    given = await read_form(request, signed)
    typed = rules.read_typed(given.fields)
    if given.get("how") == "change":
        return await _page(request, signed, typed)
    found = await _open(request, signed)
    wrong = rules.wrong_in(typed, found.visit)
    if wrong:
        return _form(request, signed, found, typed, wrong)
    priced = rules.priced(typed, found.fees.fees if found.fees else [])
    unpriced = [
        (f"code{n}", f"Line {n}: this code is not in the price list of that day.")
        for n, each in enumerate(priced, 1)
        if each.amount is None
    ]
    if unpriced:
        return _form(request, signed, found, typed, unpriced)
    if given.get("how") != "post":
        return _review(request, signed, found, typed)
    visit = found.visit.id
    try:
        path = f"/visits/{visit}/code"
        key = f"code-{visit}-{given.turn}"
        await billing_desk.tell(portal(request), signed.session, key, path, rules.body_of(typed))
    except BillingRefused as refused:
        return _form(request, signed, found, typed, rules.places(refused.issues))
    return redirect(f"/billing-desk/visits/{visit}?done=yes")


@coders_only
async def post_not_billable(request: Request, signed: Signed) -> Response:
    given = await form(request, signed)
    visit, reason = request.path_params["visit"], given.get("reason", "")
    if reason not in NOT_BILLABLE:
        return await _page(request, signed, Typed(), [("reason", "Say why nothing is charged.")])
    try:
        path = f"/visits/{visit}/not-billable"
        key = f"aside-{visit}-{given.get('turn', '')[:40]}"
        await billing_desk.tell(portal(request), signed.session, key, path, {"reason": reason})
    except BillingRefused as refused:
        return await _page(request, signed, Typed(), [("", refused.message)])
    return redirect(f"/billing-desk/visits/{visit}?done=yes")


@signed_in("clinician")
async def post_of_appointment(request: Request, signed: Signed) -> Response:
    """From a clinician's day to the coding of that visit, which billing may not know yet."""
    await form(request, signed)
    at_work, key = portal(request), request.path_params["visit"]
    found = await desk.open_visit(at_work, signed.session, key)
    a = found.appointment
    if a.status != "fulfilled":
        raise Conflict("Only a visit that is done can be coded; mark it as done first.")
    body = {
        "patient": a.patient,
        "practitioner": a.practitioner,
        "day": times.local(a.start, found.zone).date().isoformat(),
        "appointment": f"Appointment/{a.id}",
    }
    visit = await billing_desk.visit_of(at_work, signed.session, body)
    return redirect(f"/billing-desk/visits/{visit}")


async def _open(request: Request, signed: Signed) -> Coding:
    key = request.path_params["visit"]
    return await billing_desk.open_coding(portal(request), signed.session, key)


async def _page(request: Request, signed: Signed, typed: Typed, errors: Errors = ()) -> Response:
    found = await _open(request, signed)
    if found.visit.status != "to code":
        return show(
            request, "coded", signed, 409 if errors else 200, found=found, visit=found.visit,
            named=found.named, nameless=nameless(found.named), errors=errors,
            claim=await _claim_of(request, signed, found),
            done=request.query_params.get("done") == "yes",
        )  # fmt: skip
    return _form(request, signed, found, typed, errors)


def _form(
    request: Request, signed: Signed, found: Coding, typed: Typed, errors: Errors
) -> Response:
    return show(
        request, "coding", signed, 422 if errors else 200, found=found, visit=found.visit,
        named=found.named, nameless=nameless(found.named), typed=typed, errors=errors,
        wrong=first_of(errors), shapes=rules, reasons=NOT_BILLABLE,
    )  # fmt: skip


def _review(request: Request, signed: Signed, found: Coding, typed: Typed) -> Response:
    priced = rules.priced(typed, found.fees.fees if found.fees else [])
    chosen = next((each for each in found.coverages if each.id == typed.pays), None)
    return show(
        request, "coding_review", signed, found=found, visit=found.visit, named=found.named,
        nameless=nameless(found.named), typed=typed, priced=priced, chosen=chosen,
        total=sum(each.amount or 0 for each in priced), currency=_currency(found),
    )  # fmt: skip


def _currency(found: Coding) -> str:
    return found.fees.currency if found.fees else "USD"


async def _claim_of(request: Request, signed: Signed, found: Coding) -> str:
    """The claim of a coded visit, for those who see claims."""
    if signed.session.role != "billing":
        return ""
    asked = {"patient": found.visit.patient}
    listed, _ = await billing_desk.open_claims(portal(request), signed.session, asked)
    return next((each.id for each in listed.claims if each.visit == found.visit.id), "")

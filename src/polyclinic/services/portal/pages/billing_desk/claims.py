"""Claims: the list by state, and one claim with its life, findings, decisions and what to do."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation.errors import Invalid, NotFound
from polyclinic.services.portal.actions import billing_desk
from polyclinic.services.portal.domain import billing_desk_words as words
from polyclinic.services.portal.domain.billing_work import Body, Claim
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
)
from polyclinic.services.portal.pages.door import portal, redirect

Errors = Sequence[tuple[str, str]]
# verb → what is moved; these are shown with their amount before they are posted.
MONEY = {"write-off": "Write off", "to-patient": "Bill the patient"}
# verb → (its one field, how long it may be, what to do when it is empty)
_TYPED = {
    "authorization": ("number", 50, "Enter the payer's authorization number."),
    "appeal": ("note", 4000, "Say why the payer should decide anew."),
}


@billers_only
async def get_claims(request: Request, signed: Signed) -> Response:
    given = request.query_params
    status = given.get("status", "") if given.get("status") in words.STATES else ""
    asked = {"status": status, "before": given.get("before", "")[:36]}
    found, named = await billing_desk.open_claims(portal(request), signed.session, asked)
    return show(
        request, "claims", signed, found=found, named=named, nameless=nameless(named),
        which=status, states=words.STATES, is_first=not asked["before"],
    )  # fmt: skip


@billers_only
async def get_claim(request: Request, signed: Signed) -> Response:
    return await _page(request, signed)


@billers_only
async def post_claim(request: Request, signed: Signed) -> Response:
    """One deed; what billing refuses is said on the claim's own page."""
    given = await read_form(request, signed)
    name, verb = request.path_params["claim"], request.path_params["verb"]
    at_work = portal(request)
    try:
        if verb in MONEY and given.get("confirmed") != "yes":
            return await _confirm(request, signed, verb, given)
        path, body = _deed(name, verb, given)
        key = f"{verb}-{name}-{given.turn}"
        await billing_desk.tell(at_work, signed.session, key, path, body)
    except BillingRefused as refused:
        return await _page(request, signed, [("", refused.message)])
    except Invalid as wrong:
        return await _page(request, signed, [(wrong.place or "", wrong.message)], given)
    return redirect(f"/billing-desk/claims/{name}?done={verb}")


def _deed(name: str, verb: str, given: Given) -> tuple[str, Body]:
    """Billing's address and body of one deed; raises Invalid."""
    if verb == "submit":
        return "/submissions", {"claims": [name]}
    path = f"/claims/{name}/{verb}"
    if verb in ("check", "correction"):
        return path, {}
    if verb in _TYPED:
        field, most, text = _TYPED[verb]
        typed = given.get(field).strip()
        if not typed:
            raise Invalid(text, place=field)
        return path, {field: typed[:most]}
    if verb in MONEY:
        return path, _moved(verb, given)
    raise NotFound("There is no such step.")


def _moved(verb: str, given: Given) -> Body:
    """The amount as it was confirmed."""
    minor = given.get("minor")
    if not (minor.isascii() and minor.isdecimal() and len(minor) < 14):
        raise Invalid("Enter the amount again.", place=f"{verb}-amount")
    return {"reason": given.get("reason")[:40], "amount": int(minor)}


async def _confirm(request: Request, signed: Signed, verb: str, given: Given) -> Response:
    """The amount as it will be posted, and what it does to whom."""
    name = request.path_params["claim"]
    claim, named = await billing_desk.open_claim(portal(request), signed.session, name)
    amount = amount_of(given.get("amount"), claim.currency, f"{verb}-amount")
    if amount > claim.open:
        text = "This is more than what is still open with the payer."
        raise Invalid(text, place=f"{verb}-amount")
    reason = given.get("reason")
    if verb == "write-off" and reason not in words.WRITE_OFF:
        raise Invalid("Say why it is written off.", place="write-off-reason")
    if verb == "to-patient":
        reason = words.denial_code(claim)
    return show(
        request, "claim_confirm", signed, claim=claim, named=named, verb=verb, amount=amount,
        reason=reason, what=MONEY[verb],
        reason_words=words.WRITE_OFF.get(reason, words.code_words(reason)),
    )  # fmt: skip


async def _page(
    request: Request, signed: Signed, errors: Errors = (), given: Given | None = None
) -> Response:
    name = request.path_params["claim"]
    claim, named = await billing_desk.open_claim(portal(request), signed.session, name)
    return show(
        request, "claim", signed, 422 if errors else 200, claim=claim, named=named,
        nameless=nameless(named), errors=errors, wrong=first_of(errors), typed=given,
        life=words.life(claim.status, claim.history, claim.open), state=words.STATES[claim.status],
        rules=words.RULES, what_next=words.what_next, kind_words=words.kind_words,
        code_words=words.code_words, group_words=words.group_words, reasons=words.WRITE_OFF,
        denial=words.code_words(words.denial_code(claim)), file_states=words.FILE_STATES,
        file_kinds=words.FILE_KINDS, decided=_by_charge(claim),
        done=_DONE.get(request.query_params.get("done", ""), ""),
    )  # fmt: skip


def _by_charge(claim: Claim) -> dict[str, list[object]]:
    """Decisions by line; those on the claim as a whole under no line."""
    found: dict[str, list[object]] = {}
    for each in claim.decisions:
        found.setdefault(each.charge or "", []).append(each)
    return found


_DONE = {
    "check": "The claim was checked.",
    "submit": "The claim is on its way to the payer.",
    "authorization": "The authorization number was entered. Check the claim again.",
    "correction": "The claim is a draft again: correct it, check it and send it.",
    "appeal": "The appeal was noted. Send it by the way that this payer takes appeals.",
    "write-off": "The amount was written off.",
    "to-patient": "The amount is on the patient's account now.",
}

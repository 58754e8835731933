"""Fee schedules: all lists with their time, one as a table, and a new one from a CSV file."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.services.portal.actions import billing_desk
from polyclinic.services.portal.actions.state import answered
from polyclinic.services.portal.domain import times
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.gateways.billing_desk import NAME, BillingRefused
from polyclinic.services.portal.pages.billing_desk.reading import (
    Given,
    billers_only,
    first_of,
    read_form,
    show,
)
from polyclinic.services.portal.pages.door import portal, redirect

Errors = Sequence[tuple[str, str]]
CURRENCY = "USD"
_FIELDS = {"name": "name", "from_day": "from", "until_day": "until", "payer": "payer"}


@billers_only
async def get_schedules(request: Request, signed: Signed) -> Response:
    return await _list(request, signed)


@billers_only
async def get_schedule(request: Request, signed: Signed) -> Response:
    at_work, token = portal(request), signed.session.tokens.access
    key = request.path_params["schedule"]
    found = await answered(at_work, NAME, at_work.billing_desk.schedule(token, key))
    named = await billing_desk.name_all(at_work, signed.session, [])
    return show(
        request, "fee_schedule", signed, schedule=found, named=named, on=at_work.today(),
        done=request.query_params.get("done") == "yes",
    )  # fmt: skip


@billers_only
async def post_schedule(request: Request, signed: Signed) -> Response:
    """All of a list or nothing of it; what is wrong is named by line and column."""
    given = await read_form(request, signed)
    wrong = _wrong(given)
    if wrong:
        return await _list(request, signed, wrong, given)
    body = {
        "name": given.get("name").strip(),
        "from_day": given.get("from"),
        "csv": given.content.decode("utf-8", "replace"),
        "currency": given.get("currency") or CURRENCY,
        "payer": given.get("payer") or None,
        "until_day": given.get("until") or None,
        "close_former": given.get("close") == "yes",
    }
    try:
        key = f"fees-{given.turn}"
        made = await billing_desk.tell(portal(request), signed.session, key, "/fee-schedules", body)
    except BillingRefused as refused:
        return await _list(request, signed, _said(refused), given)
    return redirect(f"/billing-desk/fees/{made['schedule']}?done=yes")


def _wrong(given: Given) -> list[tuple[str, str]]:
    wrong: list[tuple[str, str]] = []
    if not given.get("name").strip():
        wrong.append(("name", "Give the list a name."))
    if times.read_day(given.get("from")) is None:
        wrong.append(("from", "Enter the day from which the list is valid."))
    if given.get("until") and times.read_day(given.get("until")) is None:
        wrong.append(("until", "Enter a date, or leave it empty."))
    if not given.content:
        wrong.append(("file", "Choose a CSV file with the columns code, modifier, title, amount."))
    return wrong


def _said(refused: BillingRefused) -> list[tuple[str, str]]:
    """Line and column stand in front of what is wrong there."""
    found: list[tuple[str, str]] = []
    for issue in refused.issues:
        place = issue.place or ""
        if place.startswith("line"):
            found.append(("file", f"{place.capitalize()}: {issue.text}"))
        else:
            found.append((_FIELDS.get(place, ""), issue.text))
    return found


async def _list(
    request: Request, signed: Signed, errors: Errors = (), given: Given | None = None
) -> Response:
    at_work, token = portal(request), signed.session.tokens.access
    listed = await answered(at_work, NAME, at_work.billing_desk.schedules(token))
    listed.sort(key=lambda each: (each.payer or "", each.from_day), reverse=False)
    named = await billing_desk.name_all(at_work, signed.session, [])
    return show(
        request, "fees", signed, 422 if errors else 200, schedules=listed, named=named,
        errors=errors, wrong=first_of(errors), typed=given.fields if given else {},
        on=at_work.today(),
    )  # fmt: skip

"""The ledger's days: closed ones with their digests, closing the last, and the proof of it all."""

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.services.portal.actions import billing_desk
from polyclinic.services.portal.domain import times
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.gateways.billing_desk import BillingRefused
from polyclinic.services.portal.pages.billing_desk.reading import billers_only, read_form, show
from polyclinic.services.portal.pages.door import portal, redirect


@billers_only
async def get_days(request: Request, signed: Signed) -> Response:
    return await _page(request, signed)


@billers_only
async def post_day(request: Request, signed: Signed) -> Response:
    """Asks first: a closed day takes no entry any more."""
    given = await read_form(request, signed)
    day = times.read_day(given.get("day"))
    if day is None:
        return await _page(request, signed, "Enter the day to close.")
    if given.get("confirmed") != "yes":
        return show(request, "day_confirm", signed, on=day)
    try:
        key, body = f"close-{day}-{given.turn}", {"day": day.isoformat()}
        await billing_desk.tell(portal(request), signed.session, key, "/days", body)
    except BillingRefused as refused:
        return await _page(request, signed, refused.message)
    return redirect(f"/billing-desk/days?done={day}")


async def _page(request: Request, signed: Signed, error: str = "") -> Response:
    at_work = portal(request)
    ledger = await billing_desk.open_ledger(at_work, signed.session)
    yesterday = at_work.today() - timedelta(days=1)
    is_closed = bool(ledger.days) and ledger.days[0].day >= yesterday
    return show(
        request, "days", signed, 422 if error else 200, ledger=ledger, error=error,
        yesterday=None if is_closed else yesterday,
        done=times.read_day(request.query_params.get("done", "")),
    )  # fmt: skip

"""A patient's page of who saw their record."""

import re

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.services.portal.actions.state import answered
from polyclinic.services.portal.domain.seen import days_of
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.gateways.audit import NAME
from polyclinic.services.portal.pages.door import draw, portal, signed_in

_PLACE = re.compile(r"\d{1,19}\.\d{1,19}", re.ASCII)


@signed_in("patient")
async def get_seen(request: Request, signed: Signed) -> Response:
    """Audit absent or silent: the page of the problem says so, with the reason."""
    at_work = portal(request)
    asked = request.query_params.get("before", "")
    before = asked if _PLACE.fullmatch(asked) else None
    token = signed.session.tokens.access
    found = await answered(at_work, NAME, at_work.audit.seen(token, before))
    days = days_of(found.looks, at_work.settings.time_zone)
    return draw(
        request, "patient/seen.html", signed, days=days, next=found.next, earlier=before is not None
    )

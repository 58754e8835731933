"""Channels: what came when, what waits, who is silent; opened and closed by those who run them."""

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation.errors import NotFound
from polyclinic.services.portal.actions import messages
from polyclinic.services.portal.domain.messages import Body
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.gateways.integration import IntegrationRefused
from polyclinic.services.portal.pages.door import form, portal, redirect
from polyclinic.services.portal.pages.messages.reading import Errors, operators_only, show

_DONE = {
    "open": "The channel is open: it takes messages.",
    "closed": "The channel is closed: senders get an error and keep their messages.",
    "seen": "The alert is closed. The same thing happening again opens another one.",
}


@operators_only
async def get_channels(request: Request, signed: Signed) -> Response:
    return await _page(request, signed)


@operators_only
async def post_status(request: Request, signed: Signed) -> Response:
    given = await form(request, signed)
    status = given.get("status", "")
    if status not in ("open", "closed"):
        raise NotFound("There is no such step.")
    path = ("channels", request.path_params["channel"], "status")
    return await _tell(request, signed, path, {"status": status}, given, status)


@operators_only
async def post_alert(request: Request, signed: Signed) -> Response:
    given = await form(request, signed)
    path = ("alerts", request.path_params["alert"], "end")
    return await _tell(request, signed, path, {}, given, "seen")


async def _tell(
    request: Request,
    signed: Signed,
    path: tuple[str, ...],
    body: Body,
    given: dict[str, str],
    done: str,
) -> Response:
    turn = f"{done}-{given.get('turn', '')[:40]}"
    try:
        await messages.tell(portal(request), signed.session, turn, path, body)
    except IntegrationRefused as refused:
        return await _page(request, signed, [("", refused.message)])
    return redirect(f"/messages/channels?done={done}")


async def _page(request: Request, signed: Signed, errors: Errors = ()) -> Response:
    found = await messages.open_channels(portal(request), signed.session)
    return show(
        request, "channels", signed, errors, channels=found,
        done=_DONE.get(request.query_params.get("done", ""), ""),
    )  # fmt: skip

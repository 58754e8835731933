"""The start of billing's day: what waits in each queue; taking, releasing, closing, sending."""

from collections.abc import Sequence
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.services.portal.actions import billing_desk
from polyclinic.services.portal.domain import billing_desk_words as words
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.gateways.billing_desk import BillingRefused
from polyclinic.services.portal.pages.billing_desk.reading import (
    billers_only,
    nameless,
    read_form,
    show,
)
from polyclinic.services.portal.pages.door import portal, redirect

START = "/billing-desk"


@billers_only
async def get_queue(request: Request, signed: Signed) -> Response:
    return await _queue(request, signed, dict(request.query_params))


@billers_only
async def post_item(request: Request, signed: Signed) -> Response:
    """One step of an item; what somebody else did meanwhile is said above the list."""
    given = await read_form(request, signed)
    item, verb = request.path_params["item"], request.path_params["verb"]
    body = {"outcome": given.get("outcome")} if verb == "done" else {}
    asked = {"queue": given.get("queue"), "mine": given.get("mine")}
    try:
        await billing_desk.on_item(portal(request), signed.session, item, verb, body, given.turn)
    except BillingRefused as refused:
        return await _queue(request, signed, asked, [refused.message])
    return redirect(_address(asked))


@billers_only
async def post_submit(request: Request, signed: Signed) -> Response:
    """Checks and sends the ticked claims; what stays behind is named with its reason."""
    given = await read_form(request, signed)
    wanted, asked = given.repeated.get("claim", [])[:50], {"queue": "to submit"}
    if not wanted:
        return await _queue(request, signed, asked, ["Tick at least one claim to send."])
    at_work = portal(request)
    sent, stayed = await billing_desk.submit_all(at_work, signed.session, wanted, given.turn)
    return await _queue(request, signed, asked, [], sent, stayed)


async def _queue(
    request: Request,
    signed: Signed,
    asked: dict[str, str],
    errors: Sequence[str] = (),
    sent: int = 0,
    stayed: Sequence[tuple[str, str]] = (),
) -> Response:
    at_work = portal(request)
    queue = asked.get("queue", "")
    queue = queue if queue in words.QUEUES else ""
    if not queue:
        # The first page is the first queue in which something waits.
        counted, _ = await billing_desk.open_queue(at_work, signed.session, {"queue": "to code"})
        queue = next((each for each in words.QUEUES if counted.counts.get(each)), "to code")
    wanted = {"queue": queue, "after": asked.get("after", "")[:36], "mine": asked.get("mine", "")}
    found, named = await billing_desk.open_queue(at_work, signed.session, wanted)
    return show(
        request, "queue", signed, 422 if errors else 200, queue=queue, queues=words.QUEUES,
        found=found, named=named, nameless=nameless(named), mine=wanted["mine"] == "true",
        later=_address({**wanted, "after": found.following}) if found.following else "",
        is_first=not wanted["after"], errors=[("", text) for text in errors], sent=sent,
        stayed=stayed, address=words.address, code_words=words.code_words, age=words.age_words,
        outcomes=words.OUTCOMES,
    )  # fmt: skip


def _address(asked: dict[str, str]) -> str:
    said = {name: value for name, value in asked.items() if value}
    return f"{START}?{urlencode(said)}" if said else START

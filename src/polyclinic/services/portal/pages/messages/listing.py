"""Messages: counts by state and the list; a number is looked for by form, never in an address."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation import clock
from polyclinic.services.portal.actions import messages
from polyclinic.services.portal.domain import message_words as words
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.pages.door import form, portal
from polyclinic.services.portal.pages.messages.reading import Errors, lookers_only, show

PAGE = "50"


@lookers_only
async def get_messages(request: Request, signed: Signed) -> Response:
    return await _list(request, signed, _filter(dict(request.query_params)))


@lookers_only
async def post_messages(request: Request, signed: Signed) -> Response:
    """Messages with one number: of a record, a visit, an order, or the message itself."""
    given = await form(request, signed)
    by, number = given.get("by", ""), given.get("number", "").strip()[:120]
    if by not in words.FINDS or not number:
        wrong = [("number", "Enter the number to look for.")]
        return await _list(request, signed, _filter({}), wrong)
    return await _list(request, signed, _filter({}), looked_for=(by, number))


def _filter(given: dict[str, str]) -> dict[str, str]:
    """What an address may ask for; none of it says anything of a patient."""
    asked = {
        "state": given.get("state", "") if given.get("state") in words.STATES else "",
        "channel": given.get("channel", "")[:60],
        "kind": given.get("kind", "")[:20].strip(),
        "age": given.get("age", "") if given.get("age") in words.AGES else "",
        "before": given.get("before", ""),
    }
    if not (asked["before"].isascii() and asked["before"].isdecimal()):
        asked["before"] = ""
    return {name: value[:15] if name == "before" else value for name, value in asked.items()}


async def _list(
    request: Request,
    signed: Signed,
    asked: dict[str, str],
    errors: Errors = (),
    looked_for: tuple[str, str] | None = None,
) -> Response:
    wanted = {name: asked[name] for name in ("state", "channel", "kind", "before")}
    if asked["age"]:
        since = clock.now() - words.AGES[asked["age"]][1]
        wanted["since"] = since.isoformat().replace("+00:00", "Z")
    if looked_for:
        wanted[looked_for[0]] = looked_for[1]
    found = await messages.open_list(portal(request), signed.session, {**wanted, "limit": PAGE})
    later = {**asked, "before": str(found.page.next)} if found.page.next else None
    return show(
        request, "list", signed, errors, found=found, asked=asked, looked_for=looked_for,
        counts=words.counted(found.channels), later=address(later) if later else "",
        with_=lambda **changed: address({**asked, "before": "", **changed}),
        is_filtered=any(asked.values()),
    )  # fmt: skip


def address(asked: dict[str, str]) -> str:
    said = {name: value for name, value in asked.items() if value}
    return f"/messages?{urlencode(said)}" if said else "/messages"

"""One message: as it came, as it was read, what was made of it; again, mended, or set aside."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation.errors import Invalid, NotFound
from polyclinic.services.portal.actions import messages
from polyclinic.services.portal.domain import message_fields as fields
from polyclinic.services.portal.domain import message_words as words
from polyclinic.services.portal.domain.messages import Body
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.gateways.integration import IntegrationRefused
from polyclinic.services.portal.pages.door import form, portal, redirect
from polyclinic.services.portal.pages.messages.reading import Errors, lookers_only, show

# Who may do what: queues are run without reading, and mended by who may read.
VERBS = {"replay": "administrator", "skip": "administrator", "fix": "clinician"}
LINES = ("1", "2", "3")
_DONE = {
    "replay": "It is tried again.",
    "skip": "It was set aside; what stood behind it goes on.",
    "fix": "This copy takes the place of the message that could not be worked on.",
}


@lookers_only
async def get_message(request: Request, signed: Signed) -> Response:
    return await _page(request, signed)


@lookers_only
async def post_message(request: Request, signed: Signed) -> Response:
    """One deed with its reason; what integration refuses is said on the message's own page."""
    given = await form(request, signed)
    name, verb = request.path_params["message"], request.path_params["verb"]
    if VERBS.get(verb) != signed.session.role:
        raise NotFound("There is no such step.")
    try:
        body = body_of(verb, given)
        path = ("messages", name, verb)
        turn = given.get("turn", "")[:40]
        made = await messages.tell(portal(request), signed.session, turn, path, body)
    except IntegrationRefused as refused:
        return await _page(request, signed, [("", refused.message)], given)
    except Invalid as wrong:
        return await _page(request, signed, [(wrong.place or "", wrong.message)], given)
    return redirect(f"/messages/{made['message']}?done={verb}")


def body_of(verb: str, given: Mapping[str, str]) -> Body:
    """What a form asks for; raises Invalid at the field that is missing."""
    reason = given.get("reason", "").strip()
    if not reason:
        raise Invalid("Say why, in a few words without patient data.", place=f"{verb}-reason")
    if verb != "fix":
        return {"reason": reason}
    pairs = [(given.get(f"field{n}", "").strip(), given.get(f"text{n}", "")) for n in LINES]
    changes = {place: text or None for place, text in pairs if place}
    if not changes:
        raise Invalid("Name at least one field, such as PID-3.1.", place="field1")
    return {"changes": changes, "reason": reason}


async def _page(
    request: Request, signed: Signed, errors: Errors = (), given: Mapping[str, str] | None = None
) -> Response:
    name = request.path_params["message"]
    opened = await messages.open_one(portal(request), signed.session, name)
    m, role = opened.message, signed.session.role
    may = [verb for verb, who in VERBS.items() if who == role and m.state in words.CAN[verb]]
    parts = fields.shown(opened.content.parsed) if opened.content else []
    place, text = fields.first_part(parts, request.query_params.get("mend", ""))
    return show(
        request, "one", signed, errors, m=m, opened=opened, named=opened.named, may=may,
        typed=given or {"field1": place, "text1": text}, segments=parts, is_mending=bool(place),
        lines=LINES, meant=words.meant, way=words.way(m),
        trouble=words.trouble(m),
        done=_DONE.get(request.query_params.get("done", ""), ""),
        chart=lambda effect: words.chart_address(effect, m.patients) if role == "clinician" else "",
    )  # fmt: skip

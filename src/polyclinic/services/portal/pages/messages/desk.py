"""Messages that stopped before they were somebody's: the desk mends or says who is meant."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation.errors import Invalid, NotFound
from polyclinic.services.portal.actions import messages
from polyclinic.services.portal.actions.charts import Found, find_patients
from polyclinic.services.portal.domain import message_fields as fields
from polyclinic.services.portal.domain import message_words as words
from polyclinic.services.portal.domain.messages import Body
from polyclinic.services.portal.domain.search import Wanted, read_search
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.gateways.integration import IntegrationRefused
from polyclinic.services.portal.pages.door import form, portal, redirect
from polyclinic.services.portal.pages.messages.one import LINES, body_of
from polyclinic.services.portal.pages.messages.reading import Errors, registrars_only, show


@registrars_only
async def get_stopped(request: Request, signed: Signed) -> Response:
    return await _page(request, signed)


@registrars_only
async def post_stopped(request: Request, signed: Signed) -> Response:
    """Mends, looks for a patient, or says whose it is; what is refused is said on the page."""
    given = await form(request, signed)
    name, verb = request.path_params["message"], given.get("verb", "")
    found: list[Found] | None = None
    try:
        if verb == "find":
            token = signed.session.tokens.access
            wanted = _wanted(given)
            found, _ = await find_patients(portal(request), token, wanted, mark=False)
            return await _page(request, signed, (), given, found)
        path, body = _said(name, verb, given)
        turn = f"{verb}-{given.get('turn', '')[:40]}"
        await messages.tell(portal(request), signed.session, turn, path, body)
    except IntegrationRefused as refused:
        return await _page(request, signed, [("", refused.message)], given)
    except Invalid as wrong:
        return await _page(request, signed, [(wrong.place or "", wrong.message)], given)
    return redirect(f"/messages/waiting?done={verb}")


def _wanted(given: Mapping[str, str]) -> Wanted:
    try:
        return read_search(given.get("q", "").strip()[:120])
    except Invalid as wrong:
        raise Invalid(wrong.message, place="q") from wrong


def _said(name: str, verb: str, given: Mapping[str, str]) -> tuple[tuple[str, ...], Body]:
    if verb == "fix":
        return ("messages", name, "fix"), body_of("fix", given)
    if verb != "link":
        raise NotFound("There is no such step.")
    patient = given.get("patient", "")
    if not patient.startswith("Patient/"):
        raise Invalid("Choose whose it is.", place="q")
    return ("messages", name, "patient"), {"patient": patient}


async def _page(
    request: Request,
    signed: Signed,
    errors: Errors = (),
    given: Mapping[str, str] | None = None,
    found: list[Found] | None = None,
) -> Response:
    m = await messages.open_stopped(portal(request), signed.session, request.path_params["message"])
    parts = fields.shown(m.parsed)
    place, text = fields.first_part(parts, request.query_params.get("mend", ""))
    return show(
        request, "desk", signed, errors, m=m, segments=parts, lines=LINES, found=found,
        typed=given or {"field1": place, "text1": text}, is_mending=bool(place),
        trouble=words.trouble(m),
    )  # fmt: skip

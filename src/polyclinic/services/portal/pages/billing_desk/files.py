"""X12 files both ways: what went, what came, what was held or refused and why; one file to read."""

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation.errors import NotFound
from polyclinic.foundation.html import HEADERS
from polyclinic.services.portal.actions import billing_desk
from polyclinic.services.portal.actions.state import answered
from polyclinic.services.portal.domain import billing_desk_words as words
from polyclinic.services.portal.domain.billing_work import FileTaken
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.domain.x12_view import view
from polyclinic.services.portal.gateways.billing_desk import NAME
from polyclinic.services.portal.pages.billing_desk.reading import billers_only, read_form, show
from polyclinic.services.portal.pages.door import portal

STATUSES = ("held", "refused", "ready", "sent", "taken")


@billers_only
async def get_files(request: Request, signed: Signed) -> Response:
    return await _list(request, signed)


@billers_only
async def post_file(request: Request, signed: Signed) -> Response:
    """A payer's file by hand; its own bytes are its key, so twice is once."""
    given = await read_form(request, signed)
    if not given.content:
        return await _list(request, signed, "Choose the file that the payer sent.")
    at_work, token = portal(request), signed.session.tokens.access
    taken = await answered(at_work, NAME, at_work.billing_desk.receive(token, given.content))
    return await _list(request, signed, "", taken)


@billers_only
async def get_file(request: Request, signed: Signed) -> Response:
    at_work, token = portal(request), signed.session.tokens.access
    key = request.path_params["file"]
    content = await answered(at_work, NAME, at_work.billing_desk.file(token, key))
    if request.query_params.get("raw") == "yes":
        headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{key}.x12"'}
        return Response(content, headers=headers, media_type="application/edi-x12")
    listed = await answered(at_work, NAME, at_work.billing_desk.files(token, ""))
    file = next((each for each in listed if each.id == key), None)
    named = await billing_desk.name_all(at_work, signed.session, [])
    return show(
        request, "file", signed, file=file, key=key, named=named,
        view=view(content, file.problem if file else None), size=len(content),
        states=words.FILE_STATES, kinds=words.FILE_KINDS,
    )  # fmt: skip


async def _list(
    request: Request, signed: Signed, error: str = "", taken: FileTaken | None = None
) -> Response:
    at_work, token = portal(request), signed.session.tokens.access
    status = request.query_params.get("status", "")
    if status and status not in STATUSES:
        raise NotFound("There is no such list of files.")
    listed = await answered(at_work, NAME, at_work.billing_desk.files(token, status))
    named = await billing_desk.name_all(at_work, signed.session, [])
    return show(
        request, "files", signed, 422 if error else 200, files=listed, named=named,
        which=status, error=error, taken=taken, states=words.FILE_STATES,
        kinds=words.FILE_KINDS,
    )  # fmt: skip

"""The plan: waves, the terms of each priority, and gates with their evidence."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation.errors import Invalid
from polyclinic.services.portal.actions import migration
from polyclinic.services.portal.domain import migration_pictures as pictures
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.gateways.migration import Body
from polyclinic.services.portal.pages.door import form, portal, redirect
from polyclinic.services.portal.pages.migration.reading import (
    REFUSED,
    Errors,
    administrators_only,
    show,
    wrong,
)


@administrators_only
async def get_plan(request: Request, signed: Signed) -> Response:
    return await _plan(request, signed, request.query_params.get("system", ""))


@administrators_only
async def post_term(request: Request, signed: Signed) -> Response:
    """One term of one score, from 0 to 100 %."""
    given = await form(request, signed)
    name = given.get("system", "")
    try:
        value = _percent(given.get("value", ""))
        place = (given.get("capability", ""), given.get("term", ""))
        await migration.set_term(portal(request), signed.session, name, place, value)
    except (Invalid, *REFUSED) as refused:
        return await _plan(request, signed, name, wrong(refused))
    return redirect(f"/move/plan?system={quote(name)}&done=term")


@administrators_only
async def post_gate(request: Request, signed: Signed) -> Response:
    given = await form(request, signed)
    name, state = given.get("system", ""), given.get("state", "")
    if not given.get("gate"):
        unsaid = (f"g-{given.get('capability', '')}", "Choose which gate you mean.")
        return await _plan(request, signed, name, [unsaid])
    evidence, text = given.get("evidence", "").strip(), given.get("text", "")[:2000]
    body: Body = {"state": state, "text": text}
    if evidence:
        body["evidence"] = {"said": evidence[:2000]}
    path = ("inventories", name, "gates", given.get("capability", ""), given.get("gate", ""))
    try:
        await migration.put(portal(request), signed.session, "", body, *path)
    except (Invalid, *REFUSED) as refused:
        return await _plan(request, signed, name, wrong(refused))
    return redirect(f"/move/plan?system={quote(name)}&done=gate")


def _percent(text: str) -> float:
    plain = text.strip().rstrip("%").strip()
    if not (plain.isascii() and plain.isdecimal() and len(plain) <= 3 and int(plain) <= 100):
        raise Invalid("Enter a number from 0 to 100.")
    return int(plain) / 100


async def _plan(request: Request, signed: Signed, asked: str, errors: Errors = ()) -> Response:
    listed, name, found = await migration.open_plan(portal(request), signed.session, asked)
    return show(
        request, "plan", signed, errors, listed=listed, name=name, plan=found.get("plan"),
        spans=pictures.spans(found["plan"]["waves"]) if found else [], pictures=pictures,
        version=found.get("version"),
    )  # fmt: skip

"""Live routes: where each capability stands, and the buttons that move it, seen twice."""

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation.errors import Invalid
from polyclinic.services.portal.actions import migration
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.pages.door import form, portal, redirect
from polyclinic.services.portal.pages.migration.reading import (
    REFUSED,
    Errors,
    administrators_only,
    show,
    wrong,
)

# verb → (what its button says, whether it is red)
VERBS = {
    "next": ("Next step", False),
    "override": ("Go on with open gates", False),
    "hold": ("Hold", False),
    "release": ("Release", False),
    "back": ("One step back", False),
    "kill": ("Kill switch", True),
}


@administrators_only
async def get_routes(request: Request, signed: Signed) -> Response:
    return await _routes(request, signed)


@administrators_only
async def get_route(request: Request, signed: Signed) -> Response:
    return await _route(request, signed)


@administrators_only
async def post_deed(request: Request, signed: Signed) -> Response:
    """Asks once more with the reason, then does it once."""
    given, at_work = await form(request, signed), portal(request)
    name, verb = request.path_params["capability"], request.path_params["verb"]
    reason = given.get("reason", "").strip()[:500]
    try:
        asked = await migration.deed(at_work, signed.session, name, verb)
        _said(reason, "override" if verb == "override" else "reason")
        if given.get("confirmed") != "yes":
            return show(
                request, "confirm", signed, capability=name, verb=verb, reason=reason,
                means=asked.means, what=VERBS[verb], gates=asked.gates,
            )  # fmt: skip
        key = f"{verb}-{name}-{given.get('turn', '')}"
        await migration.post(at_work, signed.session, key, asked.because(reason), *asked.path)
    except (Invalid, *REFUSED) as refused:
        return await _route(request, signed, [(refused.place or "", refused.message)])
    return redirect(f"/move/routes/{name}?done={verb}")


def _said(reason: str, place: str) -> None:
    if not reason:
        raise Invalid("Say why: it stands in the chain of decisions.", place=place)


@administrators_only
async def post_kill(request: Request, signed: Signed) -> Response:
    """Everything back to the old side."""
    given, at_work = await form(request, signed), portal(request)
    reason = given.get("reason", "").strip()[:500]
    if not reason:
        return await _routes(request, signed, [("reason", "Say why: it stands in the chain.")])
    if given.get("confirmed") != "yes":
        return show(
            request, "confirm", signed, capability="", verb="kill", reason=reason,
            means="Every capability is back on the old side at once, and held.",
            what=("Kill switch for everything", True), gates=(),
        )  # fmt: skip
    try:
        key = f"kill-{given.get('turn', '')}"
        await migration.post(at_work, signed.session, key, {"reason": reason}, "kill")
    except REFUSED as refused:
        return await _routes(request, signed, wrong(refused))
    return redirect("/move/routes?done=kill")


async def _routes(request: Request, signed: Signed, errors: Errors = ()) -> Response:
    rules = (await migration.get(portal(request), signed.session, "routes"))["routes"]
    return show(request, "routes", signed, errors, rules=rules)


async def _route(request: Request, signed: Signed, errors: Errors = ()) -> Response:
    name = request.path_params["capability"]
    found = await migration.open_route(portal(request), signed.session, name)
    return show(request, "route", signed, errors, verbs=VERBS, **found)

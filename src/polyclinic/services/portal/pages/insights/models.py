"""Models: what they are, how they fare, and the steps of their lives."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation.errors import Invalid, NotFound
from polyclinic.services.portal.actions import insights
from polyclinic.services.portal.domain import model_pictures as pictures
from polyclinic.services.portal.domain import model_words
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.gateways.insights import Body, InsightsRefused
from polyclinic.services.portal.pages.door import form, portal, redirect
from polyclinic.services.portal.pages.insights.reading import (
    Errors,
    lookers_only,
    runners_only,
    show,
)

_ASKED = "It is being learned. What comes of it stands among the models as a draft."
_LACKING = {
    "task": "Choose what is to be foretold.",
    "model": "Give the model a name, such as readmission-here.",
    "version": "Give it a version, such as 1.",
}
_DONE = {
    "proposal": "It is proposed. Where people see it, two of them sign first.",
    "signatures": "You signed. The second signature takes effect.",
    "rollback": "It is out of sight.",
    "retirement": "It has ended.",
}


@lookers_only
async def get_models(request: Request, signed: Signed) -> Response:
    return await _list(request, signed)


async def _list(
    request: Request, signed: Signed, errors: Errors = (), given: Mapping[str, str] | None = None
) -> Response:
    found = await insights.get(portal(request), signed.session, "models")
    return show(
        request, "models", signed, errors, found=found, life=model_words, given=given or {},
        runs=signed.session.role == "administrator",
        done=_ASKED if "asked" in request.query_params else "",
    )  # fmt: skip


@runners_only
async def post_training(request: Request, signed: Signed) -> Response:
    """Has a model learned; how far it is stands on the page that follows."""
    given = await form(request, signed)
    body = {name: given.get(name, "").strip()[:64] for name in ("task", "model", "version")}
    lacking = [(name, _LACKING[name]) for name, text in body.items() if not text]
    if lacking:
        return await _list(request, signed, lacking, given)
    path, turn = ("models", "training"), given.get("turn", "")[:40]
    try:
        await insights.post(portal(request), signed.session, turn, body, *path)
    except InsightsRefused as refused:
        return await _list(request, signed, [("model", refused.message)], given)
    return redirect("/models?asked=1")


@lookers_only
async def get_model(request: Request, signed: Signed) -> Response:
    return await _page(request, signed)


@lookers_only
async def post_step(request: Request, signed: Signed) -> Response:
    """Propose, sign, roll back or retire; what insights refuses is said on the model's page."""
    given, (model, version) = await form(request, signed), _name(request)
    verb = request.path_params["verb"]
    if verb not in _DONE:
        raise NotFound("There is no such step.")
    try:
        body = _body(verb, given)
        path = ("models", model, version, verb)
        await insights.post(
            portal(request), signed.session, given.get("turn", "")[:40], body, *path
        )
    except InsightsRefused as refused:
        return await _page(request, signed, [("", refused.message)])
    except Invalid as wrong:
        return await _page(request, signed, [(wrong.place or "", wrong.message)])
    return redirect(f"/models/{model}/{version}?done={verb}")


def _name(request: Request) -> tuple[str, str]:
    return request.path_params["model"], request.path_params["version"]


def _body(verb: str, given: dict[str, str]) -> Body:
    if verb == "signatures":
        return {}
    reason = given.get("reason", "").strip()
    if not reason:
        raise Invalid("Say why, in a few words without patient data.", place=f"{verb}-reason")
    if verb != "proposal":
        return {"reason": reason}
    body: Body = {"to": given.get("to", ""), "reason": reason}
    if body["to"] == "canary":
        body["team"] = given.get("team", "").replace(",", " ").split()
    return body


async def _page(request: Request, signed: Signed, errors: Errors = ()) -> Response:
    found = await insights.open_model(portal(request), signed.session, *_name(request))
    numbers = found.pictures
    return show(
        request, "model", signed, errors, m=found.head, numbers=numbers, life=model_words,
        groups=model_words.grouped(found.card["hti1"]),
        may=model_words.steps(found.head, signed.session.role),
        calibrated=pictures.calibration(numbers["calibration"]),
        curve=pictures.decision_curve(numbers["decisionCurve"], found.head["threshold"]),
        drift_width=pictures.drift_width, decided=pictures.decided(numbers["worklist"]),
        done=_DONE.get(request.query_params.get("done", ""), ""),
    )  # fmt: skip

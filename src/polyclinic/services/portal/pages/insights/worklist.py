"""The worklist: whom to help first, and what was decided about each."""

from datetime import date

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation.errors import Invalid, NotFound
from polyclinic.services.portal.actions import insights
from polyclinic.services.portal.domain import insight_words as words
from polyclinic.services.portal.domain.patient import read_patient
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.gateways.insights import Body, InsightsRefused
from polyclinic.services.portal.pages.door import form, portal, redirect
from polyclinic.services.portal.pages.insights.reading import Errors, clinicians_only, show


@clinicians_only
async def get_worklist(request: Request, signed: Signed) -> Response:
    return await _page(request, signed)


@clinicians_only
async def post_decision(request: Request, signed: Signed) -> Response:
    """Accept, snooze, dismiss with a reason, done with an outcome, or open again."""
    given = await form(request, signed)
    assessment, turn = request.path_params["assessment"], given.get("turn", "")[:40]
    try:
        body = _body(assessment, given, portal(request).today())
        turn = f"{given['decision']}-{assessment}-{turn}"
        await insights.post(portal(request), signed.session, turn, body, "worklist", "decisions")
    except (InsightsRefused, NotFound) as refused:
        return await _page(request, signed, [("", refused.message)])
    except Invalid as wrong:
        return await _page(request, signed, [(wrong.place or "", wrong.message)])
    return redirect(f"/worklist?done={given['decision']}")


def _body(assessment: str, given: dict[str, str], today: date) -> Body:
    """What insights is told; raises Invalid with the field that lacks something."""
    decision = given.get("decision", "")
    body: Body = {"assessment": assessment, "decision": decision}
    match decision:
        case "accepted" | "reopened":
            return body
        case "snoozed":
            until = words.snoozed_until(given.get("until", ""), today)
            if until is None:
                raise Invalid("Say when it comes back.", place=f"until-{assessment}")
            return body | {"until": until.isoformat()}
        case "dismissed":
            return body | {"reason": _chosen(given, "reason", "Say why.", assessment)}
        case "done":
            said = "Say what came of it."
            return body | {"outcome": _chosen(given, "outcome", said, assessment)}
        case _:
            raise NotFound("There is no such step.")


def _chosen(given: dict[str, str], name: str, wrong: str, assessment: str) -> str:
    if not given.get(name):
        raise Invalid(wrong, place=f"{name}-{assessment}")
    return given[name]


async def _page(request: Request, signed: Signed, errors: Errors = ()) -> Response:
    at_work = portal(request)
    found = await insights.get(at_work, signed.session, "worklist")
    today = at_work.today()
    people = [
        (each, read_patient({"resourceType": "Patient", **each["patient"]}, today))
        for each in found["people"]
    ]
    return show(
        request, "worklist", signed, errors, found=found,
        taken=[each for each in people if each[0]["accepted"]],
        waiting=[each for each in people if not each[0]["accepted"]],
        done=words.DECIDED.get(request.query_params.get("done", ""), ""),
    )  # fmt: skip

"""A chart's risks for who cares for the patient: why, what is missing, and one thing to do."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation.errors import NotFound
from polyclinic.services.portal.actions import insights
from polyclinic.services.portal.actions.charts import check_relation, open_chart
from polyclinic.services.portal.domain.insight_words import BEHIND, NOT_SCORED, amount
from polyclinic.services.portal.domain.reading import LOINC, Resource, codes, inner, moment
from polyclinic.services.portal.domain.reading import words as said_words
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.gateways.insights import Body, InsightsRefused
from polyclinic.services.portal.pages.door import form, portal, redirect
from polyclinic.services.portal.pages.insights.reading import Errors, clinicians_only, show

_DONE = {
    "released": "The patient can read this score on their own pages from now on.",
    "withdrawn": "The patient no longer sees it.",
}
_DATES = ("effectiveDateTime", "onsetDateTime", "recordedDate", "authoredOn", "performedDateTime")


@clinicians_only
async def get_risks(request: Request, signed: Signed) -> Response:
    return await _page(request, signed)


@clinicians_only
async def post_release(request: Request, signed: Signed) -> Response:
    """A score for the patient's own eyes, or no longer."""
    given = await form(request, signed)
    patient, withdraw = request.path_params["patient_id"], given.get("withdraw") == "yes"
    await check_relation(portal(request), signed.session.tokens.access, patient)
    try:
        body = {"assessment": str(UUID(given.get("assessment", ""))), "withdraw": withdraw}
        turn = given.get("turn", "")[:40]
        await insights.post(portal(request), signed.session, turn, body, "release")
    except ValueError:
        raise NotFound("There is no such score.") from None
    except (InsightsRefused, NotFound) as refused:
        return await _page(request, signed, [("", refused.message)])
    return redirect(f"/patients/{patient}/risks?done={'withdrawn' if withdraw else 'released'}")


@clinicians_only
async def get_source(request: Request, signed: Signed) -> Response:
    """One exact entry of the record that a score rests on."""
    at_work, path = portal(request), request.path_params
    token, patient = signed.session.tokens.access, path["patient_id"]
    await check_relation(at_work, token, patient)
    found = await insights.open_source(at_work, signed.session, patient, path["kind"], path["key"])
    chart = await open_chart(at_work, token, patient, ("allergies",))
    loinc = codes(found.get("code"), LOINC)
    return show(
        request, "risk_source", signed, chart=chart, patient=chart.patient, kind=path["kind"],
        called=BEHIND[path["kind"]], key=path["key"], facts=_facts(found),
        title=_title(found), code=loinc[0] if loinc and path["kind"] == "Observation" else "",
    )  # fmt: skip


def _without_number(scores: list[Body], state: str) -> list[Body]:
    """Those of a state, the nearest to an answer first."""
    found = [each for each in scores if each["status"] == state]
    return sorted(found, key=lambda each: len(each.get("missing") or ()))


def _title(found: Resource) -> str:
    for name in ("code", "medicationCodeableConcept"):
        if said := said_words(found.get(name)):
            return said
    kinds = found.get("type") or ()
    return said_words(kinds[0]) if kinds else "Entry of the record"


def _facts(found: Resource) -> list[tuple[str, str]]:
    """What is worth reading of it, whatever kind it is."""
    date = next((moment(found[name]) for name in _DATES if name in found), None)
    start, end = moment(inner(found, "period", "start")), moment(inner(found, "period", "end"))
    state = found.get("status") or said_words(found.get("clinicalStatus"))
    rows = [
        ("Value", _value(found)),
        *((said_words(part.get("code")), _value(part)) for part in found.get("component") or ()),
        ("Date", date.text if date else ""),
        ("From", start.text if start else ""),
        ("To", end.text if end else ""),
        ("Status", str(state or "").replace("-", " ").capitalize()),
        ("Codes", ", ".join(codes(found.get("code")))),
    ]
    return [(name, text) for name, text in rows if name and text]


def _value(found: Resource) -> str:
    quantity = found.get("valueQuantity") or {}
    if "value" in quantity:
        return amount(float(quantity["value"]), quantity.get("code") or quantity.get("unit"))
    return said_words(found.get("valueCodeableConcept")) or str(found.get("valueString") or "")


async def _page(request: Request, signed: Signed, errors: Errors = ()) -> Response:
    patient = request.path_params["patient_id"]
    found = await insights.open_risks(portal(request), signed.session, patient)
    scores = found.panel["scores"] if found.panel else []
    is_part = bool(request.headers.get("hx-request"))
    return show(
        request, "risks_brief" if is_part else "risks", signed, errors,
        chart=found.chart, patient=found.chart.patient, found=found,
        scored=[each for each in scores if each["status"] == "scored"],
        others={state: _without_number(scores, state) for state in NOT_SCORED},
        done=_DONE.get(request.query_params.get("done", ""), ""),
    )  # fmt: skip

"""A clinician's pages: finding a patient, and the chart of one in their care."""

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation.errors import Invalid, NotFound, Unavailable
from polyclinic.services.portal.actions.charts import (
    Chart,
    check_relation,
    find_patients,
    open_chart,
)
from polyclinic.services.portal.domain.known import VITALS
from polyclinic.services.portal.domain.results import Series, by_panel, notable_first
from polyclinic.services.portal.domain.search import read_search
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.pages.door import draw, form, portal, signed_in
from polyclinic.services.portal.pages.patient import SPANS, read_span

clinicians_only = signed_in("clinician")


@clinicians_only
async def get_patients(request: Request, signed: Signed) -> Response:
    return draw(
        request, "staff/patients.html", signed, typed="", found=None, error="", shows_relation=True
    )


@clinicians_only
async def post_patients(request: Request, signed: Signed) -> Response:
    return await search(request, signed, "staff/patients.html", mark=True)


async def search(request: Request, signed: Signed, template: str, *, mark: bool) -> Response:
    """Looks for what was typed; the answer is no address that could be kept or shared."""
    typed = (await form(request, signed)).get("q", "").strip()[:120]
    if request.headers.get("hx-request"):
        template = "staff/found.html"
    try:
        wanted = read_search(typed)
        token = signed.session.tokens.access
        found, more = await find_patients(portal(request), token, wanted, mark=mark)
    except Invalid as wrong:
        return draw(
            request,
            template,
            signed,
            422,
            typed=typed,
            found=None,
            error=wrong.message,
            shows_relation=mark,
        )
    except Unavailable:
        text = "Patients cannot be searched at the moment: the records service does not answer."
        return draw(
            request, template, signed, 503, typed=typed, found=None, error=text, shows_relation=mark
        )
    return draw(
        request,
        template,
        signed,
        typed=typed,
        found=found,
        more=more,
        error="",
        shows_relation=mark,
    )


@clinicians_only
async def get_summary(request: Request, signed: Signed) -> Response:
    parts = ("labs", "vitals", "medicines", "conditions", "allergies", "visits", "team")
    chart = await _chart(request, signed, parts)
    tests = chart.tests
    labs = [s for s in tests if s.latest.panel != VITALS]
    vitals = [s for s in tests if s.latest.panel == VITALS]
    return _page(
        request,
        signed,
        "staff/summary.html",
        chart,
        labs=notable_first(labs)[:8],
        labs_count=len(labs),
        vitals=vitals[:7],
        drawn=_worth_drawing(labs),
    )


@clinicians_only
async def get_results(request: Request, signed: Signed) -> Response:
    chart = await _chart(request, signed, ("labs", "vitals", "allergies"))
    return _page(request, signed, "staff/results.html", chart, panels=by_panel(chart.tests))


@clinicians_only
async def get_trend(request: Request, signed: Signed) -> Response:
    code = request.path_params["code"]
    chart = await _chart(request, signed, ("labs", "allergies"), code)
    series = next((s for s in chart.tests if s.code == code), None)
    if series is None and not chart.lacks("labs"):
        raise NotFound("This patient has no results of this test.")
    latest = series.latest.when.first_day if series and series.latest.when else None
    span, since = read_span(request, latest)
    return _page(
        request,
        signed,
        "staff/trend.html",
        chart,
        series=series,
        span=span,
        since=since,
        spans=SPANS,
    )


@clinicians_only
async def get_medicines(request: Request, signed: Signed) -> Response:
    chart = await _chart(request, signed, ("medicines", "allergies"))
    return _page(request, signed, "staff/medicines.html", chart)


@clinicians_only
async def get_problems(request: Request, signed: Signed) -> Response:
    chart = await _chart(request, signed, ("conditions", "allergies"))
    return _page(request, signed, "staff/problems.html", chart)


@clinicians_only
async def get_visits(request: Request, signed: Signed) -> Response:
    chart = await _chart(request, signed, ("visits", "allergies"))
    return _page(request, signed, "staff/visits.html", chart)


async def _chart(
    request: Request, signed: Signed, parts: tuple[str, ...], code: str | None = None
) -> Chart:
    patient_id, token = request.path_params["patient_id"], signed.session.tokens.access
    await check_relation(portal(request), token, patient_id)
    return await open_chart(portal(request), token, patient_id, parts, code)


def _page(
    request: Request, signed: Signed, template: str, chart: Chart, **values: object
) -> Response:
    return draw(request, template, signed, 200, chart=chart, patient=chart.patient, **values)


def _worth_drawing(tests: list[Series]) -> Series | None:
    long = [s for s in notable_first(tests) if len(s.numeric) >= 3]
    return long[0] if long else None

"""A patient's own pages: home, results and their trend, medicines, conditions."""

import asyncio
from datetime import date, timedelta

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation import clock
from polyclinic.foundation.errors import NotFound
from polyclinic.services.portal.actions.bills import summary
from polyclinic.services.portal.actions.charts import Chart, open_chart
from polyclinic.services.portal.actions.insights import shared
from polyclinic.services.portal.actions.visits import next_visit
from polyclinic.services.portal.domain.reading import moment
from polyclinic.services.portal.domain.results import Day, Result, days, panels_of
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.pages.bills import draw_bill
from polyclinic.services.portal.pages.door import portal, signed_in
from polyclinic.services.portal.pages.visits import read_row

DAYS_SHOWN = 3
LATEST_SHOWN = 5
SPANS = {"1": "1 year", "5": "5 years", "all": "All"}

patients_only = signed_in("patient")


@patients_only
async def get_home(request: Request, signed: Signed) -> Response:
    parts = ("labs", "vitals", "medicines", "conditions", "allergies", "team", "visits")
    at_work, now = portal(request), clock.now()
    chart, found, owing, risks = await asyncio.gather(
        _chart(request, signed, parts),
        next_visit(at_work, signed.session, now) if at_work.has("appointments") else _nothing(),
        summary(at_work, signed.session) if at_work.has("billing") else _nothing(),
        shared(at_work, signed.session) if at_work.has("insights") else _nothing(),
    )
    return _page(
        request,
        signed,
        "patient/home.html",
        chart,
        latest=_telling(days(chart.results)),
        most=LATEST_SHOWN,
        visits=found,
        next=read_row(request, found, found.coming[0]) if found and found.coming else None,
        visits_since=at_work.outages.since("appointments"),
        risks=risks,
        day_of=_day_of,
        bills=owing,
        bills_since=at_work.outages.since("billing"),
        is_late=owing is not None and owing.due is not None and owing.due < at_work.today(),
    )


@patients_only
async def get_results(request: Request, signed: Signed) -> Response:
    chart = await _chart(request, signed, ("labs", "vitals"))
    asked = request.query_params
    panels = panels_of(chart.results)
    panel = asked.get("panel") if asked.get("panel") in panels else None
    outside = asked.get("outside") == "yes"
    fitting = [r for r in chart.results if _fits(r, panel, outside=outside)]
    found = days(fitting)
    shown = _shown(asked.get("days"))
    return _page(
        request,
        signed,
        "patient/results.html",
        chart,
        days=found[:shown],
        hidden=len(found) - shown,
        panels=panels,
        panel=panel,
        outside=outside,
        more=shown + 2 * DAYS_SHOWN,
    )


@patients_only
async def get_trend(request: Request, signed: Signed) -> Response:
    code = request.path_params["code"]
    chart = await _chart(request, signed, ("labs",), code)
    if chart.lacks("labs"):
        return _page(request, signed, "patient/trend.html", chart, series=None)
    series = next((s for s in chart.tests if s.code == code), None)
    if series is None:
        raise NotFound("You have no results of this test.")
    span, since = read_span(request, series.latest.when.first_day if series.latest.when else None)
    return _page(
        request,
        signed,
        "patient/trend.html",
        chart,
        series=series,
        span=span,
        since=since,
        spans=SPANS,
    )


@patients_only
async def get_medicines(request: Request, signed: Signed) -> Response:
    chart = await _chart(request, signed, ("medicines", "allergies"))
    return _page(request, signed, "patient/medicines.html", chart)


@patients_only
async def get_conditions(request: Request, signed: Signed) -> Response:
    chart = await _chart(request, signed, ("conditions", "allergies"))
    return _page(request, signed, "patient/conditions.html", chart)


def read_span(request: Request, latest: date | None) -> tuple[str, date | None]:
    """The years that a trend shows, counted back from its newest result."""
    span = request.query_params.get("years", "all")
    if span not in SPANS or span == "all" or latest is None:
        return "all", None
    return span, latest - timedelta(days=366 * int(span))


async def _chart(
    request: Request, signed: Signed, parts: tuple[str, ...], code: str | None = None
) -> Chart:
    session = signed.session
    return await open_chart(portal(request), session.tokens.access, session.person_id, parts, code)


def _page(
    request: Request, signed: Signed, template: str, chart: Chart, **values: object
) -> Response:
    return draw_bill(request, template, signed, 200, chart=chart, **values)


def _day_of(at: str) -> str:
    found = moment(at)
    return found.text if found else ""


async def _nothing() -> None:
    """Where a service is not installed there is nothing to wait for."""


def _telling(found: list[Day]) -> Day | None:
    """The newest day with a test result; vital signs alone are not worth a first page."""
    return next((d for d in found if any(p != "Vital signs" for p, _ in d.panels)), None)


def _fits(result: Result, panel: str | None, *, outside: bool) -> bool:
    if panel is not None and result.panel != panel:
        return False
    return not outside or result.status.tone in {"warn", "crit"}


def _shown(asked: str | None) -> int:
    return min(int(asked), 400) if asked and asked.isdigit() and len(asked) < 4 else DAYS_SHOWN

"""The front desk's and the administrators' pages: who somebody is, and how the services are."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation.errors import Problem
from polyclinic.services.portal.actions.charts import find_patient
from polyclinic.services.portal.actions.desk import dead_letters, try_again
from polyclinic.services.portal.domain import times
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.domain.watching import Vitals, milliseconds
from polyclinic.services.portal.pages.clinician import search
from polyclinic.services.portal.pages.door import draw, form, portal, redirect, signed_in

desk_only = signed_in("front-desk")
administrators_only = signed_in("administrator")

ABOUT = {
    "audit": ("Audit", "Proves who saw and changed what"),
    "appointments": ("Appointments", "The calendar, booking and the waitlist"),
    "billing": ("Billing", "Charges, claims and payments"),
    "identity": ("Identity", "Signing in, accounts and access tokens"),
    "insights": ("Insights", "Risk scores and calculators"),
    "integration": ("Integration", "HL7 v2 messages, subscriptions and webhooks"),
    "migration": ("Migration", "Leaving an old system in steps that can be taken back"),
    "portal": ("Portal", "These pages"),
    "records": ("Records", "Patients and everything known about their health"),
}


@desk_only
async def get_desk(request: Request, signed: Signed) -> Response:
    return draw(
        request, "staff/desk.html", signed, typed="", found=None, error="", shows_relation=False
    )


@desk_only
async def post_desk(request: Request, signed: Signed) -> Response:
    return await search(request, signed, "staff/desk.html", mark=False)


@desk_only
async def get_desk_patient(request: Request, signed: Signed) -> Response:
    key, token = request.path_params["patient_id"], signed.session.tokens.access
    patient = await find_patient(portal(request), token, key)
    return draw(request, "staff/desk_patient.html", signed, patient=patient)


@administrators_only
async def get_admin(request: Request, signed: Signed) -> Response:
    health = portal(request).health
    names = health.names()
    states = await asyncio.gather(*(health.of(name) for name in names))
    services = [
        _service(name, state, portal(request).watch.vitals(name))
        for name, state in zip(names, states, strict=True)
    ]
    absent = [ABOUT[name] for name in ABOUT if name not in names]
    last = await health.last_backup()
    zone = portal(request).settings.time_zone
    template = "staff/services.html" if request.headers.get("hx-request") else "staff/admin.html"
    return draw(
        request,
        template,
        signed,
        services=services,
        absent=absent,
        ms=milliseconds,
        backups=health.knows_backups,
        backup=times.moment_words(last, zone) if last else "",
    )


def _service(name: str, state: str, seen: Vitals | None) -> dict[str, object]:
    """A service as its card shows it; one that answers but does badly is degraded."""
    title, about = ABOUT.get(name, (name.capitalize(), ""))
    known = seen if state in ("ready", "not ready") else None
    trouble = known.trouble if known and state == "ready" else ""
    shown = "degraded" if trouble else state
    return {"name": title, "about": about, "state": shown, "vitals": known, "trouble": trouble}


@administrators_only
async def get_events(request: Request, signed: Signed) -> Response:
    return await _events(request, signed)


@administrators_only
async def post_event(request: Request, signed: Signed) -> Response:
    """Tries one event again; what fails again says so."""
    await form(request, signed)
    service, event = request.path_params["service"], request.path_params["event"]
    try:
        await try_again(portal(request), signed.session, service, event)
    except Problem as problem:
        return await _events(request, signed, problem.message)
    return redirect("/admin/events?done=yes")


async def _events(request: Request, signed: Signed, error: str = "") -> Response:
    zone = portal(request).settings.time_zone
    return draw(
        request,
        "staff/events.html",
        signed,
        409 if error else 200,
        services=await dead_letters(portal(request), signed.session),
        when=lambda at: times.moment_words(at, zone),
        done=request.query_params.get("done") == "yes",
        error=error,
    )


@signed_in()
async def get_welcome(request: Request, signed: Signed) -> Response:
    return draw(request, "staff/welcome.html", signed)

"""The front desk's and the administrators' pages: who somebody is, and how the services are."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.services.portal.actions.charts import find_patient
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.pages.clinician import search
from polyclinic.services.portal.pages.door import draw, portal, signed_in

desk_only = signed_in("front-desk")
administrators_only = signed_in("administrator")

ABOUT = {
    "appointments": ("Appointments", "The calendar, booking and the waitlist"),
    "billing": ("Billing", "Charges, claims and payments"),
    "identity": ("Identity", "Signing in, accounts and access tokens"),
    "insights": ("Insights", "Risk scores and calculators"),
    "integration": ("Integration", "HL7 v2 messages, subscriptions and webhooks"),
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
        (*ABOUT.get(n, (n.capitalize(), "")), s) for n, s in zip(names, states, strict=True)
    ]
    absent = [ABOUT[name] for name in ABOUT if name not in names]
    template = "staff/services.html" if request.headers.get("hx-request") else "staff/admin.html"
    return draw(request, template, signed, services=services, absent=absent)


@signed_in()
async def get_welcome(request: Request, signed: Signed) -> Response:
    return draw(request, "staff/welcome.html", signed)

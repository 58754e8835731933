"""The front desk's day: the calendar, one visit and its steps, the waiting list."""

from datetime import date, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation import clock
from polyclinic.foundation.errors import Conflict, Invalid
from polyclinic.services.portal.actions import desk, visits
from polyclinic.services.portal.domain import times
from polyclinic.services.portal.domain.booking import Appointment, Waiting
from polyclinic.services.portal.domain.day import state_words, tone
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.domain.visit_words import STAFF_REASONS, room_words
from polyclinic.services.portal.pages.door import draw, form, portal, redirect, signed_in

desk_only = signed_in("front-desk", "clinician")
clinicians_only = signed_in("clinician")


@desk_only
async def get_schedule(request: Request, signed: Signed) -> Response:
    now, asked = clock.now(), request.query_params
    wanted = times.read_day(asked.get("date", ""))
    day = await desk.open_day(portal(request), signed.session, wanted, asked.get("site", ""), now)
    return draw(
        request,
        "staff/schedule.html",
        signed,
        day=day,
        here=[_here(day, a, minutes) for a, minutes in day.here],
        waiting=[_waits(day, w) for w in day.waiting],
        updated=times.hour_24(now, day.zone),
        words=lambda a: state_words(a, now, day.zone),
        turn=_turn(now),
        **_dates(day.on, day.today),
    )


@desk_only
async def get_visit(request: Request, signed: Signed) -> Response:
    return await _visit_page(request, signed)


@desk_only
async def post_step(request: Request, signed: Signed) -> Response:
    """One step of a visit; a step that no longer fits is said on the visit's own page."""
    given = await form(request, signed)
    key, verb = request.path_params["visit"], request.path_params["verb"]
    try:
        done = await desk.mark(portal(request), signed.session, key, verb, given.get("turn", ""))
    except (Conflict, Invalid) as refused:
        return await _visit_page(request, signed, refused.message)
    if given.get("back") == "visit":
        return redirect(f"/schedule/visits/{key}")
    if given.get("back") == "my-day":
        return redirect("/my-day")
    setup = await visits.setup_of(portal(request), signed.session)
    zone = setup.zone(done.site, portal(request).settings.time_zone)
    return redirect(f"/schedule?date={times.local(done.start, zone).date()}&site={done.site}")


@desk_only
async def post_cancel(request: Request, signed: Signed) -> Response:
    given = await form(request, signed)
    key, reason = request.path_params["visit"], given.get("reason", "")
    if reason not in STAFF_REASONS:
        return await _visit_page(request, signed, "Say why it is canceled.")
    try:
        turn = given.get("turn", "")
        await visits.cancel(portal(request), signed.session, key, reason, turn)
    except (Conflict, Invalid) as refused:
        return await _visit_page(request, signed, refused.message)
    return redirect(f"/schedule/visits/{key}")


@clinicians_only
async def get_my_day(request: Request, signed: Signed) -> Response:
    now = clock.now()
    wanted = times.read_day(request.query_params.get("date", ""))
    own = await desk.my_day(portal(request), signed.session, wanted, now)
    return draw(
        request,
        "staff/my_day.html",
        signed,
        own=own,
        rows=[_line(own, a, now) for a in own.found],
        updated=times.hour_24(now, own.zone),
        turn=_turn(now),
        **_dates(own.on, own.today),
    )


async def _visit_page(request: Request, signed: Signed, error: str = "") -> Response:
    at_work, now = portal(request), clock.now()
    found = await desk.open_visit(at_work, signed.session, request.path_params["visit"])
    a, zone = found.appointment, found.zone
    site = found.setup.site(a.site)
    return draw(
        request,
        "staff/visit.html",
        signed,
        409 if error else 200,
        visit=found,
        a=a,
        who=found.people.formal(a.patient),
        patient=found.people.patients.get(a.patient),
        clinician=found.people.clinician(a.practitioner),
        what=a.visit_name,
        when=times.day(a.start, zone, times.today_at(zone, now)),
        time=f"{times.hour_24(a.start, zone)} to {times.hour_24(a.end, zone)}",
        zone_words=times.zone_words(zone, a.start),
        place=", ".join(p for p in (site.name if site else "", room_words(a.room)) if p),
        state=state_words(a, now, zone),
        tone=tone(a),
        is_begun=a.start <= now,
        day=times.local(a.start, zone).date(),
        reasons=STAFF_REASONS,
        error=error,
        turn=_turn(now),
    )


def _here(day: desk.Day, appointment: Appointment, minutes: int) -> dict[str, object]:
    return {
        "a": appointment,
        "who": day.people.patient(appointment.patient),
        "with_": day.people.clinician(appointment.practitioner),
        "at": times.hour_24(appointment.arrived or appointment.start, day.zone),
        "time": times.hour_24(appointment.start, day.zone),
        "minutes": minutes,
    }


def _waits(day: desk.Day, waiting: Waiting) -> dict[str, object]:
    kind = day.setup.visit_type(waiting.visit_type)
    days = (day.today - times.local(waiting.made, day.zone).date()).days
    who = day.people.clinician(waiting.practitioner) if waiting.practitioner else "Any clinician"
    return {
        "w": waiting,
        "who": day.people.patient(waiting.patient),
        "what": kind.name if kind else "Visit",
        "wish": who,
        "since": "since today" if days < 1 else "1 day" if days == 1 else f"{days} days",
    }


def _line(own: desk.Own, appointment: Appointment, at: datetime) -> dict[str, object]:
    patient = own.people.patients.get(appointment.patient)
    return {
        "a": appointment,
        "time": times.hour_24(appointment.start, own.zone),
        "until": times.hour_24(appointment.end, own.zone),
        "patient": patient,
        "who": own.people.formal(appointment.patient),
        "what": appointment.visit_name,
        "reason": appointment.reason or "",
        "is_video": appointment.mode == "video",
        "room": room_words(appointment.room),
        "state": state_words(appointment, at, own.zone),
        "tone": tone(appointment),
        "chart": _chart(own, appointment),
        "is_now": appointment.start <= at < appointment.end,
        "is_over": appointment.end <= at,
    }


def _chart(own: desk.Own, appointment: Appointment) -> str:
    """open, coming (the booking has not reached records yet) or unknown (records is silent)"""
    if own.open_charts is None:
        return "unknown"
    return "open" if appointment.patient_id in own.open_charts else "coming"


def _dates(on: date, today: date) -> dict[str, Any]:
    """The head of a day's page, and the ways to the days beside it."""
    return {
        "on": on,
        "is_today": on == today,
        "heading": times.day_words(on, today),
        "before": on - timedelta(days=1),
        "after": on + timedelta(days=1),
    }


def _turn(now: datetime) -> str:
    # A button of one drawn page has one effect, however often it is pressed.
    return now.strftime("%H%M%S%f")

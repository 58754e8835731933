"""A patient's appointments: the list, a calendar file, moving one and cancelling one."""

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation import clock
from polyclinic.foundation.errors import Conflict, Invalid, NotFound
from polyclinic.foundation.html import HEADERS
from polyclinic.services.portal.actions import visits
from polyclinic.services.portal.domain.booking import Appointment
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.domain.times import zone_words
from polyclinic.services.portal.domain.visit_words import CANCEL_REASONS, Row, row
from polyclinic.services.portal.pages.door import draw, form, portal, redirect, signed_in

patients_only = signed_in("patient")
DONE = ("cancelled", "waiting")
PAST_SHOWN = 10


@patients_only
async def get_visits(request: Request, signed: Signed) -> Response:
    at_work, now = portal(request), clock.now()
    found = await visits.list_visits(at_work, signed.session, now)
    done = request.query_params.get("done", "")
    shows_all = request.query_params.get("past") == "all"
    past = found.past if shows_all else found.past[:PAST_SHOWN]
    return draw(
        request,
        "patient/visits.html",
        signed,
        coming=[read_row(request, found, a) for a in found.coming],
        past=[read_row(request, found, a) for a in past],
        hidden=len(found.past) - len(past),
        people=found.people,
        zones=_zones(request, found),
        done=done if done in DONE else "",
    )


@patients_only
async def get_invitation(request: Request, signed: Signed) -> Response:
    """The calendar file; made by appointments, which knows no names."""
    key = request.path_params["visit"]
    content = await visits.invitation(portal(request), signed.session, key)
    headers = {**HEADERS, "Content-Disposition": 'attachment; filename="appointment.ics"'}
    return Response(content, headers=headers, media_type="text/calendar; charset=utf-8")


@patients_only
async def get_booked(request: Request, signed: Signed) -> Response:
    """What was booked, how to keep it in mind and what to bring."""
    at_work, now = portal(request), clock.now()
    found = await visits.list_visits(at_work, signed.session, now)
    booked = _own(found, request.path_params["visit"])
    is_moved = request.query_params.get("was") == "moved"
    shown = read_row(request, found, booked)
    return draw(request, "patient/booked.html", signed, row=shown, is_moved=is_moved)


@patients_only
async def get_change(request: Request, signed: Signed) -> Response:
    """Another time for a visit, or none: the old place stays until a new one is sure."""
    at_work, now = portal(request), clock.now()
    found = await visits.list_visits(at_work, signed.session, now)
    moved = _own(found, request.path_params["visit"])
    shown = read_row(request, found, moved)
    if not shown.can_change:
        return draw(request, "patient/too_late.html", signed, 422, row=shown)
    draft = await visits.begin_move(at_work, signed.session, moved, now)
    return redirect(f"/visits/book/{draft.id}/time")


@patients_only
async def get_cancel(request: Request, signed: Signed) -> Response:
    return await _cancel_page(request, signed)


@patients_only
async def post_cancel(request: Request, signed: Signed) -> Response:
    given = await form(request, signed)
    reason, key = given.get("reason", ""), request.path_params["visit"]
    if reason and reason not in CANCEL_REASONS:
        raise Invalid("This is not one of the reasons.", place="reason")
    try:
        turn = given.get("turn", "")
        await visits.cancel(portal(request), signed.session, key, reason, turn)
    except (Conflict, Invalid) as refused:
        return await _cancel_page(request, signed, refused.message, reason)
    return redirect("/visits?done=cancelled")


async def _cancel_page(
    request: Request, signed: Signed, error: str = "", reason: str = ""
) -> Response:
    at_work, now = portal(request), clock.now()
    found = await visits.list_visits(at_work, signed.session, now)
    shown = read_row(request, found, _own(found, request.path_params["visit"]))
    if not shown.can_change and not error:
        return draw(request, "patient/too_late.html", signed, 422, row=shown)
    return draw(
        request,
        "patient/cancel.html",
        signed,
        422 if error else 200,
        row=shown,
        error=error,
        reason=reason,
        reasons=CANCEL_REASONS,
        turn=now.strftime("%H%M%S"),
    )


async def list_own(request: Request, signed: Signed) -> visits.Visits:
    return await visits.list_visits(portal(request), signed.session, clock.now())


def own_row(request: Request, found: visits.Visits, key: str) -> Row:
    return read_row(request, found, _own(found, key))


def read_row(request: Request, found: visits.Visits, appointment: Appointment) -> Row:
    settings = portal(request).settings
    zone = found.setup.zone(appointment.site, settings.time_zone)
    who = found.people.clinician(appointment.practitioner)
    return row(found.setup, appointment, who, zone, clock.now())


def _own(found: visits.Visits, key: str) -> Appointment:
    own = next((a for a in (*found.coming, *found.past) if a.id == key), None)
    if own is None:
        raise NotFound("There is no such appointment of yours.")
    return own


def _zones(request: Request, found: visits.Visits) -> list[str]:
    """The clocks that times on this page are by; one, unless visits lie in two zones."""
    otherwise = portal(request).settings.time_zone
    shown = (*found.coming, *found.past[:PAST_SHOWN])
    zones = dict.fromkeys(found.setup.zone(a.site, otherwise) for a in shown)
    return [zone_words(each, clock.now()) for each in zones]

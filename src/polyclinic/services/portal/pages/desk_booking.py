"""Booking for a patient at the desk: who, when, confirm; over a taken time only with a reason."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation import clock
from polyclinic.foundation.errors import Invalid, NotFound, Unavailable
from polyclinic.services.portal.actions import desk, drafts, visits
from polyclinic.services.portal.actions.charts import find_patients
from polyclinic.services.portal.domain import times
from polyclinic.services.portal.domain.booking import Opening, Setup
from polyclinic.services.portal.domain.draft import Draft, read_reason
from polyclinic.services.portal.domain.search import read_search
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.pages.booking import draft_of
from polyclinic.services.portal.pages.door import draw, form, portal, redirect, signed_in

desk_only = signed_in("front-desk", "clinician")
_PATIENT = "Patient/"


@desk_only
async def get_who(request: Request, signed: Signed) -> Response:
    return draw(
        request, "staff/book_who.html", signed, typed="", found=None, error="",
        start=_start(request.query_params.get("start", "")),
        clinician=request.query_params.get("clinician", ""),
    )  # fmt: skip


@desk_only
async def post_who(request: Request, signed: Signed) -> Response:
    """Finds the patient, or opens a draft for the one that was chosen."""
    given = await form(request, signed)
    start, clinician = _start(given.get("start", "")), given.get("clinician", "")[:90]
    if given.get("patient"):
        draft = Draft(
            id=drafts.new_draft_id(),
            patient=_PATIENT + given["patient"][:64],
            clinician=clinician,
        )
        await drafts.save(portal(request), signed.session, draft, clock.now())
        return redirect(f"/schedule/book/{draft.id}" + (f"?from={start[:10]}" if start else ""))
    typed = given.get("q", "").strip()[:120]
    found, more, error, status = None, False, "", 200
    try:
        token = signed.session.tokens.access
        wanted = read_search(typed)
        found, more = await find_patients(portal(request), token, wanted, mark=False)
    except Invalid as wrong:
        error, status = wrong.message, 422
    except Unavailable:
        error, status = "Patients cannot be searched: the records service does not answer.", 503
    return draw(
        request, "staff/book_who.html", signed, status, typed=typed, found=found, more=more,
        error=error, start=start, clinician=clinician,
    )  # fmt: skip


@desk_only
async def get_move(request: Request, signed: Signed) -> Response:
    """Another time for a visit; the old one is kept until the new one is sure."""
    at_work, key = portal(request), request.path_params["visit"]
    moved = (await desk.open_visit(at_work, signed.session, key)).appointment
    draft = await visits.begin_move(at_work, signed.session, moved, clock.now())
    return redirect(f"/schedule/book/{draft.id}")


@desk_only
async def get_offer(request: Request, signed: Signed) -> Response:
    """A place for somebody on the waiting list."""
    waiting = await desk.find_waiting(
        portal(request), signed.session, request.path_params["waiting"]
    )
    draft = Draft(
        id=drafts.new_draft_id(),
        patient=waiting.patient,
        visit_type=waiting.visit_type,
        waiting=waiting.id,
        clinician=waiting.practitioner or "",
    )
    await drafts.save(portal(request), signed.session, draft, clock.now())
    return redirect(f"/schedule/book/{draft.id}")


@desk_only
async def get_when(request: Request, signed: Signed) -> Response:
    return await _when(request, signed, await draft_of(request, signed))


@desk_only
async def post_when(request: Request, signed: Signed) -> Response:
    given = await form(request, signed)
    draft = await draft_of(request, signed)
    at_work = portal(request)
    setup = await visits.setup_of(at_work, signed.session)
    kind = draft.visit_type or given.get("kind", "")
    reason, error = read_reason(given.get("reason", ""))
    override, wrong = read_reason(given.get("override", ""))
    draft = msgspec.structs.replace(draft, visit_type=kind, reason=reason, override="")
    opening = times.read_opening(given.get("opening", ""), kind, setup)
    if given.get("how") == "over" and not draft.moves:
        opening, why = _forced(given, draft, setup, override)
        draft = msgspec.structs.replace(draft, override=override)
        error = error or why or wrong
    if opening is None or error:
        return await _when(request, signed, draft, error or "Choose a time.", given)
    draft = draft.choosing(opening, None)
    if not draft.override:
        draft = await visits.choose(
            at_work, signed.session, msgspec.structs.replace(draft, opening=None), opening,
            clock.now(),
        )  # fmt: skip
        if draft.opening is None:
            return await _when(request, signed, draft, "", given)
    await drafts.save(at_work, signed.session, draft, clock.now())
    return redirect(f"/schedule/book/{draft.id}/check")


@desk_only
async def get_check(request: Request, signed: Signed) -> Response:
    draft = await draft_of(request, signed)
    if draft.booked:
        return redirect(f"/schedule/visits/{draft.booked}")
    if draft.opening is None:
        return redirect(f"/schedule/book/{draft.id}")
    at_work, opening, now = portal(request), draft.opening, clock.now()
    token = signed.session.tokens.access
    setup = await visits.setup_of(at_work, signed.session)
    named = await visits.people(at_work, token, [opening.practitioner], [draft.patient])
    zone, site = setup.zone(opening.site, at_work.settings.time_zone), setup.site(opening.site)
    kind = setup.visit_type(draft.visit_type)
    return draw(
        request, "staff/book_check.html", signed, draft=draft, people=named,
        who=named.formal(draft.patient), patient=named.patients.get(draft.patient),
        clinician=named.clinician(opening.practitioner),
        what=kind.name if kind else "Visit",
        day=times.day(opening.start, zone, times.today_at(zone, now)),
        time=f"{times.hour_24(opening.start, zone)} to {times.hour_24(opening.end, zone)}",
        place=site.name if site else "",
        held_until=times.hour_24(draft.hold.ends, zone)
        if draft.hold and draft.is_held(now) else "",
    )  # fmt: skip


@desk_only
async def post_check(request: Request, signed: Signed) -> Response:
    await form(request, signed)
    draft = await draft_of(request, signed)
    done = await visits.confirm(portal(request), signed.session, draft, clock.now())
    if done.booked is None:
        return await _when(request, signed, done)
    return redirect(f"/schedule/visits/{done.booked}")


async def _when(
    request: Request,
    signed: Signed,
    draft: Draft,
    error: str = "",
    given: Mapping[str, str] | None = None,
) -> Response:
    at_work, now, asked = portal(request), clock.now(), given or request.query_params
    setup = await visits.setup_of(at_work, signed.session)
    kind = draft.visit_type or asked.get("kind", "")
    kind = kind if setup.visit_type(kind) else setup.visit_types[0].id if setup.visit_types else ""
    if not kind:
        raise NotFound("No visit types are set up yet.")
    wanted = visits.Wanted(
        kind, asked.get("clinician", draft.clinician), times.read_day(asked.get("from", ""))
    )
    found = await visits.find_times(at_work, signed.session, setup, wanted, now)
    token = signed.session.tokens.access
    named = await visits.people(at_work, token, found.clinicians, [draft.patient])
    return draw(
        request, "staff/book_when.html", signed,
        409 if draft.problem and request.method == "POST" else 422 if error else 200,
        draft=draft, setup=setup, kind=kind, found=found, people=named,
        nearest=visits.by_day(
            at_work, setup, list(draft.nearest), named, once=False, is_staff=True
        ),
        who=named.formal(draft.patient), patient=named.patients.get(draft.patient),
        typed=given or {}, error=error, zone_words=times.zone_words(found.zone, now),
        sites=setup.sites,
    )  # fmt: skip


def _forced(
    given: dict[str, str], draft: Draft, setup: Setup, override: str
) -> tuple[Opening | None, str]:
    """A time that staff insist on, and what is missing of it."""
    site = setup.site(given.get("site", "")) or (setup.sites[0] if setup.sites else None)
    kind = setup.visit_type(draft.visit_type)
    if site is None or kind is None:
        return None, "Choose what the visit is for."
    if not override:
        return None, "Say why this time is booked over; it is written down with your name."
    try:
        naive = datetime.fromisoformat(f"{given.get('day', '')}T{given.get('time', '')}")
    except ValueError:
        return None, "Write the date and the time of the visit."
    start = naive.replace(tzinfo=ZoneInfo(site.time_zone))
    who = given.get("with", "")
    if who not in {c.practitioner for c in setup.clinicians}:
        return None, "Choose the clinician."
    end = start + timedelta(minutes=kind.minutes)
    return Opening(start, end, who, site.id, kind.id), ""


def _start(text: str) -> str:
    """A time that came along from an opening of the calendar."""
    try:
        return datetime.fromisoformat(text).isoformat()
    except ValueError:
        return ""

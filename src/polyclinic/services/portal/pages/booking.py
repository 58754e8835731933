"""Booking in four pages: what, when, why, check. Whatever happens to the place, answers stay."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation import clock
from polyclinic.foundation.errors import Invalid
from polyclinic.services.portal.actions import drafts, visits
from polyclinic.services.portal.domain import times
from polyclinic.services.portal.domain.booking import Setup
from polyclinic.services.portal.domain.draft import REASON_MAX, Draft, read_reason
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.domain.visit_words import Row
from polyclinic.services.portal.pages.door import draw, form, portal, redirect, signed_in
from polyclinic.services.portal.pages.visits import list_own, own_row

patients_only = signed_in("patient")
STEPS = ("What you need", "Choose a time", "About your visit", "Check and confirm")
MOVE_STEPS = ("Choose a time", "Check and confirm")


@patients_only
async def get_kinds(request: Request, signed: Signed) -> Response:
    return await _kinds(request, signed, request.query_params.get("kind", ""))


@patients_only
async def post_kind(request: Request, signed: Signed) -> Response:
    given = await form(request, signed)
    kind = given.get("kind", "")
    try:
        draft = await visits.begin(portal(request), signed.session, kind, clock.now())
    except Invalid as wrong:
        return await _kinds(request, signed, "", wrong.message)
    return redirect(_to(draft, "time"))


@patients_only
async def get_times(request: Request, signed: Signed) -> Response:
    draft = await draft_of(request, signed)
    if draft.booked:
        return redirect(f"/visits/{draft.booked}/booked")
    return await _times(request, signed, draft)


@patients_only
async def post_time(request: Request, signed: Signed) -> Response:
    """Keeps the chosen time; a taken one leads back with the nearest."""
    given = await form(request, signed)
    draft = await draft_of(request, signed)
    setup = await visits.setup_of(portal(request), signed.session)
    # Free or not any more: that is for appointments to say.
    opening = times.read_opening(given.get("opening", ""), draft.visit_type, setup)
    if opening is None:
        return await _times(request, signed, draft, "Choose a time.", given)
    kept = await visits.choose(portal(request), signed.session, draft, opening, clock.now())
    if kept.opening is None:
        return await _times(request, signed, kept, "", given)
    if kept.reason or kept.moves:
        return redirect(_to(kept, "check"))
    return redirect(_to(kept, "about"))


@patients_only
async def get_about(request: Request, signed: Signed) -> Response:
    draft = await draft_of(request, signed)
    if draft.opening is None:
        return redirect(_to(draft, "time"))
    return await _about(request, signed, draft, draft.reason)


@patients_only
async def post_about(request: Request, signed: Signed) -> Response:
    given = await form(request, signed)
    draft = await draft_of(request, signed)
    reason, error = read_reason(given.get("reason", ""))
    if error:
        return await _about(request, signed, draft, reason, error)
    draft = msgspec.structs.replace(draft, reason=reason)
    await drafts.save(portal(request), signed.session, draft, clock.now())
    return redirect(_to(draft, "check" if draft.opening else "time"))


@patients_only
async def get_check(request: Request, signed: Signed) -> Response:
    draft = await draft_of(request, signed)
    if draft.booked:
        return redirect(f"/visits/{draft.booked}/booked")
    if draft.opening is None:
        return redirect(_to(draft, "time"))
    setup, summary = await _summary(request, signed, draft)
    moved = await _moved(request, signed, draft)
    return draw(
        request,
        "patient/book_check.html",
        signed,
        draft=draft,
        kind=setup.visit_type(draft.visit_type),
        moved=moved,
        names=MOVE_STEPS if draft.moves else STEPS,
        **summary,
    )


@patients_only
async def post_check(request: Request, signed: Signed) -> Response:
    """Books; the same press of the button sent twice leads to the same appointment."""
    await form(request, signed)
    draft = await draft_of(request, signed)
    done = await visits.confirm(portal(request), signed.session, draft, clock.now())
    if done.booked is None:
        return await _times(request, signed, done)
    return redirect(f"/visits/{done.booked}/booked" + ("?was=moved" if done.moves else ""))


@patients_only
async def post_wait(request: Request, signed: Signed) -> Response:
    await form(request, signed)
    draft = await draft_of(request, signed)
    await visits.wait_for(portal(request), signed.session, draft, clock.now())
    return redirect("/visits?done=waiting")


async def _kinds(request: Request, signed: Signed, kind: str, error: str = "") -> Response:
    setup = await visits.setup_of(portal(request), signed.session)
    offered = [each for each in setup.visit_types if each.patients_book]
    return draw(
        request,
        "patient/book_kind.html",
        signed,
        422 if error else 200,
        kinds=offered,
        kind=kind,
        error=error,
        names=STEPS,
    )


async def _times(
    request: Request,
    signed: Signed,
    draft: Draft,
    error: str = "",
    given: Mapping[str, str] | None = None,
) -> Response:
    """The openings; after a lost place with what was nearest, and all answers still there."""
    at_work, now, asked = portal(request), clock.now(), given or request.query_params
    wanted = visits.Wanted(
        draft.visit_type,
        asked.get("clinician", draft.clinician),
        times.read_day(asked.get("from", "")),
        draft.moves,
    )
    setup = await visits.setup_of(at_work, signed.session)
    found = await visits.find_times(at_work, signed.session, setup, wanted, now)
    nearest = visits.by_day(at_work, setup, list(draft.nearest), found.people, once=False)
    moved = await _moved(request, signed, draft)
    lost = times.moment_words(draft.lost.start, found.zone, found.today) if draft.lost else ""
    return draw(
        request,
        "patient/book_time.html",
        signed,
        409 if draft.problem and request.method == "POST" else 422 if error else 200,
        draft=draft,
        kind=setup.visit_type(draft.visit_type),
        found=found,
        nearest=nearest,
        lost=lost,
        zone_words=times.zone_words(found.zone, now),
        moved=moved,
        error=error,
        names=MOVE_STEPS if draft.moves else STEPS,
    )


async def _about(
    request: Request, signed: Signed, draft: Draft, reason: str, error: str = ""
) -> Response:
    setup, summary = await _summary(request, signed, draft)
    return draw(
        request,
        "patient/book_about.html",
        signed,
        422 if error else 200,
        draft=draft,
        kind=setup.visit_type(draft.visit_type),
        reason=reason,
        reason_max=REASON_MAX,
        error=error,
        names=STEPS,
        **summary,
    )


async def _moved(request: Request, signed: Signed, draft: Draft) -> Row | None:
    """The visit that a draft moves, as it still stands."""
    if draft.moves is None:
        return None
    return own_row(request, await list_own(request, signed), draft.moves)


async def _summary(request: Request, signed: Signed, draft: Draft) -> tuple[Setup, dict[str, Any]]:
    """What was chosen, in words, and how the clinic reaches the patient."""
    at_work, now = portal(request), clock.now()
    opening = draft.opening
    assert opening is not None
    setup = await visits.setup_of(at_work, signed.session)
    named = await visits.people(at_work, signed.session.tokens.access, [opening.practitioner])
    zone, site = setup.zone(opening.site, at_work.settings.time_zone), setup.site(opening.site)
    return setup, {
        "day": times.day(opening.start, zone, times.today_at(zone, now)),
        "time": times.hour(opening.start, zone),
        "zone_words": times.zone_words(zone, opening.start),
        "who": named.clinician(opening.practitioner),
        "site": site,
        "people": named,
        "contact": await visits.contact(at_work, signed.session),
        "held_until": (
            times.hour(draft.hold.ends, zone) if draft.hold and draft.is_held(now) else ""
        ),
    }


async def draft_of(request: Request, signed: Signed) -> Draft:
    """The draft that an address names, if it is this person's; raises NoDraft."""
    key = request.path_params["draft"]
    return await drafts.load(portal(request), signed.session, key, clock.now())


def _to(draft: Draft, page: str) -> str:
    return f"/visits/book/{draft.id}/{page}"

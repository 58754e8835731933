"""Coming and going: to identity and back, staying, signing out, light or dark."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from polyclinic.foundation import clock
from polyclinic.foundation.errors import Problem, Unavailable
from polyclinic.foundation.html import HEADERS, Cookie, is_own_computer
from polyclinic.services.portal.actions import sessions
from polyclinic.services.portal.domain import session as rules
from polyclinic.services.portal.domain.session import Signed, SignedOut
from polyclinic.services.portal.pages.door import (
    SESSION,
    cookie,
    draw,
    form,
    home,
    origin,
    portal,
    redirect,
    signed_in,
)

ATTEMPT = Cookie("polyclinic-sign-in")
ATTEMPT_SECONDS = 1800  # as long as identity's form may stay open


async def get_root(request: Request) -> Response:
    """Everybody's own first page, or the way in."""
    try:
        signed = await sessions.current(portal(request), cookie(request), clock.now())
    except SignedOut:
        return redirect("/sign-in")
    return redirect(home(portal(request), signed))


async def get_sign_in(request: Request) -> Response:
    base = origin(request)
    if not base.startswith("https://") and not is_own_computer(base):
        return draw(request, "unsafe.html", None, 400)
    attempt = sessions.begin_sign_in(portal(request), request.query_params.get("next", "/"))
    response = redirect(rules.authorization_url(attempt, base))
    ATTEMPT.keep(response, base, attempt.cookie, ATTEMPT_SECONDS)
    return response


async def get_signed_in(request: Request) -> Response:
    """Identity sends people back here with a code."""
    base = origin(request)
    tried = ATTEMPT.read(request, base)
    if tried is None:
        return draw(request, "not_signed_in.html", None, 400, why="cookie")
    try:
        secret, wanted = await sessions.finish_sign_in(
            portal(request), tried, dict(request.query_params), base, clock.now()
        )
    except Unavailable:
        raise
    except Problem:
        response = draw(request, "not_signed_in.html", None, 400, why="refused")
        ATTEMPT.drop(response, base)
        return response
    # Whoever was signed in here before is not any more: a new session has a new cookie.
    await _end_session(request)
    response = redirect(wanted)
    SESSION.keep(response, base, secret)
    ATTEMPT.drop(response, base)
    return response


@signed_in()
async def post_sign_out(request: Request, signed: Signed) -> Response:
    await form(request, signed)
    await sessions.sign_out(portal(request), signed)
    response = redirect("/signed-out")
    SESSION.drop(response, origin(request))
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


async def get_signed_out(request: Request) -> Response:
    wanted = rules.local(request.query_params.get("next", "/"))
    is_idle = request.query_params.get("why") == "idle"
    return draw(request, "signed_out.html", next=wanted, is_idle=is_idle)


@signed_in()
async def post_stay(request: Request, signed: Signed) -> Response:
    await form(request, signed)
    now = clock.now()
    await sessions.extend(portal(request), signed, now)
    fresh = await sessions.peek(portal(request), signed.secret, now)
    if request.headers.get("accept", "").startswith("application/json"):
        return _left(sessions.seconds_left(portal(request), fresh, now))
    return redirect(home(portal(request), signed))


async def get_left(request: Request) -> Response:
    """How long the session lasts; asking does not make it longer."""
    try:
        signed = await sessions.peek(portal(request), cookie(request), clock.now())
    except SignedOut:
        return _left(0)
    return _left(sessions.seconds_left(portal(request), signed, clock.now()))


@signed_in()
async def post_theme(request: Request, signed: Signed) -> Response:
    given = await form(request, signed)
    await sessions.choose_theme(portal(request), signed, given.get("theme", ""))
    return redirect(rules.local(given.get("back", "/")))


def _left(seconds: int) -> Response:
    return JSONResponse({"seconds": seconds}, headers=dict(HEADERS))


async def _end_session(request: Request) -> None:
    try:
        signed = await sessions.peek(portal(request), cookie(request), clock.now())
    except SignedOut:
        return
    await sessions.sign_out(portal(request), signed)

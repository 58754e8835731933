"""Identity's pages for people: signing in on the way to a client, and signing out."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from polyclinic.foundation import clock, http
from polyclinic.foundation.errors import Problem
from polyclinic.foundation.html import Cookie, Pages, static_routes
from polyclinic.services.identity.actions import authorization, forms, sign_in
from polyclinic.services.identity.actions.state import Identity
from polyclinic.services.identity.domain.authorization import (
    FIELDS,
    VISIBLE,
    AuthorizationRequest,
    answer_url,
    read_form,
    read_query,
    read_request,
)
from polyclinic.services.identity.domain.clients import base_url
from polyclinic.services.identity.domain.problems import (
    Stranger,
    TooManyTries,
    WrongPassword,
    error_of,
)
from polyclinic.services.identity.store.accounts import SessionRow

PACKAGE, STATIC = "polyclinic.services.identity", "/identity/static"
SESSION, FORM = Cookie("identity"), Cookie("identity-form")
FORM_MAX = 64 * 1024

pages = Pages(PACKAGE, STATIC)


async def get_authorize(request: Request) -> Response:
    return await _authorize(request, read_query(request.url.query.encode()))


async def post_authorize(request: Request) -> Response:
    return await _authorize(request, await _form(request))


async def get_sign_in(_: Request) -> Response:
    """People keep this address as a bookmark; the way in is through a client."""
    return RedirectResponse("/", 303)


async def post_sign_in(request: Request) -> Response:
    identity, given, now = _identity(request), await _form(request), clock.now()
    await authorization.check_return_address(identity, given, _base(request))
    asked = read_request(given)
    try:
        _refuse_strangers(request)
        forms.check_form_token(identity, FORM.read(request, _base(request)), given, now)
    except Stranger:
        text = "This page was open for too long. Please sign in again."
        return _sign_in_page(request, given, [("", text)], 403)
    if missing := _missing(given):
        return _sign_in_page(request, given, missing, 400)
    try:
        signed_in = await sign_in.sign_in(
            identity, given["user"], given["password"], _source(request), now
        )
    except TooManyTries as locked:
        page = _sign_in_page(request, given, [("user", locked.message)], 429)
        page.headers["retry-after"] = str(locked.seconds)
        return page
    except WrongPassword as wrong:
        return _sign_in_page(request, given, [("user", wrong.message)], 401)
    # Whoever was signed in here before is not any more.
    await sign_in.sign_out(identity, SESSION.read(request, _base(request)), now)
    response = await _send_back(identity, asked, signed_in.session, now)
    SESSION.keep(response, _base(request), signed_in.secret, identity.settings.session_minutes * 60)
    FORM.drop(response, _base(request))
    return response


async def get_sign_out(request: Request) -> Response:
    identity, now = _identity(request), clock.now()
    session = await sign_in.current_session(identity, SESSION.read(request, _base(request)), now)
    return _sign_out_page(request, is_open=session is not None)


async def post_sign_out(request: Request) -> Response:
    identity, given, now = _identity(request), await _form(request), clock.now()
    _refuse_strangers(request)
    forms.check_form_token(identity, FORM.read(request, _base(request)), given, now)
    await sign_in.sign_out(identity, SESSION.read(request, _base(request)), now)
    response = _sign_out_page(request, is_open=False)
    SESSION.drop(response, _base(request))
    return response


async def show_problem(request: Request, problem: Problem, status: int) -> Response:
    """A refusal as a page; what was wrong stands in it, never what was sent."""
    response = _page(request, "refused.html", status, text=problem.message)
    response.headers.update(http.headers_of(problem))
    return response


async def _authorize(request: Request, given: Mapping[str, str]) -> Response:
    identity, now = _identity(request), clock.now()
    await authorization.check_return_address(identity, given, _base(request))
    try:
        asked = read_request(given)
    except Problem as refused:
        return _refuse_client(identity, given, refused)
    session = await sign_in.current_session(identity, SESSION.read(request, _base(request)), now)
    if session is not None and not asked.must_sign_in:
        return await _send_back(identity, asked, session, now)
    return _sign_in_page(request, given, [], 200)


async def _send_back(
    identity: Identity, asked: AuthorizationRequest, session: SessionRow, now: datetime
) -> Response:
    response = RedirectResponse(await authorization.grant_code(identity, asked, session, now), 303)
    response.headers.update({"cache-control": "no-store", "referrer-policy": "no-referrer"})
    return response


def _refuse_client(identity: Identity, given: Mapping[str, str], refused: Problem) -> Response:
    """The client made a mistake, and its address is good: it is told there (RFC 6749, 4.1.2.1)."""
    state = given.get("state", "")
    values = {
        "error": error_of(refused),
        "error_description": refused.message,
        "state": state if VISIBLE.fullmatch(state) else None,
        "iss": identity.issuer,
    }
    headers = {"cache-control": "no-store", "referrer-policy": "no-referrer"}
    return RedirectResponse(answer_url(given["redirect_uri"], values), 303, headers)


def _sign_in_page(
    request: Request, given: Mapping[str, str], errors: Sequence[tuple[str, str]], status: int
) -> Response:
    identity, now = _identity(request), clock.now()
    secret = forms.browser_secret(FORM.read(request, _base(request)))
    asked = {name: given[name] for name in FIELDS if name in given}
    response = _page(
        request,
        "sign_in.html",
        status,
        asked=asked,
        user=given.get("user", "")[:254],
        errors=errors,
        # Which of the two fields was wrong is not told, so neither is marked.
        places=dict(errors) if status == 400 else {},
        form_token=forms.form_token(identity, secret, asked, now),
    )
    FORM.keep(response, _base(request), secret, identity.settings.form_minutes * 60)
    return response


def _sign_out_page(request: Request, *, is_open: bool) -> Response:
    identity, now = _identity(request), clock.now()
    secret = forms.browser_secret(FORM.read(request, _base(request)))
    token = forms.form_token(identity, secret, {}, now)
    response = _page(request, "sign_out.html", 200, is_open=is_open, form_token=token)
    FORM.keep(response, _base(request), secret, identity.settings.form_minutes * 60)
    return response


def _page(request: Request, template: str, status: int, **values: object) -> Response:
    clinic = _identity(request).settings.clinic
    return pages.page(request, template, status, clinic=clinic, **values)


def _missing(given: Mapping[str, str]) -> list[tuple[str, str]]:
    wanted = {"user": "Enter your user name.", "password": "Enter your password."}
    return [(name, text) for name, text in wanted.items() if not given.get(name)]


def _refuse_strangers(request: Request) -> None:
    # Fetch metadata: browsers say themselves when another site sends the form.
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise Stranger


def _source(request: Request) -> str:
    """The address the request comes from, seen past as many proxies as are ours."""
    trusted = _identity(request).settings.proxies_trusted
    hops = [hop.strip() for hop in request.headers.get("x-forwarded-for", "").split(",")]
    if 0 < trusted <= len(hops) and hops[-trusted]:
        return hops[-trusted]
    return request.client.host if request.client else "unknown"


def _base(request: Request) -> str | None:
    return base_url(_identity(request).public_url, request.url.scheme, request.headers)


def _identity(request: Request) -> Identity:
    return http.running(request).state


async def _form(request: Request) -> dict[str, str]:
    content = await http.body(request, FORM_MAX)
    return read_form(content, request.headers.get("content-type", ""), request.url.query)


page_routes: Sequence[Route] = (
    Route("/identity/authorize", get_authorize, methods=["GET"]),
    Route("/identity/authorize", post_authorize, methods=["POST"]),
    Route("/identity/sign-in", get_sign_in, methods=["GET"]),
    Route("/identity/sign-in", post_sign_in, methods=["POST"]),
    Route("/identity/sign-out", get_sign_out, methods=["GET"]),
    Route("/identity/sign-out", post_sign_out, methods=["POST"]),
    *static_routes(STATIC, PACKAGE),
)
PATHS = frozenset(route.path for route in page_routes)

"""Every page's door: who is signed in, in which role, forms of ours only, problems as pages."""

from collections.abc import Awaitable, Callable
from functools import wraps

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from polyclinic.foundation import clock, http, telemetry
from polyclinic.foundation.errors import Forbidden, Problem, Unavailable
from polyclinic.foundation.html import HEADERS, Cookie, Pages
from polyclinic.foundation.peers import Absent
from polyclinic.services.portal.actions import sessions
from polyclinic.services.portal.actions.charts import NoRelation
from polyclinic.services.portal.actions.state import Portal
from polyclinic.services.portal.domain import session as rules
from polyclinic.services.portal.domain.charts import bar, spark, trend
from polyclinic.services.portal.domain.patient import initials
from polyclinic.services.portal.domain.reading import spoken
from polyclinic.services.portal.domain.session import Signed, SignedOut
from polyclinic.services.portal.domain.times import hour

PACKAGE, STATIC = "polyclinic.services.portal", "/static"
FORM_MAX = 16 * 1024
SESSION = Cookie("polyclinic")
PAGES = Pages(PACKAGE, STATIC)

Page = Callable[[Request, Signed], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


def portal(request: Request) -> Portal:
    found = http.running(request).state
    assert isinstance(found, Portal)
    return found


def signed_in(*roles: str) -> Callable[[Page], Endpoint]:
    """For people in one of these roles (any, if none is named); others are sent to sign in."""

    def door(page: Page) -> Endpoint:
        @wraps(page)
        async def endpoint(request: Request) -> Response:
            try:
                signed = await sessions.current(portal(request), cookie(request), clock.now())
            except SignedOut:
                return _to_sign_in(request)
            # For the page that tells of a problem: it looks like the rest.
            request.state.signed = signed
            if roles and signed.session.role not in roles:
                raise Forbidden("This page is for other people of the clinic.")
            try:
                return await page(request, signed)
            except SignedOut:
                return _to_sign_in(request)

        return endpoint

    return door


async def form(request: Request, signed: Signed) -> dict[str, str]:
    """A form's fields, once it is known to be one of ours."""
    async with request.form(max_files=0, max_fields=20, max_part_size=FORM_MAX) as sent:
        given = {name: value for name, value in sent.items() if isinstance(value, str)}
    headers = {name: request.headers[name] for name in request.headers}
    rules.check_form(signed.session, given.get("csrf", ""), headers, origin(request))
    return given


def cookie(request: Request) -> str | None:
    return SESSION.read(request, origin(request))


def origin(request: Request) -> str:
    """The address people see: as configured, else as the browser says."""
    public = http.running(request).platform.public_url
    return public.rstrip("/") if public else f"{request.url.scheme}://{request.url.netloc}"


def draw(
    request: Request,
    template: str,
    signed: Signed | None = None,
    status: int = 200,
    **values: object,
) -> Response:
    """A page in the signed-in person's theme, with what every page shows around itself."""
    at_work = portal(request)
    around: dict[str, object] = {
        "clinic": at_work.settings.clinic,
        "phone": at_work.settings.phone,
        "emergency": at_work.settings.emergency,
        "has_appointments": at_work.has("appointments"),
        "has_billing": at_work.has("billing"),
        "has_integration": at_work.has("integration"),
        "has_migration": at_work.has("migration"),
        "has_insights": at_work.has("insights"),
        "has_audit": at_work.has("audit"),
        "theme": signed.theme if signed else "system",
        "today": spoken(at_work.today()),
        "at": lambda moment: hour(moment, at_work.settings.time_zone),
        "bar": bar,
        "spark": spark,
        "trend": trend,
        "problem": None,
    }
    if signed is not None:
        around |= {
            "me": signed.session,
            "home": home(at_work, signed),
            "my_initials": initials(signed.session.name) or "?",
            "csrf": signed.session.csrf,
            "seconds": sessions.seconds_left(at_work, signed, clock.now()),
            "warn_seconds": max(120, at_work.settings.warn_seconds),
        }
    return PAGES.page(request, template, status, **around, **values)


def home(at_work: Portal, signed: Signed) -> str:
    """The first page of a role, where the service that it needs is installed."""
    role = signed.session.role
    if role == "billing" and at_work.has("billing"):
        return "/billing-desk"
    first = {"clinician": "/my-day", "front-desk": "/schedule"}.get(role)
    return first if first and at_work.has("appointments") else signed.session.home


def redirect(path: str) -> RedirectResponse:
    return RedirectResponse(path, 303, dict(HEADERS))


async def show_problem(request: Request, problem: Problem, status: int) -> Response:
    """What went wrong, what is safe and what to do, in the look of the rest."""
    signed: Signed | None = getattr(request.state, "signed", None)
    at_work = portal(request)
    since = at_work.outages.since(problem.place or "records")
    values = {
        "code": status,
        "message": problem.message,
        "place": problem.place,
        "request_id": telemetry.request_id.get(),
        "since": hour(since, at_work.settings.time_zone) if since else "",
        "is_relation": isinstance(problem, NoRelation),
        "is_absent": isinstance(problem, Absent),
        "is_outage": isinstance(problem, Unavailable) and not isinstance(problem, Absent),
    }
    template = "problem.html" if signed else "problem_plain.html"
    response = draw(request, template, signed, status, **values)
    response.headers.update(http.headers_of(problem))
    # A browser would ask for a password of its own.
    if "www-authenticate" in response.headers:
        del response.headers["www-authenticate"]
    return response


def _to_sign_in(request: Request) -> Response:
    """Back to the same page afterwards, where a page can be asked for again."""
    wanted = rules.local(request.url.path if request.method == "GET" else "/")
    if request.headers.get("hx-request"):
        # A part of a page cannot become a sign-in page: the whole page goes there.
        response = Response(
            status_code=200, headers={**HEADERS, "HX-Redirect": "/signed-out?why=idle"}
        )
    elif cookie(request) is not None:
        response = redirect(f"/signed-out?why=idle&next={wanted}")
    else:
        response = redirect(f"/sign-in?next={wanted}")
    if cookie(request) is not None:
        SESSION.drop(response, origin(request))
    return response

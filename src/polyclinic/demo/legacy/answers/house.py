"""The house itself: the first page, signing in, who works where, and what was done."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from polyclinic.demo.legacy.answers.saying import form, kept_of, say
from polyclinic.demo.legacy.door import COOKIE, session_of, signs_in

_HOME = """<html><head><title>Harbor Street Clinic</title></head><body bgcolor="#EEEEFF">
<h1>HarborNet 4.2</h1><p>Welcome{who}.</p>
<form action="/login.asp" method="post"><input name="usr"><input name="pwd" type="password">
<input type="submit" value="Log in"></form></body></html>"""


async def home(request: Request) -> Response:
    user = request.scope["user"]
    return HTMLResponse(_HOME.format(who=f", {user}" if user else ""))


async def login(request: Request) -> Response:
    given = await form(request)
    user = given.get("usr", "")
    if not signs_in(kept_of(request), user, given.get("pwd", "")):
        return JSONResponse({"err": "BAD_LOGIN"}, 403)
    answer = RedirectResponse("/", 302)
    answer.set_cookie(COOKIE, session_of(user), httponly=True)
    return answer


async def logout(_: Request) -> Response:
    answer = RedirectResponse("/", 302)
    answer.delete_cookie(COOKIE)
    return answer


async def providers(request: Request) -> Response:
    query = "SELECT * FROM providers WHERE active = 'Y' ORDER BY id"
    listed = [
        {
            "ProvCode": r["prov_code"], "Name": f"{r['last_nm']}, {r['first_nm']}",
            "Specialty": r["specialty"], "NPI": r["npi"], "Site": r["home_site"],
        }
        for r in kept_of(request).all(query)
    ]  # fmt: skip
    return say(request, "providers", {"providers": listed})


async def sites(request: Request) -> Response:
    listed = [
        {"SiteCd": r["site_cd"], "Name": r["site_nm"], "Addr": r["addr"], "Phone": r["phone"]}
        for r in kept_of(request).all("SELECT * FROM sites ORDER BY site_cd")
    ]
    return say(request, "sites", {"sites": listed})


async def users(request: Request) -> Response:
    query = "SELECT login, full_nm, role, disabled FROM users ORDER BY login"
    return say(request, "users", {"users": kept_of(request).all(query)})


async def audit(request: Request) -> Response:
    since = request.query_params.get("from", "")
    query = "SELECT * FROM audit_log WHERE at >= ? ORDER BY id DESC LIMIT 100"
    return say(request, "audit", {"entries": kept_of(request).all(query, since)})


routes = [
    Route("/", home),
    Route("/login.asp", login, methods=["POST"]),
    Route("/logout", logout),
    Route("/providers.json", providers),
    Route("/sites", sites),
    Route("/admin/users", users),
    Route("/admin/audit", audit),
]

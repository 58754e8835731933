"""The desk: the day, free times, and what is booked, moved and called off."""

from datetime import date, datetime, timedelta

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from polyclinic.demo.legacy.answers.saying import (
    bad,
    form,
    iso_moment,
    kept_of,
    not_found,
    noted,
    say,
    us_moment,
)
from polyclinic.demo.legacy.kept import Json, Kept, stamp
from polyclinic.demo.legacy.making import FIRST_MINUTE, QUARTERS, STEP_MINUTES

_SHOWN = (
    "SELECT a.*, p.mrn, p.last_nm, p.first_nm, d.prov_code FROM appts a"
    " JOIN patients p ON p.id = a.pat_id JOIN providers d ON d.id = a.prov_id"
)


def _shown(row: Json) -> Json:
    return {
        "ApptID": row["id"], "Start": us_moment(row["start_dt"]), "Minutes": row["mins"],
        "MRN": row["mrn"], "PatName": f"{row['last_nm']}, {row['first_nm'] or ''}",
        "Prov": row["prov_code"], "Site": row["site"], "Reason": row["reason"],
        "Status": row["stat"],
    }  # fmt: skip


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError as wrong:
        raise bad("DAY") from wrong


async def get_day(request: Request) -> Response:
    day = _day(request.path_params["day"])
    provider = request.query_params.get("prov", "%")
    query = (
        f"{_SHOWN} WHERE a.start_dt >= ? AND a.start_dt < ? AND d.prov_code LIKE ?"
        " AND a.stat <> 'CANC' ORDER BY a.start_dt, a.id"
    )
    rows = kept_of(request).all(query, str(day), str(day + timedelta(days=1)), provider)
    return say(request, "day", {"Day": f"{day:%Y%m%d}", "appts": [_shown(row) for row in rows]})


def _starts(day: date) -> list[str]:
    minutes = (FIRST_MINUTE + STEP_MINUTES * i for i in range(QUARTERS))
    return [f"{day} {m // 60:02}:{m % 60:02}" for m in minutes]


async def get_slots(request: Request) -> Response:
    day = _day(request.query_params.get("from", ""))
    provider = request.query_params.get("prov", "")
    query = (
        "SELECT start_dt FROM appts a JOIN providers d ON d.id = a.prov_id WHERE prov_code = ?"
        " AND start_dt >= ? AND start_dt < ? AND stat <> 'CANC'"
    )
    rows = kept_of(request).all(query, provider, str(day), str(day + timedelta(days=1)))
    taken = {row["start_dt"] for row in rows}
    value = {
        "Prov": provider,
        "free": [us_moment(each) for each in _starts(day) if each not in taken],
        "taken": [us_moment(each) for each in sorted(taken)],
    }
    return say(request, "slots", value)


async def get_appointment(request: Request) -> Response:
    row = kept_of(request).one(f"{_SHOWN} WHERE a.id = ?", request.path_params["id"])
    if row is None:
        raise not_found()
    return say(request, "appt", _shown(row))


def _is_taken(kept: Kept, provider: int, start: str) -> bool:
    query = "SELECT 1 FROM appts WHERE prov_id = ? AND start_dt = ? AND stat <> 'CANC'"
    return kept.one(query, provider, start) is not None


async def book(request: Request) -> Response:
    given, kept = await form(request), kept_of(request)
    row = kept.one("SELECT id, mrn FROM patients WHERE mrn = ?", given.get("mrn", ""))
    query = "SELECT id, home_site FROM providers WHERE prov_code = ?"
    provider = kept.one(query, given.get("prov", ""))
    if row is None or provider is None:
        raise bad("MRN_OR_PROV")
    start = iso_moment(given.get("start", ""))
    if _is_taken(kept, provider["id"], start):
        return JSONResponse({"ok": False, "err": "SLOT_TAKEN"}, 409)
    new = kept.next_of("appts", "id")
    insert = (
        "INSERT INTO appts (id, pat_id, prov_id, site, start_dt, mins, reason, upd_ts)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    )
    site = given.get("site", provider["home_site"])
    values = (new, row["id"], provider["id"], site, start, STEP_MINUTES, given.get("reason"))
    kept.write([(insert, (*values, stamp())), noted(request, "BOOK", row["mrn"])])
    return JSONResponse({"ok": True, "ApptID": new}, 201)


async def move(request: Request) -> Response:
    given, kept, number = await form(request), kept_of(request), request.path_params["id"]
    row = kept.one("SELECT prov_id FROM appts WHERE id = ?", number)
    if row is None:
        raise not_found()
    start = iso_moment(given.get("start", ""))
    if _is_taken(kept, row["prov_id"], start):
        return JSONResponse({"ok": False, "err": "SLOT_TAKEN"}, 409)
    kept.do("UPDATE appts SET start_dt = ?, upd_ts = ? WHERE id = ?", start, stamp(), number)
    return JSONResponse({"ok": True})


async def cancel(request: Request) -> Response:
    number = request.path_params["id"]
    query = "UPDATE appts SET stat = 'CANC', upd_ts = ? WHERE id = ?"
    kept_of(request).do(query, stamp(), number)
    return JSONResponse({"ok": True})


async def no_shows(request: Request) -> Response:
    month = f"{request.path_params['year']:04}-{request.path_params['month']:02}"
    query = (
        "SELECT prov_code, count(*) AS n FROM appts a JOIN providers d ON d.id = a.prov_id"
        " WHERE stat = 'NOSHOW' AND start_dt LIKE ? GROUP BY prov_code ORDER BY prov_code"
    )
    rows = kept_of(request).all(query, f"{month}%")
    listed = [{"Prov": row["prov_code"], "Count": row["n"]} for row in rows]
    return say(request, "no-shows", {"Month": month, "noshows": listed})


routes = [
    Route("/sched/day/{day}", get_day),
    Route("/sched/slots", get_slots),
    Route("/sched/appt/{id:int}", get_appointment),
    Route("/sched/book", book, methods=["POST"]),
    Route("/sched/appt/{id:int}/move", move, methods=["POST"]),
    Route("/sched/appt/{id:int}/cancel", cancel, methods=["POST"]),
    Route("/reports/no-shows/{year:int}/{month:int}", no_shows),
]

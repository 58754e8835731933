"""How the old clinic reads requests and says its answers, with what is switched wrong in them."""

import copy
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from polyclinic.demo.legacy.door import State
from polyclinic.demo.legacy.faults import FAULTS
from polyclinic.demo.legacy.kept import Json, Kept, stamp


def state_of(request: Request) -> State:
    return request.app.state.clinic


def kept_of(request: Request) -> Kept:
    return state_of(request).kept


def say(request: Request, kind: str, value: Any, status: int = 200) -> Response:
    """The answer, and what the faults that are on make of it."""
    for name in state_of(request).on:
        where, spoil = FAULTS.get(name, ("", None))
        if where == kind and spoil is not None:
            value = spoil(copy.deepcopy(value))
    return JSONResponse(value, status)


def is_on(request: Request, kind: str) -> bool:
    """Whether a fault of this kind is on: `allergy!` loses writes, `patient?` takes another's."""
    return any(FAULTS.get(name, ("", None))[0] == kind for name in state_of(request).on)


def not_found() -> HTTPException:
    return HTTPException(404, "NOT_FOUND")


def bad(what: str) -> HTTPException:
    return HTTPException(400, f"BAD_{what}")


def patient(request: Request, kind: str = "") -> Json:
    """The row of the patient in the address or the query; with a fault on, the next one's."""
    number = request.path_params.get("mrn") or request.query_params.get("mrn", "")
    row = kept_of(request).one("SELECT * FROM patients WHERE mrn = ? AND del_flag = 'N'", number)
    if row is None:
        raise not_found()
    if kind and is_on(request, f"{kind}?"):
        query = "SELECT * FROM patients WHERE id > ? AND del_flag = 'N' ORDER BY id LIMIT 1"
        return kept_of(request).one(query, row["id"]) or row
    return row


async def form(request: Request) -> dict[str, str]:
    """What was typed in, as JSON or as a form."""
    if request.headers.get("content-type", "").startswith("application/json"):
        value = await request.json()
        return {str(name): str(each) for name, each in value.items() if each is not None}
    async with request.form() as given:
        return {name: str(each) for name, each in given.items()}


def noted(request: Request, act: str, mrn: str | None) -> tuple[str, tuple[object, ...]]:
    """The statement that notes who did what."""
    query = "INSERT INTO audit_log (at, usr, act, mrn) VALUES (?, ?, ?, ?)"
    return query, (stamp(), request.scope["user"], act, mrn)


def us_date(text: str | None) -> str | None:
    """`1990-02-28` as `02/28/1990`."""
    if text is None or text.count("-") != 2:
        return text
    year, month, day = text[:10].split("-")
    return f"{month}/{day}/{year}"


def iso_date(text: str) -> str:
    """`02/28/1990` as `1990-02-28`; what has another form is refused."""
    parts = text.split("/")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        raise bad("DATE")
    return f"{parts[2]:0>4}-{parts[0]:0>2}-{parts[1]:0>2}"


def us_moment(text: str) -> str:
    """`2026-12-01 13:15` as `12/01/2026 1:15 PM`."""
    hour = int(text[11:13])
    half = "AM" if hour < 12 else "PM"
    return f"{us_date(text[:10])} {(hour - 1) % 12 + 1}:{text[14:16]} {half}"


def iso_moment(text: str) -> str:
    """`12/01/2026 1:15 PM` as `2026-12-01 13:15`."""
    try:
        day, clock, half = text.split(" ")
        hour, minute = (int(part) for part in clock.split(":"))
    except ValueError as wrong:
        raise bad("TIME") from wrong
    return f"{iso_date(day)} {hour % 12 + (12 if half.upper() == 'PM' else 0):02}:{minute:02}"


def money(amount: float | None) -> str:
    return f"{round(amount or 0, 2):.2f}"

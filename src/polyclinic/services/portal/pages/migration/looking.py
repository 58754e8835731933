"""The overview, differences with their verdicts, data on the move, and what was decided."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, time
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation.errors import Invalid
from polyclinic.services.portal.actions import migration
from polyclinic.services.portal.domain import migration_pictures as pictures
from polyclinic.services.portal.domain import migration_words as words
from polyclinic.services.portal.domain import times
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.gateways.migration import Body
from polyclinic.services.portal.pages.door import form, portal, redirect
from polyclinic.services.portal.pages.migration.reading import (
    REFUSED,
    Errors,
    administrators_only,
    show,
    wrong,
)


@administrators_only
async def get_overview(request: Request, signed: Signed) -> Response:
    at_work = portal(request)
    found = await migration.open_overview(at_work, signed.session)
    picture = pictures.burn_down(found.days, at_work.today())
    return show(request, "overview", signed, found=found, picture=picture)


@administrators_only
async def get_differences(request: Request, signed: Signed) -> Response:
    return await _differences(request, signed)


@administrators_only
async def post_verdict(request: Request, signed: Signed) -> Response:
    given, at_work = await form(request, signed), portal(request)
    name, verdict = given.get("difference", ""), given.get("verdict", "")
    try:
        _known(verdict)
        body: Body = {"verdict": verdict, "note": given.get("note", "")[:2000]}
        if given.get("owner"):
            body["owner"] = given["owner"][:80]
        if given.get("until"):
            body["until"] = _end(given["until"], at_work.settings.time_zone)
        key = f"verdict-{name}-{given.get('turn', '')}"
        await migration.post(at_work, signed.session, key, body, "differences", name, "verdict")
    except (Invalid, *REFUSED) as refused:
        place = f"{'u' if refused.place == 'until' else 'v'}-{name}"
        return await _differences(request, signed, [(place, refused.message)], given)
    return redirect(address(request, done="verdict"))


def _known(verdict: str) -> None:
    if verdict not in words.VERDICTS:
        raise Invalid("Choose what this difference is.", place="verdict")


def _end(text: str, zone: str) -> str:
    """The end of a day, by the clinic's clock."""
    day = times.read_day(text)
    if day is None:
        raise Invalid("Enter the day as it stands in a calendar.", place="until")
    return datetime.combine(day, time(), times.midnight(day, zone).tzinfo).isoformat()


def address(request: Request, **changed: object) -> str:
    """The list as it is looked at now, elsewhere or with a word about what was done."""
    asked: dict[str, object] = {"capability": _capability(request), "after": _after(request)}
    said = {name: str(value) for name, value in {**asked, **changed}.items() if value}
    return f"/move/differences?{urlencode(said)}" if said else "/move/differences"


def _capability(request: Request) -> str:
    return request.query_params.get("capability", "")[:80]


def _after(request: Request) -> int:
    asked = request.query_params.get("after", "")[:6]
    return int(asked) if asked.isascii() and asked.isdecimal() else 0


async def _differences(
    request: Request, signed: Signed, errors: Errors = (), typed: Mapping[str, str] | None = None
) -> Response:
    at_work, which = portal(request), _capability(request)
    shown, rules = await asyncio.gather(
        migration.open_differences(at_work, signed.session, which, _after(request)),
        migration.get(at_work, signed.session, "routes"),
    )
    return show(
        request, "differences", signed, errors, shown=shown, which=which, typed=typed or {},
        capabilities=[rule["capability"] for rule in rules["routes"]],
        to=lambda **changed: address(request, **changed),
    )  # fmt: skip


@administrators_only
async def get_data(request: Request, signed: Signed) -> Response:
    return await _data(request, signed)


@administrators_only
async def post_data(request: Request, signed: Signed) -> Response:
    """Compares both sides now, or gives a pair another direction."""
    given, at_work = await form(request, signed), portal(request)
    system, pair, direction = (given.get(n, "") for n in ("system", "pair", "direction"))
    path, body = ("sources", system, "reconciliations"), Body()
    if pair:
        path, body = ("sources", system, "pairs", pair, "direction"), {"direction": direction}
    try:
        key = f"data-{system}-{pair}-{given.get('turn', '')}"
        await migration.post(at_work, signed.session, key, body, *path)
    except REFUSED as refused:
        return await _data(request, signed, wrong(refused))
    return redirect(f"/move/data?done={'direction' if pair else 'compared'}")


async def _data(request: Request, signed: Signed, errors: Errors = ()) -> Response:
    found = await migration.data(portal(request), signed.session)
    return show(request, "data", signed, errors, found=found)


@administrators_only
async def get_decisions(request: Request, signed: Signed) -> Response:
    before = request.query_params.get("before", "")[:9]
    found = await migration.open_decisions(portal(request), signed.session, before)
    older = found[-1]["number"] if found and found[-1]["number"] > 1 else None
    return show(request, "decisions", signed, found=found, older=older, is_first=not before)

"""The ledger of disclosures at audit's door: written down, kept back for a time, accounted for."""

from datetime import date
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import http
from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.once import Once, Stored, door
from polyclinic.services.audit.actions import disclosing
from polyclinic.services.audit.domain.disclosures import Line, NewDisclosure, NewSuppression
from polyclinic.services.audit.routes.answers import PRIVATE, asker_of, engine_of, query


async def post_disclosure(request: Request) -> Response:
    engine, asker = engine_of(request), await asker_of(request)

    async def act(new: NewDisclosure, key: Once) -> Stored:
        return await disclosing.record(engine, asker, new, key)

    return await door.carry(request, NewDisclosure, act)


async def post_suppression(request: Request) -> Response:
    engine, asker = engine_of(request), await asker_of(request)
    try:
        disclosure = UUID(request.path_params["disclosure"])
    except ValueError as odd:
        raise Invalid("A disclosure's id is a UUID.", place="disclosure") from odd

    async def act(new: NewSuppression, key: Once) -> Stored:
        return await disclosing.suppress(engine, asker, disclosure, new, key)

    return await door.carry(request, NewSuppression, act)


async def post_accounting(request: Request) -> Response:
    """By POST, so that no address names a patient; nothing is changed."""
    engine, asker = engine_of(request), await asker_of(request)
    query(request)
    asked = await http.read(request, dict[str, str])
    for name in asked:
        if name not in ("patient", "from", "to"):
            raise Invalid("An accounting is asked for by patient, from and to.", place=name)
    low, high = _day(asked, "from"), _day(asked, "to")
    patient = asked.get("patient", "")
    found = await disclosing.account_for(engine, asker, patient, low, high)
    value = {"from": found.low, "to": found.high, "lines": [_line(line) for line in found.lines]}
    return http.json(value, headers=PRIVATE)


def _line(line: Line) -> dict[str, Any]:
    first = line.first
    series = {"count": line.count, "last": line.last} if line.count > 1 else None
    return {
        "day": first.day,
        "recipient": first.told.recipient,
        "address": first.told.address,
        "what": first.told.what,
        "resources": first.told.resources,
        "purpose": first.told.purpose,
        "basis": first.basis,
        "made_by": first.made_by,
        "protocol": first.protocol,
        "series": series,
    }


def _day(asked: dict[str, str], name: str) -> date | None:
    try:
        return date.fromisoformat(asked[name]) if name in asked else None
    except ValueError as odd:
        raise Invalid(f"{name} is a day, YYYY-MM-DD.", place=name) from odd


disclosure_routes = (
    Route("/audit/disclosures", post_disclosure, methods=["POST"]),
    Route("/audit/disclosures/{disclosure}/suppress", post_suppression, methods=["POST"]),
    Route("/audit/accounting", post_accounting, methods=["POST"]),
)

"""The worklist, what is decided about its lines, and what became of them."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import http
from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.insights.actions import deciding, listing
from polyclinic.services.insights.actions.deciding import HoldOut, NoLine
from polyclinic.services.insights.actions.state import Asker, Engine
from polyclinic.services.insights.domain.worklist import OUTCOMES, REASONS, Decision
from polyclinic.services.insights.routes.answers import (
    PRIVATE,
    asker_of,
    engine_of,
    once,
    query,
)


async def get_worklist(request: Request) -> Response:
    """Whom to help first, of those whom the caller cares for."""
    found = await listing.listed(engine_of(request), await asker_of(request))
    return http.json({**found, "reasons": REASONS, "outcomes": OUTCOMES}, headers=PRIVATE)


async def post_decision(request: Request) -> Response:
    """Accept, snooze, dismiss with a reason, done with an outcome, or open again."""

    async def act(engine: Engine, asker: Asker, asked: Decision, key: Once) -> Stored:
        return await deciding.decide(engine, asker, asked, key)

    return await once(request, Decision, act)


async def get_history(request: Request) -> Response:
    """What was decided about a line."""
    try:
        assessment = UUID(request.path_params["assessment"])
    except ValueError:
        raise NoLine(place="assessment") from None
    asker = await asker_of(request)
    return http.json(await deciding.history(engine_of(request), asker, assessment), headers=PRIVATE)


async def get_outcomes(request: Request) -> Response:
    """`days` (90): what was decided and shown, counted."""
    text = query(request, "days").get("days", "90")
    if not (text.isascii() and text.isdecimal() and len(text) < 5):
        raise Invalid("A number of days.", place="days")
    asker = await asker_of(request)
    return http.json(await deciding.outcomes(engine_of(request), asker, int(text)))


async def get_hold_out(request: Request) -> Response:
    return http.json(await deciding.hold_outs(engine_of(request), await asker_of(request)))


async def post_hold_out(request: Request) -> Response:
    async def act(engine: Engine, asker: Asker, asked: HoldOut, key: Once) -> Stored:
        return await deciding.set_hold_out(engine, asker, asked, key)

    return await once(request, HoldOut, act)


worklist_routes = (
    Route("/insights/worklist", get_worklist, methods=["GET"]),
    Route("/insights/worklist/decisions", post_decision, methods=["POST"]),
    Route("/insights/worklist/{assessment}", get_history, methods=["GET"]),
    Route("/insights/outcomes", get_outcomes, methods=["GET"]),
    Route("/insights/hold-out", get_hold_out, methods=["GET"]),
    Route("/insights/hold-out", post_hold_out, methods=["POST"]),
)

"""What waits to be scored and what is parked, for who runs the service."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import http
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.insights.actions import waiting
from polyclinic.services.insights.actions.state import Asker, Engine
from polyclinic.services.insights.actions.waiting import Parked
from polyclinic.services.insights.routes.answers import PRIVATE, asker_of, engine_of, once


async def get_waiting(request: Request) -> Response:
    """How much waits and since when; what is parked with its reason: ids, never contents."""
    asker = await asker_of(request)
    return http.json(await waiting.shown(engine_of(request), asker), headers=PRIVATE)


async def post_again(request: Request) -> Response:
    """`{"name": "Observation/…"}`: one that is parked is tried once more."""

    async def act(engine: Engine, asker: Asker, asked: Parked, key: Once) -> Stored:
        return await waiting.again(engine, asker, asked, key)

    return await once(request, Parked, act)


waiting_routes = (
    Route("/insights/waiting", get_waiting, methods=["GET"]),
    Route("/insights/waiting/again", post_again, methods=["POST"]),
)

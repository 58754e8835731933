"""The risk panel of a chart, its release to the patient, and what the patient reads."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import http
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.insights.actions import charting
from polyclinic.services.insights.actions.charting import Asked, Release
from polyclinic.services.insights.actions.state import Asker, Engine
from polyclinic.services.insights.routes.answers import PRIVATE, asker_of, engine_of, once


async def post_chart(request: Request) -> Response:
    """`{"patient"}`: all that can be said of this chart now. It changes nothing."""
    asker = await asker_of(request)
    asked = await http.read(request, Asked)
    return http.json(await charting.show(engine_of(request), asker, asked), headers=PRIVATE)


async def post_release(request: Request) -> Response:
    """`{"assessment"}`: the patient may read it; with `withdraw` no longer."""

    async def act(engine: Engine, asker: Asker, asked: Release, key: Once) -> Stored:
        return await charting.release(engine, asker, asked, key)

    return await once(request, Release, act)


async def get_mine(request: Request) -> Response:
    """What was released to whoever asks."""
    found = await charting.mine(engine_of(request), await asker_of(request))
    return http.json(found, headers=PRIVATE)


chart_routes = (
    Route("/insights/chart", post_chart, methods=["POST"]),
    Route("/insights/release", post_release, methods=["POST"]),
    Route("/insights/mine", get_mine, methods=["GET"]),
)

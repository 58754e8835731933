"""Systems that hear HL7 v2, at /integration/destinations: for administrators and operators."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import http
from polyclinic.services.integration.actions import speaking
from polyclinic.services.integration.routes import webhooks
from polyclinic.services.integration.routes.answers import engine_of


async def post_system(request: Request) -> Response:
    caller = await webhooks.administrator(request)
    asked = await http.read(request, speaking.NewSystem, 64 * 1024)
    return http.json(await speaking.create(engine_of(request), caller, asked), 201)


async def get_systems(request: Request) -> Response:
    await webhooks.administrator(request)
    return http.json({"destinations": await speaking.listed(engine_of(request))})


async def get_system(request: Request) -> Response:
    await webhooks.administrator(request)
    name = webhooks.an_id(request)
    return http.json(await speaking.shown(engine_of(request), name))


_BASE = "/integration/destinations"
_ONE = f"{_BASE}/{{webhook}}"
system_routes = (
    Route(_BASE, post_system, methods=["POST"]),
    Route(_BASE, get_systems),
    Route(_ONE, get_system),
    *webhooks.common_routes(_ONE),
)

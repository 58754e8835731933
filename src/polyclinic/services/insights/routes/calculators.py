"""The open API of the calculators: published formulas, for values that the caller states."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import http
from polyclinic.services.insights.actions import calculating
from polyclinic.services.insights.actions.calculating import Stated
from polyclinic.services.insights.routes.answers import PRIVATE


async def get_calculators(_: Request) -> Response:
    return http.json(calculating.listed())


async def get_calculator(request: Request) -> Response:
    name = request.path_params["calculator"]
    return http.json(calculating.described(calculating.need(name)))


async def post_calculator(request: Request) -> Response:
    """`{"inputs": {"creatinine": {"value": 0.9, "unit": "mg/dL"}, "sex": "female", …}}`."""
    await http.caller(request)
    stated = await http.read(request, Stated, 64 * 1024)
    name = request.path_params["calculator"]
    return http.json(calculating.computed(name, stated), headers=PRIVATE)


calculator_routes = (
    Route("/insights/calculators", get_calculators, methods=["GET"]),
    Route("/insights/calculators/{calculator}", get_calculator, methods=["GET"]),
    Route("/insights/calculators/{calculator}", post_calculator, methods=["POST"]),
)

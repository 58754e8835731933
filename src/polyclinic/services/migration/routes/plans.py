"""The plan at the door: scores, waves and gates; inputs are put, and gates are said to stand."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import http
from polyclinic.foundation.errors import Invalid
from polyclinic.services.migration.actions import planning
from polyclinic.services.migration.actions.planning import GateAsk, Standing
from polyclinic.services.migration.domain.plan import Inputs, may_go_live
from polyclinic.services.migration.routes.answers import administrator, passage_of


async def get_plan(request: Request) -> Response:
    await administrator(request, "r")
    standing = await planning.current(passage_of(request), request.path_params["name"])
    return _shown(standing)


async def put_plan(request: Request) -> Response:
    """Other inputs; `If-Match: "3"` refuses them when somebody was quicker."""
    caller = await administrator(request, "u")
    inputs = await http.read(request, Inputs)
    name, passage = request.path_params["name"], passage_of(request)
    version = _version(request.headers.get("if-match"))
    return _shown(await planning.change(passage, caller.subject, name, inputs, version))


async def get_waves(request: Request) -> Response:
    """Only the waves, and for each step what still stands in the way of going live."""
    await administrator(request, "r")
    standing = await planning.current(passage_of(request), request.path_params["name"])
    plan = standing.plan
    steps = [step.capability for wave in plan.waves for step in wave.steps]
    in_the_way = {name: may_go_live(plan, name) for name in steps}
    return http.json({"waves": plan.waves, "in_the_way": in_the_way})


async def put_gate(request: Request) -> Response:
    caller = await administrator(request, "u")
    ask = await http.read(request, GateAsk)
    asked = request.path_params
    place = (asked["capability"], asked["gate"])
    await planning.say(passage_of(request), caller, asked["name"], place, ask)
    return http.json({"gate": place[1], "state": ask.state})


def _shown(standing: Standing) -> Response:
    value = {"version": standing.version, "plan": standing.plan}
    return http.json(value, headers={"etag": f'"{standing.version}"'})


def _version(given: str | None) -> int | None:
    if given is None:
        return None
    plain = given.strip().strip('"')
    if not (plain.isascii() and plain.isdecimal() and len(plain) < 9):
        raise Invalid("The version as it was given out.", place="If-Match")
    return int(plain)


_ONE = "/migration/inventories/{name}"
plan_routes = (
    Route(f"{_ONE}/plan", get_plan),
    Route(f"{_ONE}/plan", put_plan, methods=["PUT"]),
    Route(f"{_ONE}/waves", get_waves),
    Route(f"{_ONE}/gates/{{capability}}/{{gate}}", put_gate, methods=["PUT"]),
)

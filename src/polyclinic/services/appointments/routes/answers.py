"""How the JSON door answers, refusals included."""

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation import http, telemetry
from polyclinic.foundation.errors import Problem


def refusal(problem: Problem) -> dict[str, object]:
    """A refusal as JSON: the kind, a sentence, where, and all that is wrong."""
    value: dict[str, object] = {
        "error": problem.code,
        "error_description": problem.message,
        "place": problem.place,
        "request": telemetry.request_id.get(),
    }
    if len(problem.issues) > 1 or (problem.issues and problem.issues[0].text != problem.message):
        value["issues"] = [{"place": i.place, "text": i.text} for i in problem.issues]
    return value


async def show_problem(_: Request, problem: Problem, status: int) -> Response:
    return http.json(refusal(problem), status, http.headers_of(problem))

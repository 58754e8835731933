"""What was decided, and whether the chain of it is whole."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import http
from polyclinic.services.migration.actions import deciding
from polyclinic.services.migration.domain.decisions import Decision
from polyclinic.services.migration.routes.answers import administrator, number, passage_of

PAGE = 200


async def get_decisions(request: Request) -> Response:
    """From the first on: `subject`, `after` (a number), `limit`."""
    await administrator(request, "r")
    asked = request.query_params.get("subject")
    limit = number(request, "limit", PAGE, PAGE)
    after = number(request, "after", 0, 10**9 - 1)
    found = await deciding.made(passage_of(request), asked, after, limit)
    return http.json({"decisions": [shown(each) for each in found]})


def shown(decision: Decision) -> dict[str, Any]:
    return {
        "number": decision.number,
        "at": decision.at,
        "author": decision.author,
        "kind": decision.kind,
        "subject": decision.subject,
        "text": decision.text,
        "value": msgspec.Raw(decision.document),
        "digest": decision.digest.hex(),
    }


decision_routes = (Route("/migration/decisions", get_decisions),)

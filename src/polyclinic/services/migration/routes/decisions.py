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
    """From the first on, or with `newest=true` from the last: `subject`, `limit`, and where a
    page begins, `after` or `before` (numbers)."""
    await administrator(request, "r")
    asked = request.query_params.get("subject")
    limit = number(request, "limit", PAGE, PAGE)
    passage, last = passage_of(request), 10**9 - 1
    if request.query_params.get("newest") == "true":
        before = number(request, "before", last, last)
        found = await deciding.newest(passage, asked, before, limit)
    else:
        found = await deciding.made(passage, asked, number(request, "after", 0, last), limit)
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

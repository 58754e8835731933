"""Spreadsheets of patients, handed in over HTTP: what is wrong is told by line and column."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import http
from polyclinic.foundation.errors import Invalid
from polyclinic.services.integration.actions import sheets
from polyclinic.services.integration.routes.answers import asker_of, engine_of, query


async def post_sheet(request: Request) -> Response:
    """The body is CSV or a workbook; `dry_run=true` checks everything and keeps nothing."""
    given = query(request, "dry_run").get("dry_run", "false")
    if given not in ("true", "false"):
        raise Invalid("dry_run is true or false.", place="dry_run")
    engine, asker = engine_of(request), await asker_of(request)
    content = await http.body(request, engine.settings.message_bytes)
    name = request.path_params["channel"]
    report = await sheets.take(engine, asker, name, content, dry_run=given == "true")
    return http.json(sheets.as_value(report), headers={"cache-control": "private, no-store"})


sheet_routes = (Route("/integration/channels/{channel}/sheets", post_sheet, methods=["POST"]),)

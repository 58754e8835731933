"""Fee schedules at billing's door."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import http
from polyclinic.services.billing.actions import fees
from polyclinic.services.billing.actions.fees import ScheduleBody
from polyclinic.services.billing.domain.fees import Schedule
from polyclinic.services.billing.routes import reading
from polyclinic.services.billing.routes.answers import asker_of, books_of, once


async def post_schedule(request: Request) -> Response:
    return await once(request, ScheduleBody, fees.import_schedule)


async def get_schedules(request: Request) -> Response:
    found = await fees.listed(books_of(request), await asker_of(request))
    return http.json({"schedules": [_shown(each) for each in found]})


async def get_schedule(request: Request) -> Response:
    name = reading.uuid_of(request, "schedule")
    schedule, listed = await fees.one(books_of(request), await asker_of(request), name)
    return http.json({**_shown(schedule), "fees": listed})


def _shown(each: Schedule) -> dict[str, object]:
    return {
        "id": each.id,
        "name": each.name,
        "payer": each.payer,
        "from_day": each.from_day,
        "until_day": each.until_day,
        "currency": each.currency,
    }


fee_routes = (
    Route("/billing/fee-schedules", get_schedules, methods=["GET"]),
    Route("/billing/fee-schedules", post_schedule, methods=["POST"]),
    Route("/billing/fee-schedules/{schedule}", get_schedule, methods=["GET"]),
)

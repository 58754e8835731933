"""The work queues' door."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import clock, http
from polyclinic.foundation.once import Nothing, Once, Stored
from polyclinic.services.billing.actions import queues
from polyclinic.services.billing.actions.queues import Filter, Outcome
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain.work import Waiting
from polyclinic.services.billing.routes import reading
from polyclinic.services.billing.routes.answers import asker_of, books_of, once


async def get_work(request: Request) -> Response:
    """`queue`, `after` (the `next` of the former page), `limit`, `mine=true`, `subject`."""
    given = reading.query(request, "queue", "after", "limit", "mine", "subject")
    after = given.get("after")
    wanted = Filter(
        given.get("queue"),
        reading.identifier(after, "after") if after else None,
        reading.number(given.get("limit", str(queues.PAGE)), "limit"),
        given.get("mine") == "true",
        given.get("subject"),
    )
    books = books_of(request)
    page = await queues.page(books, await asker_of(request), wanted)
    value = {
        "items": [_shown(each) for each in page.items],
        "counts": page.counts,
        "totals": page.totals,
        "currency": books.settings.currency,
        "next": page.following,
    }
    return http.json(value)


def _shown(each: Waiting) -> dict[str, object]:
    item = each.item
    return {
        "id": each.id,
        "queue": item.queue,
        "subject": item.subject,
        "patient": item.patient,
        "payer": item.payer,
        "amount": item.amount,
        "code": item.code,
        "owner": each.owner,
        "due": item.due,
        "made": each.made,
        "age_days": (clock.now() - each.made).days,
    }


async def post_take(request: Request) -> Response:
    item = reading.uuid_of(request, "item")

    async def act(books: Books, asker: Asker, _: Nothing, key: Once) -> Stored:
        return await queues.take(books, asker, item, key)

    return await once(request, Nothing, act)


async def post_release(request: Request) -> Response:
    item = reading.uuid_of(request, "item")

    async def act(books: Books, asker: Asker, _: Nothing, key: Once) -> Stored:
        return await queues.release(books, asker, item, key)

    return await once(request, Nothing, act)


async def post_done(request: Request) -> Response:
    item = reading.uuid_of(request, "item")

    async def act(books: Books, asker: Asker, asked: Outcome, key: Once) -> Stored:
        return await queues.done(books, asker, item, asked, key)

    return await once(request, Outcome, act)


work_routes = (
    Route("/billing/work", get_work, methods=["GET"]),
    Route("/billing/work/{item}/take", post_take, methods=["POST"]),
    Route("/billing/work/{item}/release", post_release, methods=["POST"]),
    Route("/billing/work/{item}/done", post_done, methods=["POST"]),
)

"""What tests and the demo may do to the gateway: move its clock, dispute, break, read its mail."""

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from polyclinic.demo.cards import paying
from polyclinic.demo.cards.answers import Refused, kept_of
from polyclinic.demo.cards.told import signature


async def post_clock(request: Request) -> Response:
    """`{"seconds": n}`: so much later; what is due by then comes about."""
    kept = kept_of(request)
    kept.go_ahead(int((await request.json())["seconds"]))
    paying.settle_due(kept)
    return JSONResponse({"now": kept.now()})


async def post_trouble(request: Request) -> Response:
    """`{"next": ["lost before", "hang after", ""]}`: what befalls the next POSTs."""
    kept_of(request).trouble[:] = (await request.json())["next"]
    return JSONResponse({})


async def get_trouble(request: Request) -> Response:
    """What has not befallen anybody yet."""
    return JSONResponse({"next": kept_of(request).trouble})


async def post_dispute(request: Request) -> Response:
    """`{"payment_intent": …, "amount": …}` opens one, `{"dispute": …, "status": …}` ends it."""
    kept, asked = kept_of(request), await request.json()
    with kept.whole():
        if "dispute" in asked:
            found = kept.find("dispute", asked["dispute"])
            if found is None:
                raise Refused("resource_missing", 404)
            return JSONResponse(paying.close_dispute(kept, found, asked["status"]))
        intent = kept.find("payment_intent", asked["payment_intent"])
        if intent is None:
            raise Refused("resource_missing", 404)
        return JSONResponse(paying.dispute(kept, intent, asked["amount"]))


async def post_refund(request: Request) -> Response:
    """A refund that somebody makes at the gateway itself, past the clinic's books."""
    kept, asked = kept_of(request), await request.json()
    with kept.whole():
        intent = kept.find("payment_intent", asked["payment_intent"])
        if intent is None:
            raise Refused("resource_missing", 404)
        return JSONResponse(paying.give_back(kept, intent, asked["amount"], {}))


async def get_events(request: Request) -> Response:
    """Every event so far as it would be delivered now."""
    kept = kept_of(request)
    paying.settle_due(kept)
    return JSONResponse(
        [
            {
                "id": name,
                "type": msgspec.json.decode(payload)["type"],
                "payload": payload.decode(),
                "signature": signature(kept, payload),
            }
            for name, payload in kept.events()
        ]
    )


async def get_objects(request: Request) -> Response:
    """All that there is of a kind, for comparing it with the clinic's ledger."""
    return JSONResponse(kept_of(request).all(request.path_params["kind"]))


routes = [
    Route("/control/clock", post_clock, methods=["POST"]),
    Route("/control/trouble", post_trouble, methods=["POST"]),
    Route("/control/trouble", get_trouble),
    Route("/control/disputes", post_dispute, methods=["POST"]),
    Route("/control/refunds", post_refund, methods=["POST"]),
    Route("/control/events", get_events),
    Route("/control/objects/{kind}", get_objects),
]

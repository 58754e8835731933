"""A card gateway of our own, for the demo and for tests: Stripe's shape, no money, no network.

Checkout sessions with a hosted page, PaymentIntents, refunds, disputes, idempotency keys, a 3-D
Secure step, declines, debits that settle later, and signed webhooks that can come twice, late and
out of order. It keeps everything in one SQLite file, so it outlives whoever asks it.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from polyclinic.demo.cards import answers, control, hosted
from polyclinic.demo.cards.kept import Kept, Settings
from polyclinic.demo.cards.told import telling
from polyclinic.foundation import html

__all__ = ["Settings", "card_gateway"]


def card_gateway(settings: Settings) -> Starlette:
    """The gateway as an app of its own; it sends webhooks by itself while its lifespan runs."""
    kept = Kept(settings)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None, None]:
        async with telling(kept):
            yield
        kept.close()

    static = html.static_routes("/static", "polyclinic.demo.cards")
    routes = [*answers.routes, *hosted.routes, *control.routes, *static]
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers=answers.refusals)
    app.state.kept = kept
    return app

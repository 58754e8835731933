"""Webhooks: signed as Stripe signs them, sent until they are confirmed."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx

from polyclinic.demo.cards.kept import Kept
from polyclinic.demo.cards.paying import settle_due
from polyclinic.foundation import clock
from polyclinic.foundation.work import meanwhile

EVERY_SECONDS = 0.2


def signature(kept: Kept, payload: bytes) -> str:
    """By the true clock: however far the gateway's own is moved, the post is of today."""
    now = str(int(clock.now().timestamp()))
    secret = kept.settings.secret.encode()
    mark = hmac.new(secret, now.encode() + b"." + payload, hashlib.sha256).hexdigest()
    return f"t={now},v1={mark}"


async def send(kept: Kept, client: httpx.AsyncClient, name: str, payload: bytes) -> bool:
    """One delivery; True when it was confirmed."""
    headers = {"stripe-signature": signature(kept, payload), "content-type": "application/json"}
    try:
        answer = await client.post(kept.settings.hook or "", content=payload, headers=headers)
    except httpx.HTTPError:
        kept.later(name)
        return False
    if not answer.is_success:
        kept.later(name)
        return False
    kept.heard(name)
    return True


@asynccontextmanager
async def telling(kept: Kept) -> AsyncGenerator[None, None]:
    """Sends what is due, while there is somebody to send it to."""
    if kept.settings.hook is None:
        yield
        return
    async with (
        httpx.AsyncClient(timeout=10, trust_env=False) as client,
        meanwhile(_forever(kept, client)),
    ):
        yield


async def _forever(kept: Kept, client: httpx.AsyncClient) -> None:
    while True:
        settle_due(kept)
        for name, payload in kept.untold():
            await send(kept, client, name, payload)
        await asyncio.sleep(EVERY_SECONDS)

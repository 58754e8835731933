"""What is passed on: a request that nobody waits for any more keeps no connection behind it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest

from polyclinic.foundation.passing import Gone, Upload, asked


class Body(httpx.AsyncByteStream):
    is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"a chart"

    async def aclose(self) -> None:
        self.is_closed = True


class Behind(httpx.AsyncBaseTransport):
    """A server that answers when it is let; it may not hear that nobody waits."""

    def __init__(self, *, is_deaf: bool = False) -> None:
        self.body, self.may_answer, self.is_deaf = Body(), asyncio.Event(), is_deaf

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        with contextlib.suppress(*([asyncio.CancelledError] if self.is_deaf else [])):
            await self.may_answer.wait()
        return httpx.Response(200, stream=self.body, request=request)


class Sender:
    """Whoever sent the request, until they leave."""

    def __init__(self) -> None:
        self.left = asyncio.Event()

    def upload(self) -> Upload:
        made = Upload(self._receive)
        made.no_body()
        return made

    async def _receive(self) -> dict[str, str]:
        await self.left.wait()
        return {"type": "http.disconnect"}


async def test_an_answer_in_the_moment_of_a_cancellation_is_closed():
    behind, sender = Behind(), Sender()
    asking = asyncio.create_task(asked(behind, httpx.Request("GET", "http://x"), sender.upload()))
    await asyncio.sleep(0.01)
    behind.may_answer.set()
    await asyncio.sleep(0)  # it answers now, and whoever asked does not know yet
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert behind.body.is_closed


async def test_an_answer_after_its_sender_left_is_closed():
    behind, sender = Behind(is_deaf=True), Sender()
    asking = asyncio.create_task(asked(behind, httpx.Request("GET", "http://x"), sender.upload()))
    await asyncio.sleep(0.01)
    sender.left.set()
    with pytest.raises(Gone):
        await asking
    assert behind.body.is_closed

"""Connections to one other server: as the bytes came, once, and with one way to fail."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from polyclinic.foundation.wire import Wire

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
QUICK = {"connect": 1.0, "read": 0.3, "write": 0.3, "pool": 1.0}


@asynccontextmanager
async def server(behave) -> AsyncIterator[str]:
    tasks: set[asyncio.Task] = set()

    async def serve(reader, writer):
        tasks.add(asyncio.current_task())
        try:
            with contextlib.suppress(
                asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError
            ):
                await behave(reader, writer)
        finally:
            writer.transport.abort()

    opened = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{opened.sockets[0].getsockname()[1]}"
    finally:
        opened.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def wire():
    made = Wire(8)
    yield made
    await made.aclose()


def request(method: str, url: str, target: bytes = b"/", **more) -> httpx.Request:
    extensions = {"target": target, "timeout": QUICK}
    return httpx.Request(method, url, extensions=extensions, **more)


async def read(wire: Wire, asked: httpx.Request) -> tuple[int, bytes]:
    answer = await wire.handle_async_request(asked)
    try:
        return answer.status_code, b"".join([part async for part in answer.aiter_raw()])
    finally:
        await answer.aclose()


async def test_an_address_and_its_headers_arrive_as_they_were_written(wire):
    heads: list[bytes] = []

    async def behave(reader, writer):
        while head := await reader.readuntil(b"\r\n\r\n"):
            heads.append(head)
            writer.write(OK)

    async with server(behave) as url:
        for target in (b"/a/../b%2Fc//d?q=%20+&&x", b"//elsewhere.example/x"):
            await read(wire, request("GET", url, target))
            assert heads[-1].startswith(b"GET " + target + b" HTTP/1.1\r\n")
        for value in (b"caf\xe9", "café".encode(), b'W/"3"'):
            await read(wire, request("GET", url, headers=[(b"x-as-it-is", value)]))
            assert b"\r\nx-as-it-is: " + value + b"\r\n" in heads[-1]


async def test_a_change_on_a_connection_that_breaks_is_not_sent_again(wire):
    heads: list[bytes] = []

    async def behave(reader, writer):
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    async with server(behave) as url:
        assert await read(wire, request("GET", url)) == (200, b"ok")
        with pytest.raises(httpx.TransportError):
            await read(wire, request("PUT", url, content=b"dose"))
    assert [head.split()[0] for head in heads] == [b"GET", b"PUT"]


async def test_an_answer_stays_compressed_and_a_redirect_is_an_answer(wire):
    async def behave(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-encoding: gzip\r\n"
            b"content-length: 4\r\n\r\n\x1f\x8b\x08\x00"
        )

    async with server(behave) as url:
        assert await read(wire, request("GET", url)) == (302, b"\x1f\x8b\x08\x00")


async def test_who_answers_late_who_does_not_listen_and_who_hangs_up_are_told_apart(wire):
    async def late(reader, _writer):
        await reader.read()

    async def hang_up(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with server(late) as url:
        with pytest.raises(httpx.ReadTimeout):
            await read(wire, request("GET", url))
    with pytest.raises(httpx.ConnectError):
        await read(wire, request("GET", url))
    async with server(hang_up) as url:
        with pytest.raises(httpx.RemoteProtocolError):
            await read(wire, request("GET", url))


async def test_a_server_that_does_not_take_the_body_is_not_waited_for(wire):
    async def deaf(_reader, writer):
        await asyncio.sleep(20)
        writer.close()

    async def parts():
        for _ in range(400):
            yield b"x" * 65536

    async with server(deaf) as url:
        for content in (parts(), b"x" * 26_000_000):
            with pytest.raises(httpx.TimeoutException):
                await asyncio.wait_for(read(wire, request("POST", url, content=content)), 10)


async def test_what_breaks_in_the_body_itself_is_said_as_it_was(wire):
    async def behave(reader, _writer):
        await reader.read()

    async def parts():
        yield b"half"
        raise LookupError("the sender left")

    async with server(behave) as url:
        with pytest.raises(LookupError, match="the sender left"):
            await read(wire, request("POST", url, content=parts()))

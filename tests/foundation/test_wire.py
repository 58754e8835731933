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


STRAY = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nsomebody's"


@pytest.mark.parametrize(
    "more",
    [STRAY, b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\r\n", b"no HTTP at all"],
    ids=["a whole answer", "an end that is announced", "something else"],
)
@pytest.mark.parametrize("pause", [0.0, 0.05], ids=["unread", "read"])
async def test_what_a_server_says_unasked_is_never_the_answer_to_the_next_question(
    wire, more, pause
):
    """One answer too many once went to whoever asked next: it was another patient's."""
    told = asyncio.Event()

    async def behave(reader, writer):
        while head := await reader.readuntil(b"\r\n\r\n"):
            writer.write(OK[:-2] + head.split()[1][1:])
            if not told.is_set():
                await asyncio.sleep(0.01)
                writer.write(more)
                told.set()

    async with server(behave) as url:
        assert await read(wire, request("GET", url, b"/p1")) == (200, b"p1")
        await told.wait()
        await asyncio.sleep(pause)
        for name in (b"p2", b"p3"):
            assert await read(wire, request("GET", url, b"/" + name)) == (200, name)


EDGES = {
    "head": (b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n", 200, b""),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    "304": (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 900\r\n\r\n", 304, b""),
    "103": (b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + OK, 200, b"ok"),
    "trailers": (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;e=1\r\nok\r\n0\r\nx-t: y\r\n\r\n",
        200,
        b"ok",
    ),
    "empty chunks": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 200, b""),
    "close": (b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok", 200, b"ok"),
    "one too many": (OK + STRAY, 200, b"ok"),
}


@pytest.mark.parametrize("edge", EDGES)
async def test_after_an_answer_of_any_kind_the_next_one_is_its_own(wire, edge):
    said, status, body = EDGES[edge]

    async def behave(reader, writer):
        while head := await reader.readuntil(b"\r\n\r\n"):
            if head.split()[1] == b"/next":
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnext")
            else:
                writer.write(said)
                if edge == "close":
                    writer.close()

    async with server(behave) as url:
        for _ in range(3):
            method = "HEAD" if edge == "head" else "GET"
            assert await read(wire, request(method, url)) == (status, body)
            assert await read(wire, request("GET", url, b"/next")) == (200, b"next")


@pytest.mark.parametrize("size", [60_000, 131_073, 262_144, 1_000_000])
async def test_an_answer_that_nobody_reads_to_its_end_holds_up_no_other(size):
    """Reading is paused while an answer waits: whoever asks next must not wait with it."""
    wire = Wire(1)

    async def behave(reader, writer):
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size)
            await writer.drain()

    async with server(behave) as url:
        for parts in (0, 1, 0, 1):
            answer = await wire.handle_async_request(request("GET", url))
            if parts:
                async for _ in answer.aiter_raw():
                    break
            await asyncio.sleep(0.02)
            await answer.aclose()
            assert await read(wire, request("GET", url)) == (200, b"x" * size)
    await wire.aclose()


async def test_a_question_that_is_given_up_leaves_its_place_to_the_next(wire):
    wire = Wire(1)
    held = asyncio.Event()

    async def behave(reader, writer):
        while head := await reader.readuntil(b"\r\n\r\n"):
            if head.split()[1] == b"/slow":
                await held.wait()
            writer.write(OK[:-2] + head.split()[1][1:3])

    async with server(behave) as url:
        for _ in range(3):
            asking = asyncio.create_task(read(wire, request("GET", url, b"/slow")))
            await asyncio.sleep(0.03)
            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asking
            assert await read(wire, request("GET", url, b"/p2")) == (200, b"p2")
    await wire.aclose()

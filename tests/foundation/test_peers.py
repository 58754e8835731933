"""Whom a service can ask: in memory or by address, with one way to fail."""

import asyncio
import socket

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from polyclinic.foundation import telemetry
from polyclinic.foundation.errors import Invalid, Unavailable
from polyclinic.foundation.peers import Absent, Peers, parse


async def echo(request: Request) -> Response:
    return JSONResponse(
        {"request": request.headers.get("x-request-id"), "host": request.url.hostname}
    )


async def broken(_: Request) -> Response:
    raise ValueError("a fault")


@pytest.fixture
async def peers():
    made = Peers()
    made.add_local("records", Starlette(routes=[Route("/echo", echo), Route("/broken", broken)]))
    yield made
    await made.close()


async def test_a_peer_in_this_process_answers_and_learns_the_request_id(peers):
    token = telemetry.request_id.set("0123-4567")
    answer = await peers.send("records", "GET", "/echo")
    telemetry.request_id.reset(token)
    assert answer.json() == {"request": "0123-4567", "host": "records.internal"}


async def test_a_fault_of_a_peer_is_its_answer_and_not_our_exception(peers):
    assert (await peers.send("records", "GET", "/broken")).status_code == 500


async def test_a_peer_that_is_not_installed_is_named(peers):
    with pytest.raises(Absent, match="billing") as caught:
        await peers.send("billing", "GET", "/")
    assert caught.value.place == "billing"


async def test_a_peer_that_does_not_listen_is_unavailable_and_named(peers):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        peers.add_remote("portal", f"http://127.0.0.1:{taken.getsockname()[1]}/")
        with pytest.raises(Unavailable, match="portal service does not answer") as caught:
            await peers.send("portal", "GET", "/")
    assert caught.value.place == "portal"


async def test_a_peer_that_breaks_off_is_unavailable(peers):
    async def hang_up(_, writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        peers.add_remote("portal", f"http://127.0.0.1:{port}")
        with pytest.raises(Unavailable):
            await peers.send("portal", "GET", "/")


def test_addresses_are_read_as_name_and_url():
    assert parse("") == {}
    assert parse("a=http://x:1, b=https://y/z?q=1,") == {"a": "http://x:1", "b": "https://y/z?q=1"}
    for bad in ("a", "a=", "a=ftp://x", "http://x", "a=http://x,b"):
        with pytest.raises(Invalid) as caught:
            parse(bad)
        assert caught.value.place == "POLYCLINIC_PEERS"

"""The proxy alone, before a peer that behaves as badly as peers sometimes do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest

from polyclinic.assembly.edge import Edge
from polyclinic.assembly.hop import HEADER, Hops
from polyclinic.assembly.services import SERVICES
from polyclinic.foundation.peers import Peers

KEY = b"k" * 32
Behave = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n"


@dataclass
class Asked:
    """One request to the door and all that came back."""

    sent: list[dict] = field(default_factory=list)

    @property
    def status(self) -> int:
        return self.sent[0]["status"]

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return self.sent[0]["headers"]

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])

    @property
    def is_whole(self) -> bool:
        last = self.sent[-1] if self.sent else {"type": ""}
        return last["type"] == "http.response.body" and not last.get("more_body", False)


@asynccontextmanager
async def door_before(behave: Behave) -> AsyncIterator[Edge]:
    server = await asyncio.start_server(behave, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    peers = Peers()
    peers.add_remote("records", f"http://127.0.0.1:{port}")
    try:
        yield Edge({}, peers, SERVICES, Hops(KEY))
    finally:
        await peers.close()
        server.close()
        await server.wait_closed()


def scope(method: str = "GET", path: str = "/fhir/Patient", *headers: tuple[bytes, bytes]) -> dict:
    return {
        "type": "http",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "client": ("203.0.113.9", "4711"),
        "headers": [(b"host", b"clinic.example"), *headers],
    }


async def ask(
    edge: Edge,
    given: dict,
    *messages: dict,
    then: asyncio.Event | None = None,
    into: Asked | None = None,
) -> Asked:
    coming = list(messages or ({"type": "http.request", "body": b"", "more_body": False},))
    asked = into or Asked()

    async def receive() -> dict:
        if coming:
            return coming.pop(0)
        await (then or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def send(message: dict) -> None:
        asked.sent.append(message)

    await edge(given, receive, send)
    return asked


async def read_head(reader: asyncio.StreamReader) -> list[bytes]:
    return (await reader.readuntil(b"\r\n\r\n")).strip().split(b"\r\n")


async def test_what_belongs_to_one_connection_is_not_passed_on_and_the_rest_is():
    heads: list[list[bytes]] = []

    async def behave(reader, writer):
        heads.append(await read_head(reader))
        writer.write(
            OK + b"keep-alive: 5\r\nconnection: x-mine\r\nx-mine: 1\r\nx-kept: 2\r\n\r\nok"
        )
        writer.close()

    sent = [
        (b"connection", b"keep-alive, X-Private"),
        (b"keep-alive", b"5"),
        (b"x-private", b"1"),
        (b"te", b"trailers"),
        (b"upgrade", b"h2c"),
        (b"proxy-authorization", b"Basic eA=="),
        (b"authorization", b"Bearer kept"),
        (b"x-forwarded-for", b"198.51.100.1"),
        (b"x-forwarded-host", b"evil.example"),
        (b"forwarded", b"host=evil.example"),
    ]
    async with door_before(behave) as edge:
        answer = await ask(edge, scope("GET", "/fhir/Patient", *sent))
    names = [line.partition(b":")[0].lower() for line in heads[0][1:]]
    assert heads[0][0] == b"GET /fhir/Patient HTTP/1.1"
    assert sorted(names) == sorted(
        [b"host", b"authorization", b"x-forwarded-for", b"x-request-id", HEADER]
    )
    assert [name for name, _ in answer.headers] == [b"content-length", b"x-kept"]
    assert answer.body == b"ok"


async def test_a_cookie_that_one_person_was_given_is_never_sent_for_another():
    heads: list[list[bytes]] = []

    async def behave(reader, writer):
        heads.append(await read_head(reader))
        writer.write(OK + b"set-cookie: session=maria; Path=/\r\n\r\nok")
        writer.close()

    async with door_before(behave) as edge:
        first = await ask(edge, scope())
        await ask(edge, scope())
        await edge._peers.send("records", "GET", "/fhir/Patient")
    assert (b"set-cookie", b"session=maria; Path=/") in first.headers
    assert len(heads) == 3
    assert not any(line.lower().startswith(b"cookie") for head in heads for line in head)


@pytest.mark.parametrize("length", [b"content-length", b"transfer-encoding"])
async def test_half_a_body_never_looks_whole_on_the_other_side(length: bytes):
    got: list[bytes] = []
    done = asyncio.Event()

    async def behave(reader, writer):
        await read_head(reader)
        got.append(await reader.read(-1))
        done.set()
        writer.close()

    value = b"1000" if length == b"content-length" else b"chunked"
    part = {"type": "http.request", "body": b"line 1\n", "more_body": True}
    async with door_before(behave) as edge:
        given = scope("POST", "/fhir", (length, value))
        answer = await ask(edge, given, part, {"type": "http.disconnect"})
        await asyncio.wait_for(done.wait(), 30)
    assert answer.sent == []
    assert b"line 1" in got[0]
    assert not got[0].endswith(b"0\r\n\r\n")


async def test_whoever_leaves_while_the_answer_is_awaited_is_not_worked_for_any_more():
    noticed, begun = asyncio.Event(), asyncio.Event()

    async def behave(reader, writer):
        await read_head(reader)
        begun.set()
        assert await reader.read(-1) == b""
        noticed.set()
        writer.close()

    async with door_before(behave) as edge:
        asking = asyncio.create_task(ask(edge, scope(), then=begun))
        await asyncio.wait_for(noticed.wait(), 30)
        assert (await asyncio.wait_for(asking, 30)).sent == []


async def test_an_answer_that_breaks_off_never_looks_whole():
    async def behave(reader, writer):
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        await writer.drain()
        writer.close()

    asked = Asked()
    async with door_before(behave) as edge:
        with pytest.raises(httpx.RemoteProtocolError):
            await ask(edge, scope(), into=asked)
    assert asked.status == 200
    assert not asked.is_whole


async def test_a_peer_that_hangs_up_at_once_is_a_calm_503_with_a_number():
    async def behave(reader, writer):
        await read_head(reader)
        writer.close()

    async with door_before(behave) as edge:
        answer = await ask(edge, scope())
        number = dict(answer.headers)[b"x-request-id"]
        assert answer.status == 503
        assert dict(answer.headers)[b"retry-after"] == b"2"
        assert b"OperationOutcome" in answer.body
        assert len(number) >= 8


async def test_nothing_is_added_that_the_person_did_not_ask_for():
    heads: list[list[bytes]] = []

    async def behave(reader, writer):
        heads.append(await read_head(reader))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    async with door_before(behave) as edge:
        assert (await ask(edge, scope("DELETE", "/fhir/Patient/1"))).status == 204
    text = b"\n".join(heads[0]).lower()
    for name in (b"accept", b"accept-encoding", b"user-agent", b"content-length"):
        assert name not in text


def test_the_next_process_sees_the_person_as_if_there_were_no_hop():
    written = scope("GET", "/identity/authorize")
    value = Hops(KEY).write(written)
    arrived = scope("GET", "/identity/authorize", (HEADER, value))
    arrived["headers"][0] = (b"host", b"127.0.0.1:9001")
    arrived["client"] = ("127.0.0.1", "1")
    assert Hops(KEY).arrive(arrived)
    assert arrived["client"][0] == "203.0.113.9"
    assert dict(arrived["headers"]) == {b"host": b"clinic.example"}


@pytest.mark.parametrize("how", ["another key", "another path", "another method", "old", "broken"])
def test_a_hop_that_is_not_ours_is_worth_nothing(how: str):
    now = 1_800_000_000.0
    key = b"x" * 32 if how == "another key" else KEY
    old = now - 1000 if how == "old" else now
    value = Hops(key, lambda: old).write(scope("GET", "/identity/authorize"))
    if how == "broken":
        value = value[:-1]
    method = "POST" if how == "another method" else "GET"
    path = "/identity/token" if how == "another path" else "/identity/authorize"
    arrived = scope(method, path, (HEADER, value))
    arrived["headers"][0] = (b"host", b"127.0.0.1:9001")
    assert not Hops(KEY, lambda: now).arrive(arrived)
    assert arrived["client"][0] == "203.0.113.9"
    assert dict(arrived["headers"]) == {b"host": b"127.0.0.1:9001"}


async def test_two_doors_that_each_hold_the_other_for_the_owner_do_not_pass_it_round():
    async def behave(reader, writer):
        pytest.fail("it was passed on a second time")

    async with door_before(behave) as edge:
        passed = scope()
        passed["headers"].append((HEADER, Hops(KEY).write(passed)))
        answer = await ask(edge, passed)
    assert answer.status == 503

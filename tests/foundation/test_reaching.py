"""Replicas take turns, a broken one is left alone, and nothing happens twice."""

import asyncio
import random
import time
from collections.abc import Callable

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from polyclinic.foundation import reaching
from polyclinic.foundation.errors import Invalid, Unavailable
from polyclinic.foundation.peers import Peers, parse
from polyclinic.foundation.reaching import (
    DEADLINE,
    FAILURES,
    Breaker,
    Replicas,
    read_deadline,
    seconds_left,
    waited_for,
)

Say = Callable[[httpx.Request], httpx.Response]


class Fake(httpx.AsyncBaseTransport):
    """A replica that does what it is told, and counts."""

    def __init__(self, say: Say) -> None:
        self.say, self.asked = say, list[httpx.Request]()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.say(request)


def well(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200)


def refuses(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


def cuts(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadError("cut", request=request)


def late(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("late", request=request)


def client(*says: Say) -> tuple[httpx.AsyncClient, list[Fake]]:
    fakes = [Fake(say) for say in says]
    waiting = iter(fakes)
    urls = [f"http://replica-{n}:80" for n in range(len(says))]
    replicas = Replicas(urls, lambda: next(waiting), random.Random(1))
    return httpx.AsyncClient(transport=replicas, base_url=urls[0]), fakes


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaching, "PAUSE", 0.0)


async def test_replicas_take_turns_and_each_is_asked_at_its_own_address():
    asking, fakes = client(well, well)
    for _ in range(10):
        assert (await asking.get("/fhir?x=1")).status_code == 200
    assert [len(fake.asked) for fake in fakes] == [5, 5]
    assert {str(each.url) for each in fakes[1].asked} == {"http://replica-1/fhir?x=1"}


async def test_a_replica_that_is_down_costs_nobody_an_answer_and_is_left_alone():
    asking, fakes = client(well, refuses)
    for _ in range(100):
        assert (await asking.post("/fhir", content=b"{}")).status_code == 200
    assert len(fakes[1].asked) == FAILURES
    assert len(fakes[0].asked) == 100


async def test_who_is_back_before_the_rest_is_over_answers_for_the_one_that_has_gone():
    """A rolling restart: reads were put off while the first one still rested."""
    asking, fakes = client(refuses, well)
    for _ in range(2 * FAILURES):
        await asking.get("/fhir")
    fakes[0].say, fakes[1].say = well, refuses
    for _ in range(3 * FAILURES):
        assert (await asking.get("/fhir")).status_code == 200


async def test_while_one_request_finds_out_who_is_back_the_others_wait_for_it(monkeypatch):
    monkeypatch.setattr(reaching, "PAUSE", 0.1)
    monkeypatch.setattr(reaching, "REST_FIRST", 0.0)
    asking, (fake,) = client(refuses)
    for _ in range(FAILURES // 2):  # of three tries each
        with pytest.raises(httpx.ConnectError):
            await asking.get("/fhir")
    monkeypatch.setattr(reaching, "REST_FIRST", 60.0)
    monkeypatch.setattr(reaching, "REST_LONGEST", 60.0)
    ask = fake.handle_async_request

    async def slowly(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.02)
        return await ask(request)

    monkeypatch.setattr(fake, "handle_async_request", slowly)
    fake.say = well
    answers = await asyncio.gather(*(asking.get("/fhir") for _ in range(5)))
    assert [each.status_code for each in answers] == [200] * 5


async def test_who_rests_because_it_was_late_is_left_alone_all_the_same():
    asking, fakes = client(late, well)
    for _ in range(2 * FAILURES):
        try:
            await asking.get("/fhir")
        except httpx.ReadTimeout:
            continue
    fakes[1].say, before = refuses, len(fakes[0].asked)
    with pytest.raises(httpx.ConnectError):
        await asking.get("/fhir")
    assert len(fakes[0].asked) == before


async def test_a_write_that_was_cut_is_not_sent_twice():
    asking, fakes = client(cuts, cuts)
    with pytest.raises(httpx.ReadError):
        await asking.post("/fhir", content=b"{}")
    assert sum(len(fake.asked) for fake in fakes) == 1


async def test_a_read_that_was_cut_is_asked_of_another_replica():
    asking, fakes = client(well, cuts)
    answers = [await asking.get("/fhir") for _ in range(4)]
    assert [each.status_code for each in answers] == [200] * 4
    assert len(fakes[1].asked) >= 1


async def test_a_time_out_is_not_tried_again():
    asking, fakes = client(late, late)
    with pytest.raises(httpx.ReadTimeout):
        await asking.get("/fhir")
    assert sum(len(fake.asked) for fake in fakes) == 1


async def test_an_outage_is_not_answered_with_more_load():
    """500 requests while everything refuses: the breaker lets almost none through."""
    asking, fakes = client(refuses, refuses)
    for _ in range(500):
        with pytest.raises(httpx.ConnectError):
            await asking.get("/fhir")
    assert sum(len(fake.asked) for fake in fakes) <= 2 * FAILURES + 4


async def test_retries_have_a_budget_of_a_tenth():
    """A replica that cuts every other answer never opens its breaker; retries stay few."""
    turn = iter(range(10**6))

    def every_other(request: httpx.Request) -> httpx.Response:
        return cuts(request) if next(turn) % 2 else well(request)

    asking, fakes = client(every_other)
    for _ in range(1000):
        try:
            await asking.get("/fhir")
        except httpx.ReadError:
            continue
    assert len(fakes[0].asked) <= 1000 + 1000 * reaching.BUDGET_SHARE + reaching.BUDGET_MOST


def test_a_resting_replica_is_tried_once_after_each_rest_and_rests_longer_each_time():
    now = 0.0
    breaker = Breaker(clock=lambda: now)
    for _ in range(FAILURES):
        assert breaker.may_try()
        breaker.failed()
    assert not breaker.may_try()
    now = reaching.REST_FIRST + 0.01
    assert breaker.may_try()
    assert not breaker.may_try(), "one at a time finds out"
    breaker.failed()
    now += reaching.REST_FIRST + 0.01
    assert not breaker.may_try(), "the second rest is longer"
    now += reaching.REST_LONGEST
    assert breaker.may_try()
    breaker.well()
    assert breaker.is_closed
    assert breaker.may_try()


async def test_a_deadline_travels_and_gets_shorter():
    asking, fakes = client(well)
    with waited_for(5.0):
        await asking.get("/fhir", timeout=30)
        with waited_for(60.0):
            left = seconds_left()
            assert left is not None
            assert left <= 5.0
    sent = fakes[0].asked[0]
    assert 4000 < int(sent.headers[DEADLINE]) <= 5000
    assert sent.extensions["timeout"]["read"] <= 5.0
    await asking.get("/fhir")
    assert DEADLINE not in fakes[0].asked[1].headers


async def test_nobody_is_asked_when_nobody_waits_any_more():
    asking, fakes = client(well)
    with waited_for(0.0), pytest.raises(reaching.Late):
        await asking.get("/fhir")
    assert not fakes[0].asked


async def test_what_a_request_sets_going_does_not_end_with_it():
    async def later() -> float | None:
        return seconds_left()

    with waited_for(1.0):
        assert await asyncio.create_task(later()) is None


@pytest.mark.parametrize(
    ("said", "seconds"), [("1500", 1.5), ("", None), ("-1", None), ("1e9", None), ("9" * 12, None)]
)
def test_only_a_plain_number_of_milliseconds_is_a_deadline(said: str, seconds: float | None):
    assert read_deadline(said) == seconds


async def test_a_deadline_reaches_the_second_service_of_a_chain():
    """portal asks records, which asks identity: identity learns what portal still waits."""
    chain = Peers()

    async def first(request: Request) -> Response:
        with waited_for(read_deadline(request.headers.get(DEADLINE, ""))):
            return JSONResponse((await chain.send("identity", "GET", "/")).json())

    async def last(_: Request) -> Response:
        return JSONResponse(seconds_left())

    chain.add_local("records", Starlette(routes=[Route("/", first)]))
    chain.add_local("identity", Starlette(routes=[Route("/", last)]))
    told = await chain.send("records", "GET", "/", headers={DEADLINE: "2000"})
    await chain.close()
    assert 0 < told.json() <= 2.0


async def test_a_service_of_two_addresses_survives_the_loss_of_one(unused_tcp_port_factory):
    """Real sockets: one replica listens, the other one's port is closed."""
    port, closed = unused_tcp_port_factory(), unused_tcp_port_factory()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()

    peers = Peers()
    peers.add_remote("records", f"http://127.0.0.1:{closed}|http://127.0.0.1:{port}")
    async with await asyncio.start_server(answer, "127.0.0.1", port):
        began = time.monotonic()
        for _ in range(20):
            assert (await peers.send("records", "GET", "/")).text == "ok"
        assert time.monotonic() - began < 5
    with pytest.raises(Unavailable, match="records"):
        await peers.send("records", "GET", "/")
    await peers.close()


def test_peers_may_name_replicas():
    assert parse("records=http://a:1|http://b:2, identity=https://c") == {
        "records": "http://a:1|http://b:2",
        "identity": "https://c",
    }
    with pytest.raises(Invalid):
        parse("records=http://a:1|ftp://b")

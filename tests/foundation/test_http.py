"""A service's door: requests are read within limits, and every problem becomes its own answer."""

import io
import json
import logging
from typing import Any

import httpx
import msgspec
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import errors, http, telemetry
from polyclinic.foundation.caller import Callers
from polyclinic.foundation.errors import Problem
from polyclinic.foundation.peers import Peers
from polyclinic.foundation.service import Running, Service
from polyclinic.foundation.settings import Platform, Settings
from polyclinic.foundation.telemetry import Metrics
from polyclinic.foundation.vault import RootKey, Unreadable, Vault

SECRET = "Ana Ruiz"
STATUS = {
    errors.Invalid: 400,
    errors.NotProcessable: 422,
    errors.TooCostly: 422,
    errors.TooLarge: 413,
    errors.WrongMediaType: 415,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Gone: 410,
    errors.NotSupported: 404,
    errors.MethodRefused: 405,
    errors.Conflict: 409,
    errors.Stale: 412,
    errors.Unavailable: 503,
    errors.Overloaded: 429,
    Unreadable: 500,
    Problem: 500,
}


class Asked(msgspec.Struct):
    name: str
    size: int = 0


async def problem(request: Request) -> Response:
    kinds = {kind.__name__: kind for kind in STATUS}
    raise kinds[request.path_params["kind"]](place="Patient.name")


async def bug(_: Request) -> Response:
    raise KeyError(SECRET)


async def take(request: Request) -> Response:
    return http.json({"bytes": len(await http.body(request, limit=1000))})


async def read(request: Request) -> Response:
    return http.json(await http.read(request, Asked, limit=1000))


async def who(request: Request) -> Response:
    return http.json((await http.caller(request)).subject)


ROUTES = (
    Route("/problem/{kind}", problem),
    Route("/bug", bug),
    Route("/take", take, methods=["POST"]),
    Route("/read", read, methods=["POST"]),
    Route("/who", who),
)


@pytest.fixture
async def door():
    service = Service("toy", "A toy.", "lean", ROUTES, ("/toy",))
    root, peers = RootKey(bytes(32), {1: bytes(32)}), Peers()
    nothing: Any = None
    running = Running(
        service, Platform(), Settings(), nothing, root, Vault(root, "toy"), peers, Callers(peers),
        Metrics("toy"), tokens=nothing,
    )  # fmt: skip
    transport = httpx.ASGITransport(http.App(running), raise_app_exceptions=False)  # pyright: ignore
    async with httpx.AsyncClient(transport=transport, base_url="http://clinic.test") as client:
        yield client


@pytest.mark.parametrize("kind", STATUS)
async def test_each_kind_of_problem_has_its_status_sentence_and_place(door, kind):
    answer = await door.get(f"/problem/{kind.__name__}")
    assert answer.status_code == STATUS[kind]
    assert answer.json()["error_description"] == kind.__doc__.splitlines()[0]
    assert answer.json()["place"] == "Patient.name"
    assert ("retry-after" in answer.headers) == (STATUS[kind] in (429, 503))
    assert ("www-authenticate" in answer.headers) == (STATUS[kind] == 401)


def test_every_kind_of_problem_is_in_the_table_above():
    def below(kind: type) -> set[type]:
        return {kind}.union(*(below(each) for each in kind.__subclasses__()))

    ours = {kind for kind in below(Problem) if kind.__module__ == errors.__name__}
    assert ours <= STATUS.keys()


async def test_a_fault_of_ours_tells_nothing_but_its_number(door):
    root, stream = logging.getLogger(), io.StringIO()
    before = root.handlers[:]
    telemetry.log_to(stream)
    try:
        answer = await door.get("/bug")
    finally:
        root.handlers[:] = before
    assert answer.status_code == 500
    number = answer.headers["x-request-id"]
    assert number in answer.json()["error_description"]
    (line,) = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert (line["error"], line["request"]) == ("KeyError", number)
    assert line["where"].startswith("test_http") or "test_http" in line["where"]
    assert SECRET not in answer.text + stream.getvalue()


@pytest.mark.parametrize("size", [0, 1, 999, 1000])
async def test_a_body_within_the_limit_is_read(door, size):
    assert (await door.post("/take", content=b"x" * size)).json() == {"bytes": size}


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_beyond_the_limit_is_refused_before_it_is_read_whole(door, declared):
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b"x" * 100

    headers = {"content-length": "100000"} if declared else {}
    answer = await door.post("/take", content=endless(), headers=headers)
    assert answer.status_code == 413
    assert answer.json()["place"] == "body"
    assert sent <= 12


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "²", "", " "])
async def test_a_strange_content_length_is_refused(door, length):
    headers = {"content-length": length.encode()}
    answer = await door.post("/take", content=b"x", headers=headers)
    assert answer.status_code in (400, 413)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"[]", "body"),
        (b"{}", "body"),
        (b'{"name": 5}', "$.name"),
        (b'{"name": "x", "size": "y"}', "$.size"),
        (b'{"name": "\xff"}', "body"),
        (b'{"name": "x", "size": 1e999}', "$.size"),
        (b"[" * 900, "body"),
    ],
)
async def test_a_body_that_does_not_fit_is_refused_by_its_place(door, body, place):
    answer = await door.post("/read", content=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["place"] == place, answer.text


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Basic x", "Bearer x", "bearer a.b.c", "x" * 9000]
)
async def test_a_caller_without_a_good_token_is_refused(door, header):
    answer = await door.get("/who", headers={"authorization": header})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "given", ["01a20329-b4bf-7aaf-90a8-338d1573c6d1", "0af7651916cd43dd8448eb211c80319c"]
)
async def test_a_callers_request_id_is_kept_when_it_is_an_id(door, given):
    answer = await door.get("/bug", headers={"x-request-id": given})
    assert answer.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["AnaRuiz1980", "", "short", "a" * 65, "abcdef01 23", "é" * 12])
async def test_a_request_id_that_could_be_a_name_is_replaced(door, given):
    answer = await door.get("/bug", headers={"x-request-id": given.encode()})
    assert answer.headers["x-request-id"] != given
    assert len(answer.headers["x-request-id"]) == 36


async def test_unknown_addresses_and_methods_are_refused_in_our_words(door):
    unknown = await door.get(f"/{SECRET}")
    assert (unknown.status_code, unknown.json()["place"]) == (404, "url")
    wrong = await door.delete("/take")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")


async def test_metrics_know_templates_and_no_addresses(door):
    for path in (f"/{SECRET}", "/problem/Gone", f"/problem/{SECRET}", "/bug"):
        await door.get(path)
    page = (await door.get("/toy/metrics")).text
    assert 'route="/problem/{kind}"' in page
    assert 'route="unmatched"' in page
    assert 'route="/toy/metrics"' in (await door.get("/toy/metrics")).text
    assert 'status="500"' in page
    assert "Ruiz" not in page

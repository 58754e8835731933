"""A token that identity has withdrawn opens no chart, in one process and over sockets."""

import asyncio
import hashlib
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
from joserfc.jwk import OKPKey
from records_door import BASE, SERVICES, Door

from databases import database
from polyclinic.assembly.process import assemble, serve
from polyclinic.foundation import jose, revocations
from polyclinic.foundation.settings import Platform
from polyclinic.foundation.vault import RootKey

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SEED = hashlib.sha256(b"lab").digest()


@asynccontextmanager
async def client_of(process) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(process.edge)  # pyright: ignore
    async with httpx.AsyncClient(transport=transport, base_url=BASE, timeout=60) as client:
        yield client


@pytest.fixture(params=["memory", "sockets"])
async def door(
    request: pytest.FixtureRequest, postgres_url: str, key_file: Path
) -> AsyncIterator[Door]:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(database(postgres_url, key_file, SERVICES))
        names, peers = SERVICES, ""
        if request.param == "sockets":
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            platform = Platform(database_url=url, key_file=str(key_file))
            far = await stack.enter_async_context(assemble(platform, ("identity",), {}))
            ready = asyncio.Event()
            task = asyncio.create_task(serve(far, "127.0.0.1", port, ready.set))
            stack.push_async_callback(_ended, task)
            await asyncio.wait_for(ready.wait(), 20)
            names, peers = ("records",), f"identity=http://127.0.0.1:{port}"
        platform = Platform(database_url=url, key_file=str(key_file), peers=peers)
        process = await stack.enter_async_context(assemble(platform, names, {}))
        client = await stack.enter_async_context(client_of(process))
        yield Door(process, client, url, RootKey.read(key_file))


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def register(door: Door) -> None:
    operator = jose.assertion(
        door.root.derive("operator"), issuer="operator", audience="polyclinic-operator",
        now=int(time.time()),
    )  # fmt: skip
    key: OKPKey = jose.ed25519(SEED)
    body = {
        "client": "lab", "scope": "system/Patient.rs", "assertion": operator,
        "jwks": {"keys": [key.as_dict(private=False)]},
    }  # fmt: skip
    answer = await door.client.post("/identity/operator/clients", json=body)
    assert answer.status_code == 200, answer.text


async def form(door: Door, path: str, **fields: str) -> httpx.Response:
    proof = jose.assertion(SEED, issuer="lab", audience="urn:polyclinic", now=int(time.time()))
    given = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": proof, **fields}
    answer = await door.client.post(path, data=given)
    assert answer.status_code == 200, answer.text
    return answer


async def test_a_withdrawn_token_opens_nothing_any_more(
    door: Door, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(revocations, "ASK_SECONDS", 0.05)
    monkeypatch.setattr(revocations, "RETRY_SECONDS", 0.05)
    await register(door)
    asked = {"grant_type": "client_credentials", "scope": "system/Patient.rs"}
    stolen = (await form(door, "/identity/token", **asked)).json()["access_token"]
    other = (await form(door, "/identity/token", **asked)).json()["access_token"]
    assert await status(door, stolen) == 200
    await form(door, "/identity/revoke", token=stolen)
    for _ in range(200):
        if await status(door, stolen) != 200:
            break
        await asyncio.sleep(0.02)
    assert await status(door, stolen) == 401
    assert await status(door, other) == 200


async def status(door: Door, token: str) -> int:
    headers = {"authorization": f"Bearer {token}"}
    return (await door.client.get("/fhir/Patient", headers=headers)).status_code

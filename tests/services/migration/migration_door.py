"""Migration as its clients meet it: over HTTP, each with a token of their own."""

from contextlib import asynccontextmanager

import httpx

from polyclinic.foundation.caller import Caller
from polyclinic.foundation.errors import Unauthenticated


def caller(role, *scopes):
    name = f"{role}-{'-'.join(scopes)}"
    return Caller(name, "test", role, frozenset(scopes), None, f"t-{name}")


ADMIN = caller("administrator")
PROGRAM = caller("system", "system/*.cruds")


class Door:
    """The service in memory; whoever asks is believed."""

    def __init__(self, process):
        self.running = process.running["migration"]
        self.running.callers.verify = self.verify
        transport = httpx.ASGITransport(app=process.edge)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080")
        self.tokens = {}

    async def verify(self, token):
        if token not in self.tokens:
            raise Unauthenticated
        return self.tokens[token]

    async def ask(self, who, method, path, body=None, **headers):
        self.tokens[who.token_id] = who
        sent = {"authorization": f"Bearer {who.token_id}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.request(method, f"/migration{path}", json=body, headers=sent)

    async def get(self, path):
        answer = await self.ask(ADMIN, "GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def put(self, path, body, who=ADMIN):
        answer = await self.ask(who, "PUT", path, body)
        assert answer.is_success, answer.text
        return answer.json()


@asynccontextmanager
async def open_door(assembled):
    async with assembled("identity", "migration") as process:
        door = Door(process)
        yield door
        await door.client.aclose()
